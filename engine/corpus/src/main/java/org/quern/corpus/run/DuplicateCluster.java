package org.quern.corpus.run;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.quern.corpus.Page;

/// Pages that a run found to be the same: a line of `clusters.jsonl`.
///
/// @param stage that found them
/// @param pages of the cluster that came so far: those that an earlier stage dropped as duplicates are not
///     among them
/// @param members some of those, first the one that is kept, by the smallest chance
public record DuplicateCluster(String stage, long pages, List<Member> members) {
    private static final int MOST_MEMBERS = 8;
    private static final Comparator<Member> ORDER =
            Comparator.comparing(Member::dropped).thenComparing(Member::chance).thenComparing(Member::id);

    /// @param dropped whether another page was kept for it
    /// @param text its first [Sample#MAX_TEXT] characters
    /// @param textCharacters of the whole text
    public record Member(
            String chance, boolean dropped, String id, String url, String language, String text, int textCharacters) {
        static Member of(Page page, boolean dropped) {
            return new Member(
                    Sample.chanceOf(page.id()),
                    dropped,
                    page.id(),
                    page.url(),
                    page.language(),
                    Sample.firstOf(page.text()),
                    page.text().length());
        }
    }

    static DuplicateCluster none(String stage) {
        return new DuplicateCluster(stage, 0, List.of());
    }

    /// The cluster with more of its pages.
    DuplicateCluster plus(DuplicateCluster other) {
        List<Member> all = new ArrayList<>(members);
        all.addAll(other.members);
        return new DuplicateCluster(
                stage,
                pages + other.pages,
                all.stream().sorted(ORDER).limit(MOST_MEMBERS).toList());
    }

    DuplicateCluster plus(Member member) {
        return plus(new DuplicateCluster(stage, 1, List.of(member)));
    }
}
