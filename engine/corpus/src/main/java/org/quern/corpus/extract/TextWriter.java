package org.quern.corpus.extract;

/// Writes the blocks held to be text, each on lines of its own: items of lists begin with `- `, short rows of
/// tables are one line with ` | ` between the cells.
final class TextWriter {
    private static final int LONGEST_ROW = 400;

    private final Judgement judgement;
    private final Layout layout;
    private final StringBuilder out = new StringBuilder();

    private TextWriter(Judgement judgement) {
        this.judgement = judgement;
        this.layout = judgement.layout;
    }

    static String write(Judgement judgement) {
        TextWriter writer = new TextWriter(judgement);
        writer.write();
        return writer.out.toString();
    }

    private void write() {
        for (int b = 0; b < layout.blocks; ) {
            if (!judgement.text(b)) {
                b++;
                continue;
            }
            int end = layout.rows[b] < 0 ? b + 1 : rowEnd(b);
            if (!out.isEmpty()) {
                out.append('\n');
            }
            for (boolean first = true; b < end; b++) {
                if (judgement.text(b)) {
                    out.append(!first ? " | " : layout.bullets[b] ? "- " : "");
                    out.append(layout.text, layout.starts[b], layout.ends[b]);
                    first = false;
                }
            }
        }
    }

    /// The block after those that share a line with `block`: all of its row if that is short and no cell has
    /// two blocks.
    private int rowEnd(int block) {
        int end = block + 1;
        int length = layout.length(block);
        int cell = layout.cells[block];
        for (int b = block + 1; b < layout.blocks && layout.rows[b] == layout.rows[block]; b++) {
            if (judgement.text(b)) {
                length += layout.length(b);
                if (layout.cells[b] == cell || length > LONGEST_ROW) {
                    return block + 1;
                }
                cell = layout.cells[b];
            }
            end = b + 1;
        }
        return end;
    }
}
