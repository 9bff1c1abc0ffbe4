package org.quern.kernels.check;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.kernels.check.Mutations.Kind;
import org.quern.kernels.check.Mutations.Mutation;

/// The page `MUTATIONS.md`, which is made of a file for each template, so that they can be looked at one by one.
final class MutationPage {
    private static final Path FOLDER = Path.of("target/mutations");
    private static final String PART = ".part";
    private static final int EXAMPLES = 2;

    private static final String HEAD = """
            # What the emulator and the cases find

            Faults are planted into the kernels, one at a time, and every case that runs the kernel judges it, whatever
            its family, on the emulator: with lazy, eager and random copies and three schedules of warps. A fault is
            found if the emulator stops the kernel (a race, an access out of bounds, undefined memory, a wait that is
            missing, no end) or a result is wrong. The kinds of faults:

            %s
            Of each template up to %d variants are looked at, of one for sm_90a up to %d, spread evenly over those that ship.
            In each, every barrier, wait, arrival, commit, fence, descriptor and zero-filling copy gets its fault, and %d
            places of each other kind, drawn by chance with seed %d. (Kernels for sm_80 have no fence: what blocks tell each
            other goes from launch to launch.)
            A cell says how many faults were found of how many. Faults that make no difference to any input are
            equivalent; the score, which a test keeps at 95 %% or more, is that of the others. As of %s, by

            ```
            mvn -B -Pslow -pl kernels test -Dtest=MutationTest && cp kernels/target/mutations/MUTATIONS.md kernels/
            ```

            """;

    private MutationPage() {}

    /// What was done to the variants of a template.
    record Result(String file, int variants, List<Mutation> planted, List<Mutation> survivors) {
        /// Those that could be found, in parts of 1000.
        int score() {
            return 1000 * (planted.size() - survivors.size()) / (planted.size() - equivalent());
        }

        private int equivalent() {
            return (int) survivors.stream()
                    .filter(survivor -> Survivors.reason(file, survivor)
                            .map(Survivors.Reason::equivalent)
                            .orElse(false))
                    .count();
        }

        List<Mutation> unexplained() {
            return survivors.stream()
                    .filter(survivor -> Survivors.reason(file, survivor).isEmpty())
                    .toList();
        }

        private String row() {
            Map<Kind, Long> all = byKind(planted);
            Map<Kind, Long> left = byKind(survivors);
            String cells = Stream.of(Kind.values())
                    .map(kind -> all.containsKey(kind)
                            ? "%d / %d".formatted(all.get(kind) - left.getOrDefault(kind, 0L), all.get(kind))
                            : "")
                    .collect(Collectors.joining(" | "));
            return "| %s | %d | %s | %d / %d | %d | %.1f %% |%n"
                    .formatted(
                            file,
                            variants,
                            cells,
                            planted.size() - survivors.size(),
                            planted.size(),
                            equivalent(),
                            score() / 10.0);
        }

        private static Map<Kind, Long> byKind(List<Mutation> mutations) {
            return mutations.stream()
                    .collect(Collectors.groupingBy(Mutation::kind, TreeMap::new, Collectors.counting()));
        }

        private String section() {
            if (survivors.isEmpty()) {
                return "";
            }
            StringBuilder text = new StringBuilder("\n### %s%n".formatted(file));
            survivors.stream()
                    .collect(Collectors.groupingBy(
                            survivor -> Survivors.reason(file, survivor)
                                    .map(Survivors.Reason::toString)
                                    .orElse("not explained"),
                            TreeMap::new,
                            Collectors.toList()))
                    .forEach((why, list) -> {
                        text.append("- %d: %s%n".formatted(list.size(), why));
                        list.stream()
                                .map(Mutation::toString)
                                .distinct()
                                .limit(EXAMPLES)
                                .forEach(example -> text.append("  - `%s`%n".formatted(example)));
                    });
            return text.toString();
        }
    }

    static void add(Result result) throws IOException {
        Files.createDirectories(FOLDER);
        Files.writeString(FOLDER.resolve(result.file + PART), result.row() + result.section());
    }

    /// Joins what was added, also by earlier runs.
    static void write(int variants, int warpgroupVariants, int sample, long seed) throws IOException {
        StringBuilder kinds = new StringBuilder();
        for (Kind kind : Kind.values()) {
            kinds.append("- %s: %s%n".formatted(kind.title(), kind.meaning()));
        }
        StringBuilder rows = new StringBuilder(
                HEAD.formatted(kinds, variants, warpgroupVariants, sample, seed, LocalDate.now(ZoneOffset.UTC)));
        rows.append("| template | variants | %s | all | equivalent | score |%n"
                .formatted(Stream.of(Kind.values()).map(Kind::title).collect(Collectors.joining(" | "))));
        rows.append("|---".repeat(Kind.values().length + 5)).append("|\n");
        StringBuilder sections = new StringBuilder("\n## What is not found, and why\n");
        try (Stream<Path> parts = Files.list(FOLDER)) {
            for (Path part : parts.filter(path -> path.toString().endsWith(PART))
                    .sorted()
                    .toList()) {
                String text = Files.readString(part);
                int end = text.indexOf('\n') + 1;
                rows.append(text, 0, end);
                sections.append(text, end, text.length());
            }
        }
        Files.writeString(FOLDER.resolve("MUTATIONS.md"), rows.append(sections));
    }
}
