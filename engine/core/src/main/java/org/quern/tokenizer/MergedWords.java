package org.quern.tokenizer;

import java.util.Arrays;
import java.util.List;
import java.util.PriorityQueue;

/// Several lists of words as one, in which the counts of a word are added up.
final class MergedWords implements WordCursor {
    private final List<? extends WordCursor> all;
    private final PriorityQueue<WordCursor> waiting = new PriorityQueue<>(MergedWords::compare);
    private byte[] word = new byte[64];
    private int length;
    private long count;

    MergedWords(List<? extends WordCursor> cursors) {
        all = cursors;
        cursors.forEach(this::advance);
    }

    private static int compare(WordCursor a, WordCursor b) {
        return Arrays.compareUnsigned(a.bytes(), a.from(), a.to(), b.bytes(), b.from(), b.to());
    }

    private void advance(WordCursor cursor) {
        if (cursor.next()) {
            waiting.add(cursor);
        }
    }

    @Override
    public boolean next() {
        WordCursor first = waiting.poll();
        if (first == null) {
            return false;
        }
        length = first.to() - first.from();
        if (length > word.length) {
            word = new byte[2 * length];
        }
        System.arraycopy(first.bytes(), first.from(), word, 0, length);
        count = first.count();
        advance(first);
        for (WordCursor same = waiting.peek(); same != null && isCurrent(same); same = waiting.peek()) {
            count = Math.addExact(count, same.count());
            advance(waiting.remove());
        }
        return true;
    }

    private boolean isCurrent(WordCursor cursor) {
        return Arrays.equals(cursor.bytes(), cursor.from(), cursor.to(), word, 0, length);
    }

    @Override
    public byte[] bytes() {
        return word;
    }

    @Override
    public int from() {
        return 0;
    }

    @Override
    public int to() {
        return length;
    }

    @Override
    public long count() {
        return count;
    }

    @Override
    public void close() {
        all.forEach(WordCursor::close);
    }
}
