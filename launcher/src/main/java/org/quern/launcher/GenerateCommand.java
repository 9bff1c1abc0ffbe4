package org.quern.launcher;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.executor.Devices;
import org.quern.executor.Executor;
import org.quern.executor.KernelProvider;
import org.quern.generate.FinishReason;
import org.quern.generate.Generation;
import org.quern.generate.Generator;
import org.quern.generate.GraphDecoder;
import org.quern.generate.Sampler;
import org.quern.gpu.DeviceProperties;
import org.quern.interop.HuggingFaceFolder;
import org.quern.model.Model;
import org.quern.tokenizer.Tokenizer;
import org.quern.train.Units;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// `quern generate`: continues a text. The text goes to standard output while it grows, figures to standard error.
@Command(name = "generate", description = "Continues a text with a trained model.", showDefaultValues = true)
final class GenerateCommand implements Callable<Integer> {
    /// More would need more memory than they save time.
    private static final int MAX_BATCH = 8;

    @Parameters(
            paramLabel = "MODEL",
            description = "The folder of a run, of a checkpoint, or of a Hugging Face model (GPT-2, Llama, Mistral)."
                    + StoredPlace.DESCRIPTION)
    private String place;

    @ArgGroup
    private Prompt prompt = new Prompt();

    /// What to continue; nothing: a new document.
    private static final class Prompt {
        @Option(names = "--prompt", paramLabel = "TEXT", description = "What to continue. Without it: a new document.")
        private String text = "";

        @Option(names = "--prompt-file", paramLabel = "FILE", description = "The same from a file in UTF-8.")
        private Path file;

        String read() throws IOException {
            return file == null ? text : read(file);
        }

        private static String read(Path file) throws IOException {
            ByteBuffer bytes;
            try {
                bytes = ByteBuffer.wrap(Files.readAllBytes(file));
            } catch (NoSuchFileException _) {
                throw QuernException.data("%s: expected a text in UTF-8, found no such file".formatted(file));
            }
            CharBuffer chars = CharBuffer.allocate(bytes.remaining());
            if (StandardCharsets.UTF_8.newDecoder().decode(bytes, chars, true).isError()) {
                throw QuernException.data("%s: expected a text in UTF-8, found 0x%02X at byte %d"
                        .formatted(file, bytes.get(bytes.position()), bytes.position()));
            }
            return chars.flip().toString();
        }
    }

    @Option(names = "--max-tokens", paramLabel = "N", description = "The most tokens to add.")
    private int maxTokens = 100;

    @Option(names = "--num-samples", paramLabel = "N", description = "How many continuations.")
    private int samples = 1;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            description = "Above 1: more surprising, below: less; 0: always the likeliest token.")
    private double temperature = 0.8;

    @Option(names = "--top-k", paramLabel = "N", description = "Draw from the N likeliest tokens only; 0: from all.")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            description = "Draw from the likeliest tokens that together have the probability P only.")
    private double topP = 1;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            description = "Draw from tokens only that are at least P times as likely as the likeliest.")
    private double minP;

    @Option(names = "--seed", paramLabel = "S", description = "Another seed draws another text.")
    private long seed = 1;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            converter = DeviceName.class,
            description = DeviceName.DESCRIPTION)
    private String device = Devices.AUTO;

    @Option(names = "--json", description = "Print one line of JSON at the end instead of the text.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        return StoredPlace.with(place, this::generate);
    }

    private int generate(Path place) throws IOException {
        Generator.Settings settings =
                new Generator.Settings(maxTokens, samples, new Sampler.Settings(temperature, topK, topP, minP, seed));
        String text = prompt.read();
        HuggingFaceFolder folder = HuggingFaceFolder.find(place);
        Tokenizer tokenizer = folder.tokenizer();
        Model model = Model.of(folder.config());
        // The cache has room for what was asked for, not for all that the model could read.
        long wanted = Math.max(1L, tokenizer.encodePrompt(text).length) + maxTokens;
        int context = (int) Math.min(model.config().maxPositionEmbeddings(), wanted);
        int batch = Math.min(samples, MAX_BATCH);
        int threads = Runtime.getRuntime().availableProcessors();
        try (Executor executor = Devices.open(device, threads, KernelProvider.PTX, false)) {
            requireMemory(executor.gpu(), folder, model, batch, context);
            GraphDecoder decoder = new GraphDecoder(executor, model, batch, context);
            folder.load(model, executor.tensors());
            Generator generator = new Generator(decoder, tokenizer, folder.endTokens());
            PrintStream out = System.out;
            if (json) {
                Generation generation = generator.generate(text, settings, (_, _) -> {});
                out.println(json(folder, text, generation));
            } else {
                show(out, text, generator.generate(text, settings, new FirstText(out, text)));
            }
        }
        return ExitCode.OK.code();
    }

    private static void requireMemory(
            Optional<DeviceProperties> gpu, HuggingFaceFolder folder, Model model, int batch, int context) {
        long needed = GraphDecoder.bytes(gpu, model, batch, context);
        long there = gpu.map(DeviceProperties::memoryBytes)
                .orElseGet(ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class)::getTotalMemorySize);
        if (needed > there) {
            throw QuernException.data(
                    "%s takes %s of memory for %d texts of %d tokens, %s has %s: a smaller model fits, or maybe a lower --max-tokens or --num-samples"
                            .formatted(
                                    folder.path(),
                                    Units.bytes(needed),
                                    batch,
                                    context,
                                    gpu.map(DeviceProperties::name).orElse("this machine"),
                                    Units.bytes(there)));
        }
    }

    /// Prints the first text while it grows: the others grow at the same time.
    private record FirstText(PrintStream out, String prompt) implements Generator.Listener {
        FirstText {
            out.print(prompt);
            out.flush();
        }

        @Override
        public void text(int sample, String piece) {
            if (sample == 0) {
                out.print(piece);
                out.flush();
            }
        }

        /// Whoever reads the output has left.
        @Override
        public boolean isCancelled() {
            return out.checkError();
        }
    }

    private void show(PrintStream out, String prompt, Generation generation) {
        out.println();
        for (int i = 1; i < samples; i++) {
            out.printf("%n--- %d of %d ---%n", i + 1, samples);
            out.println(prompt + generation.completions().get(i).text());
        }
        out.flush();
        Terminal.error()
                .print("%d tokens at %.1f a second, after a prompt of %d in %.2f s (seed %d); ended by %s"
                        .formatted(
                                generation.tokens(),
                                generation.tokensPerSecond(),
                                generation.promptTokens(),
                                generation.prefillSeconds(),
                                seed,
                                generation.completions().stream()
                                        .map(text -> reason(text.finishReason()))
                                        .distinct()
                                        .collect(Collectors.joining(" or "))));
    }

    private static String reason(FinishReason reason) {
        return switch (reason) {
            case STOP -> "the end of the text";
            case LENGTH -> "--max-tokens";
            case CONTEXT -> "the model's context, which is full";
            case CANCELLED -> "the reader of the output";
        };
    }

    private String json(HuggingFaceFolder folder, String prompt, Generation generation) {
        ObjectNode root = Json.MAPPER.createObjectNode();
        root.put("model", folder.path().toString());
        root.put("prompt", prompt);
        root.put("prompt_tokens", generation.promptTokens());
        root.put("seed", seed);
        ArrayNode texts = root.putArray("samples");
        for (Generation.Completion completion : generation.completions()) {
            ObjectNode text = texts.addObject();
            text.put("text", completion.text());
            text.putPOJO("tokens", completion.tokens());
            text.put("finish_reason", completion.finishReason().name().toLowerCase(Locale.ROOT));
        }
        root.put("prefill_seconds", generation.prefillSeconds());
        root.put("decode_seconds", generation.decodeSeconds());
        root.put("tokens_per_second", generation.tokensPerSecond());
        return Json.MAPPER.writeValueAsString(root);
    }
}
