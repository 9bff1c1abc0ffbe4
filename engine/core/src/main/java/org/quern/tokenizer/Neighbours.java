package org.quern.tokenizer;

import java.util.Arrays;

/// What one merge step changes on one side of the merged pair, by the token that stands there.
final class Neighbours {
    /// By token: the count that its pair with a part of the merged token loses, and that with the whole gains.
    private final long[] lost;

    private final long[] gained;
    private final int[] lastWord;
    private final int[] wordCount;
    private final int[][] lists;

    private int[] touched = new int[256];
    private int touchedCount;

    /// Where gains were: token, word, token, word, ...
    private int[] gains = new int[1 << 10];
    private int gainsSize;

    Neighbours(int vocabSize) {
        lost = new long[vocabSize];
        gained = new long[vocabSize];
        lastWord = new int[vocabSize];
        Arrays.fill(lastWord, -1);
        wordCount = new int[vocabSize];
        lists = new int[vocabSize][];
    }

    void lose(int token, long count) {
        touch(token);
        lost[token] += count;
    }

    void gain(int token, int word, long count) {
        touch(token);
        gained[token] += count;
        if (lastWord[token] == word) {
            return;
        }
        lastWord[token] = word;
        wordCount[token]++;
        if (gainsSize == gains.length) {
            gains = Arrays.copyOf(gains, 2 * gainsSize);
        }
        gains[gainsSize++] = token;
        gains[gainsSize++] = word;
    }

    private void touch(int token) {
        if (lost[token] == 0 && gained[token] == 0) {
            if (touchedCount == touched.length) {
                touched = Arrays.copyOf(touched, 2 * touchedCount);
            }
            touched[touchedCount++] = token;
        }
    }

    int size() {
        return touchedCount;
    }

    int token(int i) {
        return touched[i];
    }

    long lost(int i) {
        return lost[touched[i]];
    }

    long gained(int i) {
        return gained[touched[i]];
    }

    /// Sorts the words of the gains to their tokens, for [#words].
    void collect() {
        for (int i = 0; i < touchedCount; i++) {
            int token = touched[i];
            lists[token] = new int[wordCount[token]];
            wordCount[token] = 0;
        }
        for (int i = 0; i < gainsSize; i += 2) {
            int token = gains[i];
            lists[token][wordCount[token]++] = gains[i + 1];
        }
    }

    /// The words in which the i-th token gained.
    int[] words(int i) {
        return lists[touched[i]];
    }

    void clear() {
        for (int i = 0; i < touchedCount; i++) {
            int token = touched[i];
            lost[token] = 0;
            gained[token] = 0;
            lastWord[token] = -1;
            wordCount[token] = 0;
            lists[token] = null;
        }
        touchedCount = 0;
        gainsSize = 0;
    }
}
