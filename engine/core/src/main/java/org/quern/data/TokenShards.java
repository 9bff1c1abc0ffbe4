package org.quern.data;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/// The tokens of one split: memory-mapped shards read as one line of tokens. May be used by several threads. The
/// mappings end when the garbage collector finds them unused.
///
/// Opening checks that everything is there, belongs together and fits the tokenizer; [#verify] reads all of it. A
/// token outside the vocabulary never gets out of [#copy]. What is wrong is a [QuernException] (data) that names the
/// file.
public final class TokenShards {
    private final String name;
    private final List<TokenShard> shards;
    /// The first token of each shard, then the number of all.
    private final long[] starts;
    private final TokenKind kind;
    /// Whether these are our shards, with checksums and an index.
    private final boolean ours;

    private TokenShards(String name, List<TokenShard> shards, TokenKind kind, boolean ours) {
        this.name = name;
        this.shards = List.copyOf(shards);
        this.kind = kind;
        this.ours = ours;
        starts = new long[shards.size() + 1];
        for (int i = 0; i < shards.size(); i++) {
            starts[i + 1] = starts[i] + shards.get(i).tokens();
        }
    }

    /// Opens a folder of our shards with its `manifest.json`.
    ///
    /// @param tokenizerHash SHA-256 of the tokenizer that the tokens must come from
    static TokenShards open(Path folder, String tokenizerHash) {
        Manifest manifest = Manifest.read(folder);
        Path manifestFile = folder.resolve(Manifest.FILE);
        if (!manifest.tokenizer().equals(tokenizerHash)) {
            throw TokenShard.wrong(
                    manifestFile,
                    "tokens of tokenizer " + tokenizerHash,
                    manifest.tokenizer() + ": prepare the data with this tokenizer, or give the other one");
        }
        List<TokenShard> shards = new ArrayList<>();
        for (Manifest.Shard entry : manifest.shards()) {
            TokenShard shard = TokenShard.open(folder.resolve(entry.file()), tokenizerHash);
            TokenShard.expect(
                    shard.file(), "tokens as %s says,".formatted(manifestFile), entry.tokens(), shard.tokens());
            TokenShard.expect(
                    shard.file(),
                    "documents as %s says,".formatted(manifestFile),
                    entry.documents(),
                    shard.documents());
            String crc = "%08x".formatted(shard.crc());
            if (!crc.equals(entry.crc32c())) {
                throw TokenShard.wrong(
                        shard.file(),
                        "tokens with the CRC32C %s that %s says".formatted(entry.crc32c(), manifestFile),
                        crc + ": the file belongs to other data");
            }
            shards.add(shard);
        }
        return new TokenShards(folder.toString(), shards, manifest.kind(), true);
    }

    /// Opens files of llm.c as one split, in this order.
    ///
    /// @param files at least one
    /// @param vocabSize tokens must be below this
    /// @param endOfText the token at which a document begins
    static TokenShards openLlmc(List<Path> files, int vocabSize, int endOfText) {
        List<TokenShard> shards = files.stream().map(LlmcShards::open).toList();
        String name = files.size() == 1
                ? files.getFirst().toString()
                : files.getFirst() + " and " + (files.size() - 1) + " more";
        return new TokenShards(name, shards, new TokenKind("", vocabSize, endOfText), false);
    }

    /// Where the tokens are, for messages.
    public String name() {
        return name;
    }

    public long tokens() {
        return starts[shards.size()];
    }

    /// Documents, where an index tells: llm.c's files have none.
    public OptionalLong documents() {
        return ours
                ? OptionalLong.of(
                        shards.stream().mapToLong(TokenShard::documents).sum())
                : OptionalLong.empty();
    }

    /// Bytes of token files.
    public long bytes() {
        return shards.stream().mapToLong(shard -> shard.payload().byteSize()).sum();
    }

    TokenKind kind() {
        return kind;
    }

    /// The fingerprint of several splits in this order; of one, its own.
    public static String fingerprint(List<TokenShards> splits) {
        if (splits.size() == 1) {
            return splits.getFirst().fingerprint();
        }
        String all = splits.stream().map(TokenShards::fingerprint).collect(Collectors.joining("\n"));
        return HexFormat.of().formatHex(Sha256.of(all.getBytes(StandardCharsets.UTF_8)));
    }

    /// SHA-256 of what tells these tokens from others, for a resumed run to compare: the checksums of our shards;
    /// sizes and ends of llm.c's files.
    public String fingerprint() {
        StringBuilder text = new StringBuilder();
        for (TokenShard shard : shards) {
            text.append(shard.tokenBytes()).append(' ').append(shard.tokens()).append(' ');
            if (ours) {
                text.append(shard.crc());
            } else {
                long bytes = shard.payload().byteSize();
                long end = Math.min(bytes, 1 << 20);
                text.append(TokenShard.crc(shard.payload().asSlice(0, end))).append(' ');
                text.append(TokenShard.crc(shard.payload().asSlice(bytes - end)));
            }
            text.append('\n');
        }
        return HexFormat.of().formatHex(Sha256.of(text.toString().getBytes(StandardCharsets.UTF_8)));
    }

    /// Reads everything once: our checksums, and the vocabulary in llm.c's files. `progress` receives the bytes read
    /// so far after each shard.
    public void verify(LongConsumer progress) {
        long done = 0;
        for (TokenShard shard : shards) {
            if (ours) {
                TokenShard.expectCrc(shard.file(), "tokens", shard.crc(), TokenShard.crc(shard.payload()));
            } else {
                shard.checkVocabulary(0, shard.tokens(), kind.vocabSize());
            }
            done += shard.payload().byteSize();
            progress.accept(done);
        }
    }

    /// Copies tokens `[from, from + count)` to `target` as int32 from byte `offset`. Allocates nothing.
    public void copy(long from, long count, MemorySegment target, long offset) {
        long at = from;
        long end = from + count;
        for (int i = shardOf(from); at < end; i++) {
            long part = Math.min(end, starts[i + 1]) - at;
            shards.get(i).copy(at - starts[i], part, kind.vocabSize(), target, offset + (at - from) * Integer.BYTES);
            at += part;
        }
    }

    /// For people: the documents in windows of `count` tokens that begin at `windows`, in the order of the
    /// corpus. Their names, or places in llm.c's files.
    public List<String> documents(LongStream windows, long count) {
        TreeMap<Integer, TreeSet<Long>> found = new TreeMap<>();
        windows.forEach(from -> {
            long to = Math.min(from + count, tokens());
            int i = shardOf(from);
            for (long at = from; at < to; at = starts[++i]) {
                shards.get(i)
                        .documentsIn(at - starts[i], Math.min(to, starts[i + 1]) - starts[i])
                        .forEach(found.computeIfAbsent(i, _ -> new TreeSet<>())::add);
            }
        });
        List<String> documents = new ArrayList<>();
        found.forEach((shard, those) -> documents.addAll(shards.get(shard).describe(those)));
        return documents;
    }

    /// The last shard that begins at `position` or before, none of the empty ones.
    private int shardOf(long position) {
        int found = Arrays.binarySearch(starts, position);
        int shard = found < 0 ? -found - 2 : found;
        while (starts[shard + 1] == position) {
            shard++;
        }
        return shard;
    }
}
