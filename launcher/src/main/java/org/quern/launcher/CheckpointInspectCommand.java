package org.quern.launcher;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoint;
import org.quern.checkpoint.NamedTensor;
import org.quern.train.Units;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

/// `quern checkpoint inspect`.
@Command(name = "inspect", description = "Shows what is in a checkpoint: its state, files and tensors.")
final class CheckpointInspectCommand implements Callable<Integer> {
    private static final int SHOWN = 8;

    @Parameters(
            paramLabel = "RUN|CHECKPOINT",
            description = "The folder of a checkpoint, or of a run for its newest one." + StoredPlace.DESCRIPTION)
    private String place;

    @Option(names = "--tensor", paramLabel = "NAME", description = "Show the numbers of this tensor instead.")
    private Optional<String> tensor = Optional.empty();

    @Option(names = "--json", description = "Print it as JSON.")
    private boolean json;

    private record Tensor(String name, String dtype, List<Long> shape, long bytes) {}

    private record Contents(
            String folder, long step, long bytes, JsonNode state, Map<String, Long> files, List<Tensor> tensors) {}

    /// @param notFinite how many elements are infinite or no number; the other figures leave them out
    private record Numbers(
            String name,
            String dtype,
            List<Long> shape,
            long elements,
            long notFinite,
            double min,
            double max,
            double mean,
            double standardDeviation,
            double norm,
            List<Float> first) {}

    @Override
    public Integer call() throws IOException {
        return StoredPlace.with(place, this::inspect);
    }

    private int inspect(Path folder) {
        Checkpoint checkpoint = Checkpoint.glance(CheckpointCommand.newest(folder));
        try (Arena arena = Arena.ofConfined()) {
            List<NamedTensor> tensors = new ArrayList<>(checkpoint.tensors(Checkpoint.MODEL, arena));
            if (checkpoint.files().keySet().stream().anyMatch(file -> file.startsWith(Checkpoint.OPTIMIZER))) {
                tensors.addAll(checkpoint.tensors(Checkpoint.OPTIMIZER, arena));
            }
            if (tensor.isPresent()) {
                print(numbers(find(checkpoint, tensors, tensor.get())));
            } else {
                print(contents(checkpoint, tensors));
            }
        }
        return ExitCode.OK.code();
    }

    private static NamedTensor find(Checkpoint checkpoint, List<NamedTensor> tensors, String name) {
        return tensors.stream()
                .filter(each -> each.name().equals(name))
                .findFirst()
                .orElseThrow(() ->
                        QuernException.data("%s: expected a tensor %s, found none (checkpoint inspect %s lists them)"
                                .formatted(checkpoint.folder(), name, checkpoint.folder())));
    }

    private static Contents contents(Checkpoint checkpoint, List<NamedTensor> tensors) {
        return new Contents(
                checkpoint.folder().toString(),
                checkpoint.step(),
                checkpoint.bytes(),
                checkpoint.files().containsKey(Checkpoint.STATE)
                        ? Json.readObject(checkpoint.folder().resolve(Checkpoint.STATE))
                        : Json.MAPPER.createObjectNode(),
                checkpoint.files(),
                tensors.stream()
                        .map(each -> new Tensor(
                                each.name(),
                                each.dtype().name(),
                                each.shape(),
                                each.data().byteSize()))
                        .toList());
    }

    private void print(Contents contents) {
        if (json) {
            System.out.println(JsonOutput.of(contents));
            return;
        }
        System.out.println(
                "%s: step %d, %s".formatted(contents.folder(), contents.step(), Units.bytes(contents.bytes())));
        System.out.println("state");
        System.out.println(Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(contents.state()));
        System.out.println("files");
        contents.files().forEach((name, bytes) -> System.out.println("  %10s  %s".formatted(Units.bytes(bytes), name)));
        System.out.println("tensors");
        contents.tensors()
                .forEach(each -> System.out.println("  %10s  %-4s  %s %s"
                        .formatted(Units.bytes(each.bytes()), each.dtype(), each.name(), each.shape())));
    }

    private static Numbers numbers(NamedTensor tensor) {
        long elements = tensor.data().byteSize() / tensor.dtype().bytes();
        long notFinite = 0;
        double min = Double.POSITIVE_INFINITY;
        double max = Double.NEGATIVE_INFINITY;
        double sum = 0;
        double squares = 0;
        List<Float> first = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(elements * Float.BYTES, Float.BYTES);
            tensor.copyToFloat(values);
            for (long i = 0; i < elements; i++) {
                float value = values.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                if (i < SHOWN) {
                    first.add(value);
                }
                if (!Float.isFinite(value)) {
                    notFinite++;
                    continue;
                }
                min = Math.min(min, value);
                max = Math.max(max, value);
                sum += value;
                squares += (double) value * value;
            }
        }
        double finite = elements - notFinite;
        double mean = sum / finite;
        return new Numbers(
                tensor.name(),
                tensor.dtype().name(),
                tensor.shape(),
                elements,
                notFinite,
                min,
                max,
                mean,
                Math.sqrt(Math.max(0, squares / finite - mean * mean)),
                Math.sqrt(squares),
                first);
    }

    private void print(Numbers numbers) {
        if (json) {
            System.out.println(JsonOutput.of(numbers));
            return;
        }
        Map<String, Object> rows = new LinkedHashMap<>();
        rows.put("tensor", "%s %s %s".formatted(numbers.name(), numbers.dtype(), numbers.shape()));
        rows.put("elements", "%,d, of which %,d not finite".formatted(numbers.elements(), numbers.notFinite()));
        rows.put("range", "%.6g to %.6g".formatted(numbers.min(), numbers.max()));
        rows.put("mean", "%.6g, standard deviation %.6g".formatted(numbers.mean(), numbers.standardDeviation()));
        rows.put("norm", "%.6g".formatted(numbers.norm()));
        rows.put("first", numbers.first());
        rows.forEach((name, value) -> System.out.println("%-10s %s".formatted(name, value)));
    }
}
