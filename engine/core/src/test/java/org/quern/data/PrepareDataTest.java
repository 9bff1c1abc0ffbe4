package org.quern.data;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.data.PrepareData.Validation;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.SplitPattern;
import org.quern.tokenizer.Tokenizer;

class PrepareDataTest {
    /// No merges.
    private static final Tokenizer BYTES = new BpeTrainer(SplitPattern.GPT2, 257, List.of("<|endoftext|>"), 1)
            .train(Collections.emptyIterator(), (_, _) -> {});

    private static final Validation TENTH = new Validation.Fraction(0.1, 42);

    @TempDir
    Path folder;

    private Path corpus;
    private Path out;

    @BeforeEach
    void writeCorpus() throws IOException {
        StringBuilder text = new StringBuilder();
        Random random = new Random(1);
        for (int document = 0; document < 300; document++) {
            text.append("{\"text\":\"%d %s\",\"title\":\"title %d\"}\n"
                    .formatted(document, "abc ".repeat(1 + random.nextInt(2000)), document));
        }
        corpus = Files.write(
                folder.resolve("corpus.jsonl.gz"),
                CorpusReaderTest.gzip(text.toString().getBytes(UTF_8)));
        out = folder.resolve("out");
    }

    @Test
    void putsEveryDocumentOnOneSide() {
        TokenizedCorpus made = prepare(1, TENTH);
        List<String> documents = new ArrayList<>(documents(made.train()));
        List<String> heldOut = documents(made.validation().orElseThrow());
        assertThat(heldOut).hasSizeBetween(15, 50);
        documents.addAll(heldOut);
        assertThat(documents).hasSize(300).doesNotHaveDuplicates();
        assertThat(made.train().documents().getAsLong()
                        + made.validation().orElseThrow().documents().getAsLong())
                .isEqualTo(300);
        assertThat(made.train().documents(LongStream.of(0), 1).getFirst()).matches("corpus.jsonl.gz:(\\d+) title \\d+");
    }

    @Test
    void makesTheSameBytesWithAnyNumberOfThreads() throws IOException {
        prepare(1, TENTH);
        Map<String, String> alone = contents();
        assertThat(alone).containsKeys("train/00000.tok", "train/00003.tok", "validation/manifest.json");
        for (int threads : new int[] {2, 8}) {
            Files.delete(out.resolve("train/manifest.json"));
            prepare(threads, TENTH);
            assertThat(contents()).isEqualTo(alone);
        }
    }

    @Test
    void splitsByTextAndSeedOnly() throws IOException {
        List<String> before = documents(prepare(1, TENTH).validation().orElseThrow());
        Path more = Files.writeString(folder.resolve("a.jsonl"), "{\"text\":\"another\"}\n{\"text\":\"one\"}\n");
        List<String> after = documents(new PrepareData(BYTES, out, 2, (_, _) -> {})
                .prepare(files(more, corpus), TENTH)
                .validation()
                .orElseThrow());
        assertThat(after).containsAll(before);
        assertThat(documents(prepare(1, new Validation.Fraction(0.1, 43))
                        .validation()
                        .orElseThrow()))
                .isNotEqualTo(before);
    }

    @Test
    void leavesNoSideEmpty() throws IOException {
        corpus = Files.writeString(folder.resolve("few.txt"), "one\ftwo\fthree");
        for (double fraction : new double[] {1e-9, 1 - 1e-9}) {
            TokenizedCorpus made = prepare(1, new Validation.Fraction(fraction, 1));
            long few = fraction < 0.5 ? 1 : 2;
            assertThat(made.validation().orElseThrow().documents()).hasValue(few);
            assertThat(made.train().documents()).hasValue(3 - few);
        }
    }

    @Test
    void rejectsWhatCannotBeSplit() throws IOException {
        corpus = Files.writeString(folder.resolve("one.txt"), "only one document");
        assertData(() -> prepare(1, TENTH))
                .hasMessageStartingWith("[" + corpus + "]: expected at least two different documents to split into "
                        + "training and validation, found 1");
        corpus = Files.writeString(folder.resolve("none.txt"), "");
        assertData(() -> prepare(1, TENTH)).hasMessageContaining("found 0");
        corpus = Files.writeString(folder.resolve("same.txt"), "a\fa\fa");
        assertData(() -> prepare(1, TENTH)).hasMessageContaining("two different documents");
        assertThatThrownBy(() -> new Validation.Fraction(1, 1))
                .hasMessage("fraction must be above 0 and below 1: got 1.0");
        assertThatThrownBy(() -> new Validation.Fraction(Double.NaN, 1))
                .hasMessage("fraction must be above 0 and below 1: got NaN");
    }

    @Test
    void takesValidationFromOtherFiles() throws IOException {
        Path other = Files.writeString(folder.resolve("other.txt"), "held out");
        TokenizedCorpus made = prepare(2, new Validation.Others(files(other)));
        assertThat(documents(made.validation().orElseThrow())).containsExactly("held out");
        assertThat(documents(made.train())).hasSize(300);
        Path empty = Files.writeString(folder.resolve("empty.txt"), "");
        assertData(() -> prepare(2, new Validation.Others(files(empty))))
                .hasMessage("[" + empty + "]: expected documents, found none that is not empty");
    }

    @Test
    void makesNothingTwice() throws IOException {
        AtomicInteger calls = new AtomicInteger();
        PrepareData.Progress progress = (done, total) -> {
            calls.incrementAndGet();
            assertThat(done).isBetween(0L, total);
        };
        PrepareData prepare = new PrepareData(BYTES, out, 2, progress);
        prepare.prepare(files(corpus), TENTH);
        assertThat(calls.getAndSet(0)).isPositive();
        prepare.prepare(files(corpus), TENTH);
        assertThat(calls).hasValue(0);
        prepare.prepare(files(corpus), new Validation.Fraction(0.2, 42));
        assertThat(calls.getAndSet(0)).isPositive();
        Files.write(corpus, CorpusReaderTest.gzip("{\"text\":\"a\"}\n{\"text\":\"b\"}\n".getBytes(UTF_8)));
        prepare.prepare(files(corpus), new Validation.Fraction(0.2, 42));
        assertThat(calls.getAndSet(0)).isPositive();
    }

    @Test
    void removesWhatAnInterruptedRunLeft() throws IOException {
        prepare(1, TENTH);
        Map<String, String> whole = contents();
        Files.delete(out.resolve("train/manifest.json"));
        Files.writeString(out.resolve("train/00000.tok"), "half");
        Files.writeString(out.resolve("train/00917.tok"), "of a larger corpus");
        Files.writeString(out.resolve("train/00917.names"), "");
        Files.writeString(out.resolve("train/00918.tok.tmp"), "half");
        Files.writeString(out.resolve("validation/manifest.json.tmp"), "{");
        Files.writeString(out.resolve("validation/notes.txt"), "not ours");
        prepare(2, TENTH);
        Map<String, String> again = contents();
        assertThat(again.remove("validation/notes.txt")).isNotNull();
        assertThat(again).isEqualTo(whole);
    }

    @Test
    void saysHowToHealWhatItMade() throws IOException {
        prepare(1, TENTH);
        Path shard = out.resolve("train/00001.tok");
        byte[] bytes = Files.readAllBytes(shard);
        bytes[500] ^= 1;
        Files.delete(shard);
        Files.write(shard, bytes);
        String advice = " (delete " + out + " to have it made from the text again)";
        assertData(() -> prepare(1, TENTH))
                .hasMessageStartingWith(shard + ": expected CRC32C ")
                .hasMessageEndingWith(advice);
        Files.delete(shard);
        assertData(() -> prepare(1, TENTH))
                .hasMessage(shard + ": expected a file of tokens, found no such file" + advice);
        Files.writeString(out.resolve("train/manifest.json"), "{");
        assertData(() -> prepare(1, TENTH))
                .hasMessageStartingWith(out.resolve("train/manifest.json") + ": expected a JSON object")
                .hasMessageEndingWith(advice);
    }

    @Test
    void leavesNoManifestWhenTheCorpusIsBroken() throws IOException {
        Path broken = Files.writeString(folder.resolve("broken.jsonl"), "{\"text\":\"a\"}\n{\n");
        PrepareData prepare = new PrepareData(BYTES, out, 2, (_, _) -> {}, 1000);
        assertData(() -> prepare.prepare(files(corpus, broken), TENTH)).hasMessageContaining("broken.jsonl:2");
        assertThat(out.resolve("train/manifest.json")).doesNotExist();
        assertThat(out.resolve("validation/manifest.json")).doesNotExist();
        try (Stream<Path> files = Files.walk(out)) {
            assertThat(files).noneMatch(file -> file.toString().endsWith(".tmp"));
        }
    }

    @Test
    void rejectsATokenizerWithoutEndOfText() {
        Tokenizer tokenizer = new BpeTrainer(SplitPattern.GPT2, 257, List.of("<|other|>"), 1)
                .train(Collections.emptyIterator(), (_, _) -> {});
        assertData(() -> new PrepareData(tokenizer, out, 2, (_, _) -> {}))
                .hasMessageStartingWith(
                        "the tokenizer must have an end-of-text token to put between documents: found none");
    }

    private TokenizedCorpus prepare(int threads, Validation validation) {
        return new PrepareData(BYTES, out, threads, (_, _) -> {}, 300_000).prepare(files(corpus), validation);
    }

    /// All files of the output but the lock, as hexadecimal hashes.
    private Map<String, String> contents() throws IOException {
        Map<String, String> contents = new TreeMap<>();
        try (Stream<Path> files = Files.walk(out)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                contents.put(out.relativize(file).toString(), HexFormat.of().formatHex(Sha256.of(file)));
            }
        }
        return contents;
    }

    private static List<String> documents(TokenShards shards) {
        List<String> documents = new ArrayList<>();
        int[] tokens = LlmcShardsTest.tokens(shards);
        int start = 0;
        for (int i = 0; i <= tokens.length; i++) {
            if (i == tokens.length || tokens[i] == BYTES.endOfText().getAsInt()) {
                documents.add(BYTES.decode(Arrays.copyOfRange(tokens, start, i)));
                start = i + 1;
            }
        }
        return documents.subList(1, documents.size());
    }

    private static AbstractThrowableAssert<?, ? extends Throwable> assertData(ThrowingCallable call) {
        return assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DATA));
    }

    private static DocumentSource files(Path... files) {
        return new DocumentSource.TextFiles(List.of(files));
    }
}
