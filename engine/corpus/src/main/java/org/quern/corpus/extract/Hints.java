package org.quern.corpus.extract;

/// What the names in an element's attributes (`class`, `id`, `role`) tell of its part in a page, as a set of
/// bits. Names are split into words at all but letters and where upper case begins; words are looked up whole
/// and by their beginnings.
final class Hints {
    static final int COMMENTS = 1;
    static final int HIDDEN = 1 << 1;
    static final int NAVIGATION = 1 << 2;
    static final int SIDE = 1 << 3;
    static final int FOOTER = 1 << 4;
    static final int SHARING = 1 << 5;
    static final int RELATED = 1 << 6;
    static final int ADVERTISEMENT = 1 << 7;
    static final int SIGN_UP = 1 << 8;
    static final int BYLINE = 1 << 9;
    static final int CAPTION = 1 << 10;
    /// A word for the page's own text (`content`, `story`).
    static final int CONTENT = 1 << 11;
    /// A name for the page's own text alone (`article-body`, `entryContent`).
    static final int BODY = 1 << 12;
    /// What `article` and `post` are in `article-body` and `post-content`.
    private static final int SUBJECT = 1 << 13;
    /// What `body` and `content` are there.
    private static final int SUBSTANCE = 1 << 14;
    /// After it the rest of a name tells of something else than the element: `has-sidebar`, `overflow-hidden`.
    private static final int QUALIFIER = 1 << 15;

    /// All that tell of something else than the page's own text.
    static final int FOREIGN = CONTENT - 1;

    private static final Words WHOLE = new Words();
    private static final Words BEGINNINGS = new Words();
    private static final int SHORTEST_BEGINNING = 5;
    private static final long TAG = hash("tag");
    private static final long CATEGORY = hash("category");
    private static final long WIDGET = hash("widget");

    static {
        learn(COMMENTS, """
                comment comments commentary* comentario* commentaires commentbox* commenting* commentlist* commentlists
                commentsection* discussion disqus* kommentar* livefyre* reacties replies reply respond response responses
                spotim viafoura""");
        learn(HIDDEN, "hidden hide noprint screenreader visuallyhidden");
        learn(NAVIGATION, """
                breadcrumb* crumb crumbs jump mainnav masthead menu menubar menus nav navbar* navi navigation* pager
                pagination* paginator paging siblings sitemap skip skiplink subnav toc toolbar* topbar topnav""");
        learn(SIDE, """
                aside infobox rail rightcolumn rightrail sidebar* sideblock sidecol widget widgets""");
        learn(FOOTER, "colophon copyright* disclaimer foot footer* footnotes imprint impressum legal");
        learn(SHARING, """
                addthis* addtoany* bookmark* follow followus jetpack likes print printer share sharebar* sharebox*
                sharebuttons sharedaddy sharelinks shares sharethis* sharetools shariff* sharing* social* socialize""");
        learn(RELATED, """
                also latest more morenews mostpopular mostread mostviewed outbrain* popular* promo promos promotion*
                readmore readnext recirc* recommend* related* revcontent* similar suggested* taboola* tease teaser* tiles
                trending* upnext yarpp* zergnet*""");
        learn(ADVERTISEMENT, """
                ad adbox* adcontainer* ads adsense* adslot* adunit* adv advert* adwrap* adzone affiliate* anzeige banner*
                commercial* dfp gpt publicidad* reklam* sponsor* werbung*""");
        learn(SIGN_UP, """
                consent* cookie cookiebar cookies cta donate* donation* feedback gdpr lightbox login mailchimp
                mailing modal* newsletter* notice notification* optin overlay* paywall* poll popover* popup* quiz rating
                ratings register registration signin signup subscribe* subscriber* subscription* survey tooltip* vote
                votes""");
        learn(BYLINE, """
                author authorbio* authorbox* authors avatar bio byline* categories category credit credits date dateline
                datetime entrymeta eyebrow keywords kicker* meta metabar metadata postmeta pubdate published* readingtime
                readtime source tag tagcloud taglinks taglist tags timestamp* topics updated views""");
        learn(CAPTION, """
                caption* captions carousel* figcaption gallery* imagecaption imagecredit mediacaption photocaption
                photocredit player playlist slider* slideshow* video videos""");
        learn(SUBJECT, "article blog body entry field item main news page post single story text");
        learn(SUBSTANCE, "article body bodytext contents content copy main text");
        learn(CONTENT, """
                article blog body content entry hentry longform main maincontent markdown post prose richtext story text
                wysiwyg""");
        learn(QUALIFIER, "has label no overflow with");
        learn(BODY, """
                articlebody* articlecontent* articlecopy articletext* bodycopy bodytext* contentbody entrycontent*
                maintext newstext* postbody* postcontent* storybody* storycontent* storytext* textbody""");
    }

    private Hints() {}

    /// @param words a final `*` marks a beginning
    private static void learn(int hint, String words) {
        for (String word : words.split("\\s+")) {
            if (word.endsWith("*")) {
                BEGINNINGS.add(hash(word.substring(0, word.length() - 1)), hint);
            } else {
                WHOLE.add(hash(word), hint);
            }
        }
    }

    private static long hash(String word) {
        long hash = 0;
        for (int i = 0; i < word.length(); i++) {
            hash = hash(hash, word.charAt(i));
        }
        return hash;
    }

    private static long hash(long hash, char letter) {
        return (hash ^ letter) * 0x9E3779B97F4A7C15L + 1;
    }

    /// The hints of names, as in `post-content shareBar`.
    static int of(String names) {
        int found = 0;
        int before = 0; // hints of the word before in the same name
        int word = 0;
        long hash = 0;
        int length = 0;
        boolean lower = false;
        boolean first = true;
        boolean digit = false; // the word follows a digit, as in `id-c069ad` that no one wrote
        boolean subject = false; // the rest of a name such as `tag-celebrities` says what the page is about
        for (int i = 0; i <= names.length(); i++) {
            char c = i < names.length() ? names.charAt(i) : ' ';
            boolean upper = c >= 'A' && c <= 'Z';
            boolean letter = upper || c >= 'a' && c <= 'z';
            if (length > 0 && (!letter || upper && lower)) {
                subject |= first && c == '-' && (hash == TAG || hash == CATEGORY);
                // builders of pages name all their parts so: `elementor-widget`
                boolean tells = !subject && !digit && (first || hash != WIDGET);
                word = tells ? word | WHOLE.get(hash) : 0;
                subject |= (word & QUALIFIER) != 0;
                found |= word;
                if ((before & SUBJECT) != 0 && (word & SUBSTANCE) != 0) {
                    found |= BODY;
                }
                before = word;
                first = false;
                word = 0;
                hash = 0;
                length = 0;
                digit = false;
            }
            if (letter) {
                hash = hash(hash, upper ? (char) (c + 32) : c);
                length++;
                if (length >= SHORTEST_BEGINNING) {
                    word |= BEGINNINGS.get(hash);
                }
            } else if (c <= ' ') {
                before = 0;
                first = true;
                subject = false;
                digit = false;
            } else {
                digit = c >= '0' && c <= '9';
            }
            lower = letter && !upper;
        }
        return found & (SUBJECT - 1);
    }

    /// From hashes of words to their hints.
    private static final class Words {
        private static final int SIZE = 1 << 10;

        private final long[] hashes = new long[SIZE];
        private final int[] hints = new int[SIZE];

        void add(long hash, int hint) {
            int slot = slot(hash);
            hashes[slot] = hash;
            hints[slot] |= hint;
        }

        int get(long hash) {
            return hints[slot(hash)];
        }

        private int slot(long hash) {
            int slot = (int) (hash >>> 54);
            while (hints[slot] != 0 && hashes[slot] != hash) {
                slot = (slot + 1) & (SIZE - 1);
            }
            return slot;
        }
    }
}
