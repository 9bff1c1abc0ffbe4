package org.quern.corpus.filter;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Finds which of many strings stands first among the letters and digits of a text, whatever is between
/// them and in whatever case; in time that does not depend on how many strings there are (Aho and Corasick,
/// 1975).
final class PartFinder {
    private static final int SYMBOLS = 36;
    private static final int NONE = -1;

    private final List<int[]> next = new ArrayList<>();
    private final List<String> found = new ArrayList<>();

    PartFinder(List<String> parts) {
        addState();
        for (String part : parts) {
            int state = 0;
            for (int i = 0; i < part.length(); i++) {
                int symbol = symbol(part.charAt(i));
                if (symbol == NONE) {
                    continue;
                }
                if (next.get(state)[symbol] == NONE) {
                    next.get(state)[symbol] = addState();
                }
                state = next.get(state)[symbol];
            }
            if (state != 0) {
                found.set(state, part);
            }
        }
        link();
    }

    private int addState() {
        int[] none = new int[SYMBOLS];
        Arrays.fill(none, NONE);
        next.add(none);
        found.add("");
        return next.size() - 1;
    }

    /// Gives every state the way on that its longest proper suffix has, shorter states first.
    private void link() {
        int[] suffix = new int[next.size()];
        ArrayDeque<Integer> queue = new ArrayDeque<>(List.of(0));
        while (!queue.isEmpty()) {
            int state = queue.remove();
            if (found.get(state).isEmpty()) {
                found.set(state, found.get(suffix[state]));
            }
            for (int symbol = 0; symbol < SYMBOLS; symbol++) {
                int fallback = state == 0 ? 0 : next.get(suffix[state])[symbol];
                int child = next.get(state)[symbol];
                if (child == NONE) {
                    next.get(state)[symbol] = fallback;
                } else {
                    suffix[child] = fallback;
                    queue.add(child);
                }
            }
        }
    }

    /// The part that ends first, or an empty string.
    String find(CharSequence text) {
        int state = 0;
        for (int i = 0; i < text.length(); i++) {
            int symbol = symbol(text.charAt(i));
            if (symbol != NONE) {
                state = next.get(state)[symbol];
                if (!found.get(state).isEmpty()) {
                    return found.get(state);
                }
            }
        }
        return "";
    }

    private static int symbol(char c) {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        int letter = (c | 0x20) - 'a';
        return letter >= 0 && letter < 26 && c < 0x80 ? 10 + letter : NONE;
    }
}
