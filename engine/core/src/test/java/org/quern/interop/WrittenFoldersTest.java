package org.quern.interop;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.base.Philox;
import org.quern.checkpoint.CheckpointCommitter;
import org.quern.checkpoint.CheckpointFile;
import org.quern.checkpoint.NamedTensor;
import org.quern.collective.Communicator;
import org.quern.collective.SingleCommunicator;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Activation;
import org.quern.model.ModelConfig.Architecture;
import org.quern.model.ModelConfig.RopeScaling;
import org.quern.tokenizer.BpeTrainer;
import org.quern.tokenizer.SplitPattern;
import org.quern.tokenizer.Tokenizer;

/// Checkpoints have the bytes of those in `golden/written`, which `check_written_folders.py` loads with transformers.
/// After a change on purpose: copy them from `target/written` and run the script.
class WrittenFoldersTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden/written");
    private static final Path WRITTEN = Path.of("target/written");
    private static final int VOCAB = 270;

    private final Arena arena = Arena.ofAuto();

    record Folder(String name, Architecture architecture, int slidingWindow, boolean tied, RopeScaling scaling) {
        ModelConfig config() {
            boolean gpt2 = architecture == Architecture.GPT2;
            return new ModelConfig(
                    architecture,
                    VOCAB,
                    8,
                    12,
                    2,
                    2,
                    gpt2 ? 2 : 1,
                    4,
                    64,
                    gpt2 ? Activation.GELU_TANH : Activation.SILU,
                    1e-5,
                    gpt2 ? 0 : 1000,
                    Optional.ofNullable(scaling),
                    slidingWindow,
                    tied,
                    0.02);
        }
    }

    static Stream<Folder> folders() {
        return Stream.of(
                new Folder("gpt2", Architecture.GPT2, 0, true, null),
                new Folder("llama", Architecture.LLAMA, 0, false, new RopeScaling(8, 1, 4, 32)),
                new Folder("mistral", Architecture.LLAMA, 5, true, null));
    }

    @ParameterizedTest
    @MethodSource("folders")
    void writesWhatTransformersLoads(Folder folder) throws IOException {
        ModelConfig config = folder.config();
        List<CheckpointFile> files = new ArrayList<>(HuggingFaceFolder.files(config, Optional.of(tokenizer())));
        files.add(new CheckpointFile.Tensors("model.safetensors", weights(config)));

        Path written = new CheckpointCommitter(
                        WRITTEN.resolve(folder.name()).resolve("checkpoints"),
                        1,
                        0,
                        new SingleCommunicator(Communicator.Place.HOST))
                .commit(0, files);

        Path golden = GOLDEN.resolve(folder.name());
        assertThat(names(written)).isEqualTo(names(golden));
        for (String name : names(golden)) {
            assertThat(written.resolve(name)).hasSameBinaryContentAs(golden.resolve(name));
        }
        HuggingFaceFolder read = new HuggingFaceFolder(golden);
        assertThat(read.config()).isEqualTo(config);
        assertThat(read.endTokens()).containsExactly(0);
        assertThat(read.tokenizer().hash()).isEqualTo(tokenizer().hash());
        assertThat(HuggingFaceFolder.find(WRITTEN.resolve(folder.name())).path())
                .isEqualTo(written);
        assertThat(HuggingFaceFolder.find(written).path()).isEqualTo(written);
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private static Tokenizer tokenizer() {
        byte[] text = "the cat and the dog and the cats; naïve café, naïve café".getBytes(StandardCharsets.UTF_8);
        return new BpeTrainer(SplitPattern.GPT2, VOCAB, List.of("<|endoftext|>"), 1)
                .train(List.of(text).iterator(), (_, _) -> {});
    }

    private List<NamedTensor> weights(ModelConfig config) {
        List<NamedTensor> weights = new ArrayList<>();
        for (var parameter : Model.of(config).parameters()) {
            for (var part : parameter.parts()) {
                long size = part.shape().size();
                MemorySegment data = arena.allocate(4 * size);
                for (long i = 0; i < size; i++) {
                    data.setAtIndex(JAVA_FLOAT, i, (float) (3 * Philox.uniform(1, 0, weights.size(), i) - 1.5));
                }
                long[] shape = part.shape().dims().stream()
                        .mapToLong(Integer::longValue)
                        .toArray();
                weights.add(NamedTensor.floats(part.name(), data, shape));
            }
        }
        return weights;
    }
}
