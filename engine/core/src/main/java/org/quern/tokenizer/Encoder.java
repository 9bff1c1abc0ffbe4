package org.quern.tokenizer;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// Encodes text into ids, remembering the words it has met. Not thread-safe: one for each thread.
///
/// Words of up to 15 bytes are looked up in [PackedWords]. Longer ones, and those that are new, are cut into pieces
/// that no merge crosses ([Seams]), which are looked up likewise; what is still new is merged. A word of n bytes
/// costs O(n log n) whatever it holds.
public final class Encoder {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /// Longer pieces are not kept.
    private static final int MAX_KEPT_BYTES = 100;

    /// In the second half of a packed word: it is a piece of a word.
    private static final long PIECE = 1L << 63;

    private final Tokenizer tokenizer;
    private final SplitPattern pattern;
    private final WholeWords wholes;
    private final Seams seams;
    private final WordMerger merger;

    private final PackedWords packed = new PackedWords();
    private final WordCache longPieces = new WordCache();

    Encoder(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        this.pattern = tokenizer.pattern();
        EncodingTables tables = tokenizer.encodingTables();
        this.wholes = tables.wholes();
        this.seams = tables.seams();
        this.merger = new WordMerger(tables.merges());
    }

    /// Appends the ids of a text to `out`; special tokens in it are read as plain text. Bytes that are not UTF-8 are
    /// kept as they are.
    public void encode(byte[] utf8, int from, int to, TokenBuffer out) {
        encode(utf8, from, to, tokenizer.plainAdded(), 0, out);
    }

    /// As [#encode], but special tokens in the text become their ids. Only for text from a trusted hand.
    public void encodeWithSpecials(byte[] utf8, int from, int to, TokenBuffer out) {
        encode(utf8, from, to, tokenizer.allAdded(), 0, out);
    }

    /// Splits at the tokens of the finders from `level` on, one finder after the other.
    private void encode(byte[] text, int from, int to, AddedTokenFinder[] finders, int level, TokenBuffer out) {
        if (level == finders.length) {
            encodeWords(text, from, to, out);
            return;
        }
        int start = from;
        while (start < to) {
            int found = finders[level].find(text, start, to);
            encode(text, start, found, finders, level + 1, out);
            if (found == to) {
                break;
            }
            AddedToken token = finders[level].at(text, found, to);
            out.add(token.id());
            start = found + token.utf8().length;
        }
    }

    private void encodeWords(byte[] text, int from, int to, TokenBuffer out) {
        int start = from;
        while (start < to) {
            if (to - start >= 2 * Long.BYTES) {
                long first = (long) LONG.get(text, start);
                long second = (long) LONG.get(text, start + Long.BYTES);
                int length = pattern.shortWord(first, second);
                if (length > 0) {
                    long low = PackedWords.low(first, length);
                    long high = PackedWords.high(second, length);
                    if (!packed.get(low, high, out)) {
                        encodeNew(text, start, start + length, low, high, out);
                    }
                    start += length;
                    continue;
                }
            }
            int end = pattern.next(text, start, to);
            if (end - start <= PackedWords.MAX_BYTES) {
                encodeShort(text, start, end, 0, out);
            } else {
                encodeLong(text, start, end, out);
            }
            start = end;
        }
    }

    /// @param piece [#PIECE] or 0
    private void encodeShort(byte[] text, int from, int to, long piece, TokenBuffer out) {
        long low;
        long high;
        if (from + 2 * Long.BYTES <= text.length) {
            low = PackedWords.low((long) LONG.get(text, from), to - from);
            high = PackedWords.high((long) LONG.get(text, from + Long.BYTES), to - from) | piece;
        } else {
            low = PackedWords.low(text, from, to);
            high = PackedWords.high(text, from, to) | piece;
        }
        if (!packed.get(low, high, out)) {
            encodeNew(text, from, to, low, high, out);
        }
    }

    /// Encodes a short word or piece that is not kept, and keeps it.
    private void encodeNew(byte[] text, int from, int to, long low, long high, TokenBuffer out) {
        int before = out.size();
        boolean piece = (high & PIECE) != 0;
        int whole = wholes.find(text, from, to, low, high & ~PIECE, piece);
        if (whole >= 0) {
            out.add(whole);
        } else {
            int end = piece ? to : seams.next(text, from, to);
            if (end == to) {
                merger.merge(text, from, to, out);
            } else {
                encodePieces(text, from, end, to, out);
            }
        }
        packed.put(low, high, out.array(), before, out.size() - before);
    }

    private void encodeLong(byte[] text, int from, int to, TokenBuffer out) {
        int whole = wholes.findNotMade(text, from, to);
        if (whole >= 0) {
            out.add(whole);
        } else {
            encodePieces(text, from, seams.next(text, from, to), to, out);
        }
    }

    /// @param firstEnd the end of the first piece
    private void encodePieces(byte[] text, int from, int firstEnd, int to, TokenBuffer out) {
        int start = from;
        int end = firstEnd;
        while (true) {
            if (end - start <= PackedWords.MAX_BYTES) {
                encodeShort(text, start, end, PIECE, out);
            } else {
                encodeLongPiece(text, start, end, out);
            }
            if (end == to) {
                return;
            }
            start = end;
            end = seams.next(text, start, to);
        }
    }

    private void encodeLongPiece(byte[] text, int from, int to, TokenBuffer out) {
        boolean keep = to - from < MAX_KEPT_BYTES;
        if (keep && longPieces.get(text, from, to, out)) {
            return;
        }
        int before = out.size();
        merger.merge(text, from, to, out);
        if (keep) {
            longPieces.put(text, from, to, out.array(), before, out.size() - before);
        }
    }
}
