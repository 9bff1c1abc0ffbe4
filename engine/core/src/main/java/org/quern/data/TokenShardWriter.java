package org.quern.data;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;

/// Writes documents to a folder of token shards, each document after its end-of-text token. A shard appears when it is
/// whole, the manifest when all are.
final class TokenShardWriter implements AutoCloseable {
    private final Path folder;
    private final TokenKind kind;
    private final String recipe;
    private final long shardTokens;
    private final List<Manifest.Shard> shards = new ArrayList<>();
    private long textBytes;

    private final ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 18).order(ByteOrder.LITTLE_ENDIAN);
    private final CRC32C crc = new CRC32C();
    private OutputFile out;
    private final StringBuilder names = new StringBuilder();
    private long tokens;
    private long[] starts = new long[1024];
    private int documents;

    /// @param shardTokens a shard is closed before it would hold more, unless a single document does
    TokenShardWriter(Path folder, TokenKind kind, String recipe, long shardTokens) {
        this.folder = folder;
        this.kind = kind;
        this.recipe = recipe;
        this.shardTokens = shardTokens;
    }

    /// @param name one line
    /// @param bytes of the document's text
    void add(String name, int[] document, long bytes) {
        if (out != null && tokens + 1 + document.length > shardTokens) {
            finishShard();
        }
        if (out == null) {
            beginShard();
        }
        if (documents == starts.length) {
            starts = Arrays.copyOf(starts, 2 * documents);
        }
        starts[documents++] = tokens;
        put(kind.endOfText());
        for (int token : document) {
            put(token);
        }
        tokens += 1 + document.length;
        textBytes += bytes;
        names.append(name).append('\n');
    }

    private void put(int token) {
        if (Integer.compareUnsigned(token, kind.vocabSize()) >= 0) {
            throw new IllegalStateException(
                    "the tokenizer gave token " + token + " of a vocabulary of " + kind.vocabSize());
        }
        if (buffer.remaining() < kind.tokenBytes()) {
            flush();
        }
        if (kind.tokenBytes() == 2) {
            buffer.putShort((short) token);
        } else {
            buffer.putInt(token);
        }
    }

    private void flush() {
        crc.update(buffer.flip());
        out.write(buffer.rewind());
        buffer.clear();
    }

    private void beginShard() {
        out = new OutputFile(folder.resolve(fileName()));
        out.write(ByteBuffer.allocate(TokenShard.HEADER_BYTES));
        crc.reset();
        tokens = 0;
        documents = 0;
    }

    private void finishShard() {
        flush();
        int payloadCrc = (int) crc.getValue();
        long payloadBytes = tokens * kind.tokenBytes();
        out.write(
                ByteBuffer.allocate((int) (TokenShard.indexAt(payloadBytes) - TokenShard.HEADER_BYTES - payloadBytes)));
        crc.reset();
        for (int i = 0; i < documents; i++) {
            if (buffer.remaining() < Long.BYTES) {
                flush();
            }
            buffer.putLong(starts[i]);
        }
        flush();
        ByteBuffer header = ByteBuffer.allocate(TokenShard.HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        header.putLong(TokenShard.MAGIC)
                .putInt(TokenShard.VERSION)
                .putInt(kind.tokenBytes())
                .putLong(tokens)
                .putLong(documents)
                .put(HexFormat.of().parseHex(kind.tokenizer()))
                .putInt(payloadCrc)
                .putInt((int) crc.getValue());
        crc.reset();
        crc.update(header.array(), 0, TokenShard.HEADER_CRC_AT);
        header.putInt(TokenShard.HEADER_CRC_AT, (int) crc.getValue());
        out.write(header.rewind(), 0);
        writeNames();
        out.commit();
        out = null;
        shards.add(new Manifest.Shard(fileName(), tokens, documents, "%08x".formatted(payloadCrc)));
    }

    private void writeNames() {
        try (OutputFile file = new OutputFile(TokenShard.namesFile(folder.resolve(fileName())))) {
            file.write(ByteBuffer.wrap(names.toString().getBytes(StandardCharsets.UTF_8)));
            file.commit();
        }
        names.setLength(0);
    }

    private String fileName() {
        return "%05d.tok".formatted(shards.size());
    }

    /// Finishes the last shard and returns the manifest, which is not written yet.
    Manifest finish() {
        if (out != null) {
            finishShard();
        }
        return new Manifest(
                Manifest.FORMAT,
                Manifest.VERSION,
                recipe,
                kind.tokenizer(),
                kind.vocabSize(),
                kind.endOfText(),
                kind.tokenBytes(),
                shards.stream().mapToLong(Manifest.Shard::tokens).sum(),
                shards.stream().mapToLong(Manifest.Shard::documents).sum(),
                textBytes,
                List.copyOf(shards));
    }

    @Override
    public void close() {
        if (out != null) {
            out.close();
        }
    }
}
