package org.quern.corpus.language;

/// A few pieces of a text that stand for all of it: as long as each other, from its beginning to its end at equal
/// distances, cut between words where these are divided by spaces.
///
/// @param characters of all pieces together, about
record Excerpt(int characters) {
    /// Of a text that is longer. More, shorter ones tell what the whole text tells more often than a few long ones.
    private static final int PIECES = 8;

    /// The longest word that is not cut.
    private static final int WORD = 40;

    /// The text itself if it is no longer.
    CharSequence of(String text) {
        if (text.length() <= characters) {
            return text;
        }
        StringBuilder excerpt = new StringBuilder(characters + 2 * WORD * PIECES);
        int length = characters / PIECES;
        for (int piece = 0; piece < PIECES; piece++) {
            int from = (int) ((long) (text.length() - length) * piece / (PIECES - 1));
            int start = from == 0 ? 0 : gap(text, from);
            int end = gap(text, start + length);
            excerpt.append(text, start, end).append(' ');
        }
        return excerpt;
    }

    /// The next place between words, or one inside of a word that goes on for long.
    private static int gap(String text, int from) {
        if (from >= text.length()) {
            return text.length();
        }
        int most = Math.min(text.length(), from + WORD);
        for (int i = from; i < most; i++) {
            if (Character.isWhitespace(text.charAt(i))) {
                return i;
            }
        }
        return Character.isLowSurrogate(text.charAt(from)) ? from + 1 : from;
    }
}
