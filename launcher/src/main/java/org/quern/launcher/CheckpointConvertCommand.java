package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.quern.base.ExitCode;
import org.quern.checkpoint.NamedTensor;
import org.quern.checkpoint.TensorFiles;
import org.quern.interop.HuggingFaceFolder;
import org.quern.interop.WeightConversion;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/// `quern checkpoint convert`.
@Command(
        name = "convert",
        description = "Writes the model of a checkpoint as a folder of its own, without what only training needs.")
final class CheckpointConvertCommand implements Callable<Integer> {
    @Parameters(
            paramLabel = "MODEL",
            description = "A run, a checkpoint or a Hugging Face folder." + StoredPlace.DESCRIPTION)
    private String place;

    @Option(names = "--to", required = true, paramLabel = "FOLDER", description = "An empty or new folder.")
    private Path to;

    @Option(
            names = "--dtype",
            required = true,
            paramLabel = "TYPE",
            description = "Type of the weights: ${COMPLETION-CANDIDATES}.")
    private Type dtype;

    @Option(
            names = "--max-shard-size",
            paramLabel = "SIZE",
            converter = Size.class,
            description = "Size of a file of weights, such as 500MB or 4GiB; by default 4GiB.")
    private long maxShardSize = TensorFiles.MAX_BYTES;

    @Option(names = "--json", description = "Print the result as JSON.")
    private boolean json;

    /// The types of weights.
    enum Type {
        /// Two bytes, rounded.
        BF16,
        /// Four bytes.
        F32
    }

    /// A number of bytes with its unit.
    static final class Size implements ITypeConverter<Long> {
        private static final Pattern SIZE = Pattern.compile("(\\d{1,9})([KMG]i?)B");
        private static final Map<String, Long> UNITS =
                Map.of("K", 1000L, "M", 1000_000L, "G", 1000_000_000L, "Ki", 1L << 10, "Mi", 1L << 20, "Gi", 1L << 30);

        @Override
        public Long convert(String text) {
            Matcher size = SIZE.matcher(text);
            if (!size.matches()) {
                throw new TypeConversionException("expected a size such as 500MB or 4GiB, got " + text);
            }
            return Long.parseLong(size.group(1)) * UNITS.get(size.group(2));
        }
    }

    private record Result(String folder, int files, long bytes) {}

    @Override
    public Integer call() throws IOException {
        return StoredPlace.with(place, this::convert);
    }

    private int convert(Path model) {
        TensorFiles written = WeightConversion.convert(
                HuggingFaceFolder.find(model), to, NamedTensor.DType.valueOf(dtype.name()), maxShardSize);
        Result result = new Result(to.toString(), written.parts().size(), written.bytes());
        System.out.println(
                json
                        ? JsonOutput.of(result)
                        : "%s: %s of weights in %d file%s"
                                .formatted(
                                        to,
                                        Units.bytes(result.bytes()),
                                        result.files(),
                                        result.files() == 1 ? "" : "s"));
        return ExitCode.OK.code();
    }
}
