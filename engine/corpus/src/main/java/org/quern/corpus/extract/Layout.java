package org.quern.corpus.extract;

import java.util.Arrays;

/// A page as blocks of text in document order, and its elements, each of which covers a range of blocks. All
/// fields that end in a plural are arrays with one entry per block or element; elements come before their
/// descendants, the body is element 0.
final class Layout {
    /// The text of all blocks, one after another.
    final StringBuilder text = new StringBuilder(1 << 14);

    final PageFacts facts = new PageFacts();

    int blocks;
    int[] starts = new int[512];
    int[] ends = new int[512];
    /// Characters of the block that are within links.
    int[] linked = new int[512];
    int[] words = new int[512];
    /// Ends of sentences within the block.
    int[] sentences = new int[512];
    /// The element that the block's text stands in.
    int[] owners = new int[512];
    /// The nearest `tr` around the block, or -1.
    int[] rows = new int[512];
    /// The nearest `td` or `th` around the block, or -1.
    int[] cells = new int[512];
    /// What the block is: of [Tag] those that say what to make of its text.
    Tag[] kinds = new Tag[512];
    /// 1 to 6 for a heading, 0 for what is none.
    byte[] levels = new byte[512];
    /// Whether the block is the first in its list item.
    boolean[] bullets = new boolean[512];

    int elements;
    int[] parents = new int[1024];
    /// The first block within.
    int[] firsts = new int[1024];
    /// The block after the last one within.
    int[] lasts = new int[1024];
    /// The element after the last one within.
    int[] nexts = new int[1024];
    Tag[] tags = new Tag[1024];
    int[] hints = new int[1024];

    /// Whether the page went on where the limits cut it off.
    boolean truncated;

    int length(int block) {
        return ends[block] - starts[block];
    }

    int addElement(int parent, Tag tag, int hint) {
        if (elements == parents.length) {
            int size = elements * 2;
            parents = Arrays.copyOf(parents, size);
            firsts = Arrays.copyOf(firsts, size);
            lasts = Arrays.copyOf(lasts, size);
            nexts = Arrays.copyOf(nexts, size);
            tags = Arrays.copyOf(tags, size);
            hints = Arrays.copyOf(hints, size);
        }
        parents[elements] = parent;
        firsts[elements] = blocks;
        tags[elements] = tag;
        hints[elements] = hint;
        return elements++;
    }

    void closeElement(int element) {
        lasts[element] = blocks;
        nexts[element] = elements;
    }

    /// A block that ends where [#text] does.
    int addBlock(int start, int owner) {
        if (blocks == starts.length) {
            int size = blocks * 2;
            starts = Arrays.copyOf(starts, size);
            ends = Arrays.copyOf(ends, size);
            linked = Arrays.copyOf(linked, size);
            words = Arrays.copyOf(words, size);
            sentences = Arrays.copyOf(sentences, size);
            owners = Arrays.copyOf(owners, size);
            rows = Arrays.copyOf(rows, size);
            cells = Arrays.copyOf(cells, size);
            kinds = Arrays.copyOf(kinds, size);
            levels = Arrays.copyOf(levels, size);
            bullets = Arrays.copyOf(bullets, size);
        }
        starts[blocks] = start;
        ends[blocks] = text.length();
        owners[blocks] = owner;
        return blocks++;
    }

    String block(int block) {
        return text.substring(starts[block], ends[block]);
    }
}
