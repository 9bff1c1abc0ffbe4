package org.quern.data;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The token files of [llm.c](https://github.com/karpathy/llm.c): 256 little-endian int32 of header (magic, version,
/// number of tokens, zeros), then the tokens; 16-bit ones for GPT-2's tokenizer, 32-bit ones for Llama 3's. They hold
/// no index: a document begins at its end-of-text token.
public final class LlmcShards {
    /// The end of the names of these files.
    public static final List<String> SUFFIXES = List.of(".bin");

    private static final int HEADER_BYTES = 256 * Integer.BYTES;
    private static final int MAGIC_16_BIT = 20240520;
    private static final int VERSION_16_BIT = 1;
    private static final int MAGIC_32_BIT = 20240801;
    private static final int VERSION_32_BIT = 7;
    /// The header counts tokens in an int32.
    private static final long MAX_TOKENS = Integer.MAX_VALUE;

    private LlmcShards() {}

    static TokenShard open(Path file) {
        MemorySegment all = TokenShard.map(file, HEADER_BYTES);
        int magic = all.get(TokenShard.INT, 0);
        int tokenBytes = switch (magic) {
            case MAGIC_16_BIT -> 2;
            case MAGIC_32_BIT -> 4;
            default ->
                throw TokenShard.wrong(
                        file,
                        "an llm.c file of tokens (magic %d or %d)".formatted(MAGIC_16_BIT, MAGIC_32_BIT),
                        Integer.toString(magic));
        };
        int version = tokenBytes == 2 ? VERSION_16_BIT : VERSION_32_BIT;
        TokenShard.expect(file, "version", version, all.get(TokenShard.INT, 4));
        long payloadBytes = (long) all.get(TokenShard.INT, 8) * tokenBytes;
        TokenShard.expect(file, "size in bytes", HEADER_BYTES + payloadBytes, all.byteSize());
        MemorySegment payload = all.asSlice(HEADER_BYTES, payloadBytes);
        return new TokenShard(file, tokenBytes, payload, all.asSlice(all.byteSize()), 0);
    }

    /// Writes all tokens of `from` to `folder/name_000000.bin` and on, `shardTokens` a file, cut wherever a file is
    /// full as llm.c's own scripts do.
    public static List<Path> write(TokenShards from, Path folder, String name, long shardTokens) {
        if (shardTokens < 1 || shardTokens > MAX_TOKENS) {
            throw new IllegalArgumentException("shardTokens must be in 1.." + MAX_TOKENS + ": got " + shardTokens);
        }
        List<Path> files = new ArrayList<>();
        for (long at = 0; at < from.tokens(); at += shardTokens) {
            Path file = folder.resolve("%s_%06d.bin".formatted(name, files.size()));
            write(from, at, Math.min(shardTokens, from.tokens() - at), file);
            files.add(file);
        }
        return files;
    }

    private static void write(TokenShards from, long first, long count, Path file) {
        int tokenBytes = from.kind().tokenBytes();
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        header.putInt(tokenBytes == 2 ? MAGIC_16_BIT : MAGIC_32_BIT)
                .putInt(tokenBytes == 2 ? VERSION_16_BIT : VERSION_32_BIT)
                .putInt((int) count);
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 18).order(ByteOrder.LITTLE_ENDIAN);
        try (OutputFile out = new OutputFile(file)) {
            out.write(header.rewind());
            int[] tokens = new int[buffer.capacity() / tokenBytes];
            MemorySegment segment = MemorySegment.ofArray(tokens);
            for (long at = 0; at < count; at += tokens.length) {
                int length = (int) Math.min(tokens.length, count - at);
                from.copy(first + at, length, segment, 0);
                buffer.clear();
                for (int i = 0; i < length; i++) {
                    if (tokenBytes == 2) {
                        buffer.putShort((short) tokens[i]);
                    } else {
                        buffer.putInt(tokens[i]);
                    }
                }
                out.write(buffer.flip());
            }
            out.commit();
        }
    }
}
