package org.quern.interop;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.CheckpointFile;
import org.quern.checkpoint.Checkpoints;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.Safetensors;
import org.quern.executor.TensorStore;
import org.quern.model.Model;
import org.quern.model.ModelConfig;
import org.quern.model.ModelConfig.Architecture;
import org.quern.tokenizer.Tokenizer;

/// A model as a folder in Hugging Face's layout: `config.json`, `model.safetensors` (or its parts and
/// `model.safetensors.index.json`), and maybe `tokenizer.json` and `generation_config.json`. A checkpoint of
/// Quern is such a folder with more in it.
public final class HuggingFaceFolder {
    private static final String CONFIG = "config.json";
    private static final String GENERATION_CONFIG = "generation_config.json";
    private static final String TOKENIZER = "tokenizer.json";

    private final Path folder;
    private final ModelConfig config;

    /// Finds the model that a person means.
    ///
    /// @param place the folder of a run (then its newest whole checkpoint), of a checkpoint, or of a model
    /// @throws QuernException if there is none, or a checkpoint that is named is not whole
    public static HuggingFaceFolder find(Path place) {
        Path checkpoints = place.resolve("checkpoints");
        if (Files.isDirectory(checkpoints)) {
            return new HuggingFaceFolder(Checkpoints.newestValid(checkpoints)
                    .orElseThrow(() -> QuernException.data(
                            "%s: expected a checkpoint of the run, found none yet".formatted(checkpoints)))
                    .folder());
        }
        if (Files.exists(place.resolve(Checkpoint.MANIFEST))) {
            return new HuggingFaceFolder(Checkpoint.open(place).folder());
        }
        return new HuggingFaceFolder(place);
    }

    /// Reads the shape of the model.
    ///
    /// @throws QuernException if the folder holds no model, or none that Quern has
    public HuggingFaceFolder(Path folder) {
        this.folder = folder;
        if (!Files.isRegularFile(folder.resolve(CONFIG))) {
            throw QuernException.data(
                    "%s: expected the folder of a run, a checkpoint or a model with its %s, found none"
                            .formatted(folder, CONFIG));
        }
        config = HuggingFaceConfig.read(folder.resolve(CONFIG));
    }

    public Path path() {
        return folder;
    }

    public ModelConfig config() {
        return config;
    }

    /// The tokens at which generation ends, as the folder has them.
    public Set<Integer> endTokens() {
        Set<Integer> tokens = new TreeSet<>(HuggingFaceConfig.endTokens(folder.resolve(CONFIG)));
        Path generation = folder.resolve(GENERATION_CONFIG);
        if (Files.exists(generation)) {
            tokens.addAll(HuggingFaceConfig.endTokens(generation));
        }
        return tokens;
    }

    /// What makes a folder with a `model.safetensors` loadable by transformers and by Quern: `config.json`,
    /// `generation_config.json`, and with a tokenizer `tokenizer.json` and `tokenizer_config.json`.
    public static List<CheckpointFile> files(ModelConfig config, Optional<Tokenizer> tokenizer) {
        OptionalInt end = tokenizer.map(Tokenizer::endOfText).orElse(OptionalInt.empty());
        OptionalInt begin = tokenizer.map(Tokenizer::beginOfText).orElse(OptionalInt.empty());
        OptionalInt start = begin.isPresent() ? begin : end;
        List<CheckpointFile> files = new ArrayList<>();
        files.add(CheckpointFile.json(CONFIG, HuggingFaceConfig.write(config, start, end)));
        files.add(CheckpointFile.json(GENERATION_CONFIG, HuggingFaceConfig.writeGeneration(start, end)));
        tokenizer.ifPresent(present -> {
            files.add(CheckpointFile.text(TOKENIZER, present.toJson()));
            files.add(
                    CheckpointFile.text("tokenizer_config.json", present.toConfigJson(config.maxPositionEmbeddings())));
        });
        return files;
    }

    /// The tokenizer of the folder.
    ///
    /// @throws QuernException if it has none, or one that is not byte-level BPE
    public Tokenizer tokenizer() {
        return Tokenizer.read(folder.resolve(TOKENIZER));
    }

    /// Puts the weights on a device.
    ///
    /// @param model of this folder's config
    /// @throws QuernException naming all tensors that are missing, unknown or misshaped
    public void load(Model model, TensorStore tensors) {
        try (Arena arena = Arena.ofConfined()) {
            ModelWeights.push(model, tensors, folder.toString(), weights(arena));
        }
    }

    /// Maps the weights into memory, under the names that transformers writes today. Left out is what is no
    /// weight: masks and frequencies that old versions saved, and the output layer where it is the embedding.
    List<NamedTensor> weights(Arena arena) {
        if (!Files.exists(folder.resolve("model.safetensors")) && Files.exists(folder.resolve("pytorch_model.bin"))) {
            throw QuernException.data(
                    "%s: expected model.safetensors, found pytorch_model.bin: save it with safe_serialization=True"
                            .formatted(folder));
        }
        String prefix = config.architecture() == Architecture.GPT2 ? "transformer." : "model.";
        List<NamedTensor> canonical = new ArrayList<>();
        for (NamedTensor tensor : Safetensors.readFolder(folder, Checkpoint.MODEL, arena)) {
            String name = tensor.name();
            boolean head = name.equals("lm_head.weight");
            boolean buffer = name.endsWith(".attn.bias")
                    || name.endsWith(".attn.masked_bias")
                    || name.endsWith(".rotary_emb.inv_freq");
            if (buffer || head && config.tieWordEmbeddings()) {
                continue;
            }
            boolean complete = head || name.startsWith(prefix);
            canonical.add(
                    new NamedTensor(complete ? name : prefix + name, tensor.dtype(), tensor.shape(), tensor.data()));
        }
        return canonical;
    }
}
