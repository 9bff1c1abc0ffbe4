package org.quern.data;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SortedSet;
import java.util.stream.LongStream;
import java.util.zip.CRC32C;
import org.quern.base.QuernException;

/// A memory-mapped file of tokens: one of ours (`.tok`) or one of llm.c's ([LlmcShards]).
///
/// A `.tok` file, all little endian:
///
/// | at | bytes | what |
/// |---|---|---|
/// | 0 | 8 | `QUERNTOK` |
/// | 8 | 4 | version, 1 |
/// | 12 | 4 | bytes a token: 2 or 4 |
/// | 16 | 8 | tokens |
/// | 24 | 8 | documents |
/// | 32 | 32 | SHA-256 of the tokenizer |
/// | 64 | 4 | CRC32C of the tokens |
/// | 68 | 4 | CRC32C of the index |
/// | 72 | 52 | zeros |
/// | 124 | 4 | CRC32C of the header up to here |
/// | 128 | | tokens, zeros up to a multiple of 8 |
/// | | 8 a document | index: the first token of each document |
///
/// A document is its end-of-text token followed by the tokens of its text, and lies in one shard as a whole.
///
/// @param tokenBytes 2 or 4
/// @param payload the tokens
/// @param index the first token of each document, u64; empty in llm.c's files, which have none
/// @param crc CRC32C of the payload; meaningless in llm.c's files
record TokenShard(Path file, int tokenBytes, MemorySegment payload, MemorySegment index, int crc) {
    static final int HEADER_BYTES = 128;
    /// `QUERNTOK` as a little-endian number.
    static final long MAGIC = 0x4B4F544E52455551L;
    static final int VERSION = 1;
    static final int HEADER_CRC_AT = 124;

    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int CRC_CHUNK = 1 << 24;

    /// Maps a `.tok` file and checks all but the tokens themselves.
    static TokenShard open(Path file, String tokenizerHash) {
        MemorySegment all = map(file, HEADER_BYTES);
        if (all.get(LONG, 0) != MAGIC) {
            throw wrong(file, "a file of tokens, beginning with QUERNTOK", "another beginning");
        }
        expect(file, "version", VERSION, all.get(INT, 8));
        expectCrc(file, "header", all.get(INT, HEADER_CRC_AT), crc(all.asSlice(0, HEADER_CRC_AT)));
        int tokenBytes = all.get(INT, 12);
        if (tokenBytes != 2 && tokenBytes != 4) {
            throw wrong(file, "2 or 4 bytes a token", Integer.toString(tokenBytes));
        }
        String foundHash = HexFormat.of().formatHex(all.asSlice(32, 32).toArray(ValueLayout.JAVA_BYTE));
        if (!foundHash.equals(tokenizerHash)) {
            throw wrong(file, "tokens of tokenizer " + tokenizerHash, foundHash);
        }
        long payloadBytes = all.get(LONG, 16) * tokenBytes;
        long indexAt = indexAt(payloadBytes);
        long indexBytes = all.get(LONG, 24) * Long.BYTES;
        expect(file, "size in bytes", indexAt + indexBytes, all.byteSize());
        MemorySegment index = all.asSlice(indexAt, indexBytes);
        expectCrc(file, "index", all.get(INT, 68), crc(index));
        return new TokenShard(file, tokenBytes, all.asSlice(HEADER_BYTES, payloadBytes), index, all.get(INT, 64));
    }

    /// Where the index begins: after the tokens, aligned to its own numbers.
    static long indexAt(long payloadBytes) {
        return HEADER_BYTES + (payloadBytes + 7 & -8L);
    }

    static MemorySegment map(Path file, int headerBytes) {
        try (FileChannel channel = FileChannel.open(file)) {
            if (channel.size() < headerBytes) {
                throw wrong(file, "a header of " + headerBytes + " bytes", "a file of " + channel.size() + " bytes");
            }
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto());
        } catch (NoSuchFileException e) {
            throw wrong(file, "a file of tokens", "no such file");
        } catch (IOException e) {
            throw QuernException.io(file + ": cannot be read", e);
        }
    }

    static int crc(MemorySegment bytes) {
        CRC32C crc = new CRC32C();
        for (long at = 0; at < bytes.byteSize(); at += CRC_CHUNK) {
            crc.update(bytes.asSlice(at, Math.min(CRC_CHUNK, bytes.byteSize() - at))
                    .asByteBuffer());
        }
        return (int) crc.getValue();
    }

    static void expect(Path file, String what, long expected, long found) {
        if (expected != found) {
            throw wrong(file, what + " " + expected, Long.toString(found));
        }
    }

    static void expectCrc(Path file, String what, int expected, int found) {
        if (expected != found) {
            throw wrong(
                    file,
                    "CRC32C %08x of its %s".formatted(expected, what),
                    "%08x: the file is corrupt, make or copy it again".formatted(found));
        }
    }

    static QuernException wrong(Path file, String expected, String found) {
        return QuernException.data(file + ": expected " + expected + ", found " + found);
    }

    long tokens() {
        return payload.byteSize() / tokenBytes;
    }

    long documents() {
        return index.byteSize() / Long.BYTES;
    }

    /// The first token of a document, counted in this shard.
    long documentStart(long document) {
        return index.getAtIndex(LONG, document);
    }

    int token(long position) {
        return tokenBytes == 2
                ? Short.toUnsignedInt(payload.getAtIndex(SHORT, position))
                : payload.getAtIndex(INT, position);
    }

    /// Copies tokens `[from, from + count)` to `target` as int32 from byte `offset`; none may reach `vocabSize`.
    void copy(long from, long count, int vocabSize, MemorySegment target, long offset) {
        int outside = 0;
        for (long i = 0; i < count; i++) {
            int token = token(from + i);
            // Negative if the token is, or is above the last one.
            outside |= token | vocabSize - 1 - token;
            target.set(INT, offset + i * Integer.BYTES, token);
        }
        if (outside < 0) {
            checkVocabulary(from, count, vocabSize);
        }
    }

    /// Names the first token of a range that is not in the vocabulary.
    void checkVocabulary(long from, long count, int vocabSize) {
        for (long i = from; i < from + count; i++) {
            if (Integer.compareUnsigned(token(i), vocabSize) >= 0) {
                throw wrong(
                        file,
                        "tokens below the vocabulary size " + vocabSize,
                        Integer.toUnsignedString(token(i)) + " at token " + i);
            }
        }
    }

    /// Where the names of the documents of a `.tok` file are, a line each.
    static Path namesFile(Path shard) {
        String name = shard.getFileName().toString();
        return shard.resolveSibling(name.substring(0, name.lastIndexOf('.')) + ".names");
    }

    /// The documents with tokens in `[from, to)`; without an index, `from` stands for them.
    LongStream documentsIn(long from, long to) {
        if (documents() == 0) {
            return LongStream.of(from);
        }
        long first = firstDocumentAfter(from) - 1;
        return LongStream.range(first, firstDocumentAfter(to - 1));
    }

    private long firstDocumentAfter(long position) {
        long low = 0;
        long high = documents();
        while (low < high) {
            long middle = low + high >>> 1;
            if (documentStart(middle) <= position) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// For people: the names of documents, or where they are.
    List<String> describe(SortedSet<Long> documents) {
        List<String> described = new ArrayList<>();
        if (documents() == 0) {
            documents.forEach(token -> described.add(file.getFileName() + " token " + token));
            return described;
        }
        try (BufferedReader names = Files.newBufferedReader(namesFile(file))) {
            long line = 0;
            for (long document : documents) {
                for (; line < document; line++) {
                    names.readLine();
                }
                described.add(names.readLine());
                line++;
            }
        } catch (IOException e) {
            described.clear();
            documents.forEach(document -> described.add(file.getFileName() + " document " + document));
        }
        return described;
    }
}
