package org.quern.corpus.filter;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// English words that are two (`don't`, `I'm`, `cannot`), and the units that follow a number without a
/// space.
final class Contractions {
    private static final String[] PRONOUNS = {"i", "you", "he", "she", "it", "we", "they"};
    private static final String[] QUESTIONS = {"who", "what", "when", "where", "why", "how", "there", "that"};
    private static final String[] VERBS = {
        "ai", "are", "ca", "could", "did", "do", "does", "had", "has", "have", "is", "may", "might", "must", "need",
        "ought", "sha", "should", "was", "were", "wo", "would"
    };
    private static final String[] UNITS =
            ("km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s"
                            + " km/h kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % am pm a.m. p.m.")
                    .split(" ");
    private static final String[] WHOLE =
            ("Mr. Mrs. Ms. Dr. Prof. St. Jr. Sr. Co. Corp. Inc. Ltd. Bros. Gen. Gov. Sen. Rep. Rev. Mt. Ph.D."
                            + " vs. v.s. e.g. i.e. a.m. p.m. Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. approx. C++ and/or w/o")
                    .split(" ");
    private static final int LONGEST = 10;
    private static final Map<String, Integer> HEADS = new HashMap<>();
    private static final CharTable WHOLE_TABLE = new CharTable();
    private static final CharTable HEAD_TABLE = new CharTable();
    private static final CharTable UNIT_TABLE = new CharTable();

    static {
        for (String apostrophe : new String[] {"'", "\u2019", ""}) {
            addHead("i", apostrophe + "m");
            for (String pronoun : PRONOUNS) {
                addHead(pronoun, apostrophe + "ll");
                addHead(pronoun, apostrophe + "d");
            }
            for (String pronoun : new String[] {"i", "you", "we", "they"}) {
                addHead(pronoun, apostrophe + "ve");
            }
            for (String pronoun : new String[] {"you", "we", "they"}) {
                addHead(pronoun, apostrophe + "re");
            }
            for (String pronoun : new String[] {"he", "she", "it"}) {
                addHead(pronoun, apostrophe + "s");
            }
            for (String question : QUESTIONS) {
                for (String tail : new String[] {"s", "ll", "d", "re", "ve"}) {
                    addHead(question, apostrophe + tail);
                }
            }
            for (String verb : VERBS) {
                addHead(verb, "n" + apostrophe + "t");
            }
            for (String verb : new String[] {"could", "might", "must", "should", "would"}) {
                addHead(verb, apostrophe + "ve");
            }
        }
        for (String word : "its ill hell shell shed were well whore".split(" ")) {
            HEADS.remove(word);
        }
        addHead("can", "not");
        addHead("gon", "na");
        addHead("got", "ta");
        addHead("let", "'s");
        addHead("let", "\u2019s");
        HEADS.forEach((word, head) -> {
            HEAD_TABLE.put(word, head);
            HEAD_TABLE.put(Character.toUpperCase(word.charAt(0)) + word.substring(1), head);
        });
        for (String unit : UNITS) {
            UNIT_TABLE.put(unit, 1);
        }
        for (String word : WHOLE) {
            WHOLE_TABLE.put(word, 1);
        }
    }

    private Contractions() {}

    private static void addHead(String head, String tail) {
        HEADS.putIfAbsent(head + tail, head.length());
    }

    /// The length of the first of the two words, or 0.
    static int head(char[] chars, int start, int end) {
        return end - start > LONGEST ? 0 : HEAD_TABLE.get(chars, start, end);
    }

    /// Whether marks are to be left on: an abbreviation with its dot, or a contraction with its apostrophe.
    static boolean isKnown(char[] chars, int start, int end) {
        return isAbbreviation(chars, start, end) || head(chars, start, end) > 0;
    }

    static boolean isAbbreviation(char[] chars, int start, int end) {
        return end - start <= LONGEST && WHOLE_TABLE.get(chars, start, end) > 0;
    }

    static boolean isUnit(char[] chars, int start, int end) {
        return end - start <= 4 && UNIT_TABLE.get(chars, start, end) > 0;
    }

    /// A small map of words to numbers above 0, looked up without making a string.
    private static final class CharTable {
        private static final int SIZE = 1 << 10;

        private final char[][] keys = new char[SIZE][];
        private final int[] values = new int[SIZE];

        void put(String key, int value) {
            char[] chars = key.toCharArray();
            int slot = slot(chars, 0, chars.length);
            keys[slot] = chars;
            values[slot] = value;
        }

        int get(char[] chars, int start, int end) {
            return values[slot(chars, start, end)];
        }

        private int slot(char[] chars, int start, int end) {
            int hash = 0;
            for (int i = start; i < end; i++) {
                hash = 31 * hash + chars[i];
            }
            int slot = (hash ^ hash >>> 10) & SIZE - 1;
            while (keys[slot] != null && !Arrays.equals(keys[slot], 0, keys[slot].length, chars, start, end)) {
                slot = slot + 1 & SIZE - 1;
            }
            return slot;
        }
    }
}
