package org.quern.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.base.QuernException;

class BatchesTest {
    @TempDir
    Path folder;

    /// Against windows cut from one array, with the documents marked by a plain loop.
    @ParameterizedTest
    @CsvSource({
        "1, 257, 50, true",
        "7, 257, 13, true",
        "13, 70000, 40, true",
        "207, 257, 64, true",
        "64, 70000, 1000000, true",
        "1, 70000, 50, false",
        "7, 257, 13, false",
        "13, 257, 40, false",
        "64, 257, 1000000, false",
    })
    void fillsWhatAPlainLoopWould(int sequenceLength, int vocabSize, long shardTokens, boolean documentMask) {
        TokenKind kind = new TokenKind(TokenShardsTest.KIND.tokenizer(), vocabSize, vocabSize - 1);
        Random random = new Random(sequenceLength);
        List<Integer> all = new ArrayList<>();
        List<Integer> documentOf = new ArrayList<>();
        TokenShards shards = randomShards(kind, random, shardTokens, all, documentOf);
        long samples = (all.size() - 1) / sequenceLength;
        assertThat(Batches.samples(shards, sequenceLength)).isEqualTo(samples);
        SampleOrder order = SampleOrder.shuffled(samples, 11);
        Batches batches = new Batches(shards, order, sequenceLength, documentMask);
        int rows = 3;
        for (long first = 0; first < samples + 5; first += rows) {
            int[][] filled = fill(batches, first, rows, sequenceLength);
            for (int row = 0; row < rows; row++) {
                int window = (int) order.place(first + row) * sequenceLength;
                int[][] expected = new int[4][sequenceLength];
                int start = 0;
                for (int t = 0; t < sequenceLength; t++) {
                    if (documentMask && t > 0 && !documentOf.get(window + t).equals(documentOf.get(window + t - 1))) {
                        start = t;
                    }
                    expected[0][t] = all.get(window + t);
                    expected[1][t] = all.get(window + t + 1);
                    expected[2][t] = t - start;
                    expected[3][t] = start;
                }
                for (int i = 0; i < 4; i++) {
                    int from = row * sequenceLength;
                    assertThat(Arrays.copyOfRange(filled[i], from, from + sequenceLength))
                            .isEqualTo(expected[i]);
                }
                List<String> names = documentOf.subList(window, window + sequenceLength + 1).stream()
                        .distinct()
                        .map(document -> "document " + document)
                        .toList();
                assertThat(batches.documents(first + row, 1)).isEqualTo(names);
            }
        }
    }

    @Test
    void isTheSameHoweverAStepIsDivided() {
        TokenShards shards =
                randomShards(TokenShardsTest.KIND, new Random(3), 100, new ArrayList<>(), new ArrayList<>());
        Batches batches = new Batches(shards, SampleOrder.shuffled(Batches.samples(shards, 8), 1), 8, true);
        int[][] whole = fill(batches, 100, 12, 8);
        for (int part : new int[] {1, 2, 3, 4, 6}) {
            int[][] joined = new int[4][12 * 8];
            for (int first = 0; first < 12; first += part) {
                int[][] piece = fill(batches, 100 + first, part, 8);
                for (int i = 0; i < 4; i++) {
                    System.arraycopy(piece[i], 0, joined[i], first * 8, part * 8);
                }
            }
            assertThat(joined).isDeepEqualTo(whole);
        }
    }

    /// Each source's samples in the order that it has alone, one source after the other as the mixture says.
    @Test
    void takesTheSourcesOfAMixtureInTurns() throws IOException {
        List<Batches.Source> sources = new ArrayList<>();
        List<Batches> alone = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Path own = Files.createDirectory(folder.resolve("source" + i));
            TokenShards shards =
                    randomShards(own, TokenShardsTest.KIND, new Random(i), 100, new ArrayList<>(), new ArrayList<>());
            SampleOrder order = SampleOrder.shuffled(Batches.samples(shards, 8), Mixture.seedOfSource(5, i));
            sources.add(new Batches.Source(shards, order));
            alone.add(new Batches(shards, order, 8, true));
        }
        Mixture mixture = new Mixture(
                4,
                List.of(
                        new Mixture.Phase(0, 0, List.of(5.0, 3.0, 2.0)),
                        new Mixture.Phase(20, 30, List.of(0.0, 1.0, 9.0))));
        Batches mixed = new Batches(sources, mixture, 8, true);
        int[] next = new int[3];
        for (int sample = 0; sample < 1000; sample++) {
            int source = mixture.source(sample);
            assertThat(fill(mixed, sample, 1, 8)).isDeepEqualTo(fill(alone.get(source), next[source], 1, 8));
            assertThat(mixed.documents(sample, 1)).isEqualTo(alone.get(source).documents(next[source], 1));
            next[source]++;
        }
    }

    @Test
    void rejectsACorpusShorterThanASample() {
        TokenShardWriter writer = new TokenShardWriter(folder, TokenShardsTest.KIND, "r", 100);
        writer.add("one", new int[7], 7);
        writer.finish().write(folder);
        TokenShards shards = TokenShards.open(folder, TokenShardsTest.KIND.tokenizer());
        assertThat(Batches.samples(shards, 7)).isEqualTo(1);
        assertThatThrownBy(() -> Batches.samples(shards, 8))
                .isInstanceOf(QuernException.class)
                .hasMessage(folder + ": expected at least 9 tokens for one sample of sequence_length 8, found 8");
    }

    private static int[][] fill(Batches batches, long first, int count, int sequenceLength) {
        int[][] arrays = new int[4][count * sequenceLength];
        batches.fill(
                first,
                count,
                MemorySegment.ofArray(arrays[0]),
                MemorySegment.ofArray(arrays[1]),
                MemorySegment.ofArray(arrays[2]),
                MemorySegment.ofArray(arrays[3]));
        return arrays;
    }

    private TokenShards randomShards(
            TokenKind kind, Random random, long shardTokens, List<Integer> all, List<Integer> documentOf) {
        return randomShards(folder, kind, random, shardTokens, all, documentOf);
    }

    private static TokenShards randomShards(
            Path folder, TokenKind kind, Random random, long shardTokens, List<Integer> all, List<Integer> documentOf) {
        TokenShardWriter writer = new TokenShardWriter(folder, kind, "r", shardTokens);
        for (int document = 0; document < 60; document++) {
            int length = random.nextInt(4) == 0 ? 0 : random.nextInt(60);
            int[] tokens = random.ints(length, 0, kind.endOfText()).toArray();
            writer.add("document " + document, tokens, length);
            all.add(kind.endOfText());
            for (int token : tokens) {
                all.add(token);
            }
            while (documentOf.size() < all.size()) {
                documentOf.add(document);
            }
        }
        writer.finish().write(folder);
        return TokenShards.open(folder, TokenShardsTest.KIND.tokenizer());
    }
}
