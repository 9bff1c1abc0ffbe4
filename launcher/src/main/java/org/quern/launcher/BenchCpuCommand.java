package org.quern.launcher;

import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.base.Json;
import org.quern.base.Version;
import org.quern.launcher.bench.CpuBenchmarks;
import org.quern.launcher.bench.Measurement;
import org.quern.launcher.bench.Rival;
import org.quern.launcher.bench.Spread;
import org.quern.train.metrics.Provenance;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/// `quern bench cpu`: how fast this machine is, and beside it a rival that is measured in turns with it.
@Command(
        name = "cpu",
        description = {
            "Measures the CPU: matrix products, a training step of GPT-2 124M, the tokenizer.",
            "Prints the median of the rounds and their spread."
        })
final class BenchCpuCommand implements Callable<Integer> {
    /// Benchmarks as people write them: `train-tokenizer`.
    static final class KindName implements ITypeConverter<CpuBenchmarks.Kind> {
        @Override
        public CpuBenchmarks.Kind convert(String text) {
            return Arrays.stream(CpuBenchmarks.Kind.values())
                    .filter(kind -> kind.option().equals(text))
                    .findFirst()
                    .orElseThrow(() -> new TypeConversionException("must be one of "
                            + Arrays.stream(CpuBenchmarks.Kind.values())
                                    .map(CpuBenchmarks.Kind::option)
                                    .toList()
                            + ": got " + text));
        }
    }

    @Option(
            names = "--only",
            paramLabel = "BENCH",
            converter = KindName.class,
            description = "matmul, step, encode or train-tokenizer; by default the first two.")
    private Optional<CpuBenchmarks.Kind> only = Optional.empty();

    @Option(names = "--threads", description = "Compute threads; by default one and all for matmul, all for others.")
    private Optional<Integer> threads = Optional.empty();

    @Option(names = "--rounds", description = "Rounds, each with the rival's after ours; ${DEFAULT-VALUE} by default.")
    private int rounds = 3;

    @Option(
            names = "--rival",
            paramLabel = "COMMAND",
            description = {
                "A command that prints measurements as JSON lines, such as \"python bench_cpu.py\" of engine/core/src/test/python.",
                "--only and --threads are passed on to it."
            })
    private Optional<String> rival = Optional.empty();

    @Option(names = "--text", paramLabel = "FILE", description = "The text that encode and train-tokenizer take.")
    private Optional<Path> text = Optional.empty();

    @Option(
            names = "--ranks",
            paramLabel = "FILE",
            description = "What encode takes: a tokenizer.json or a rank file of tiktoken.")
    private Optional<Path> ranks = Optional.empty();

    @Option(names = "--json", description = "Print the measurements as JSON.")
    private boolean json;

    @Override
    public Integer call() {
        Map<String, List<Measurement>> ours = new LinkedHashMap<>();
        Map<String, List<Measurement>> theirs = new LinkedHashMap<>();
        CpuBenchmarks benchmarks = new CpuBenchmarks(only, threads, text, ranks);
        for (int round = 0; round < rounds; round++) {
            Terminal.error().status("round %d of %d".formatted(round + 1, rounds));
            benchmarks.run(measurement -> add(ours, measurement));
            rival.ifPresent(command ->
                    new Rival(command, only, threads, text, ranks).run(measurement -> add(theirs, measurement)));
        }
        Terminal.error().status("");
        List<Row> rows = new ArrayList<>();
        ours.forEach((name, measurements) -> rows.add(Row.of(measurements, theirs.getOrDefault(name, List.of()))));
        if (json) {
            System.out.println(Json.MAPPER.writeValueAsString(rows));
        } else {
            System.out.println(machine());
            System.out.printf("%-26s %7s %26s %26s %6s%n", "bench", "threads", "quern", "rival", "ratio");
            rows.forEach(System.out::println);
        }
        return ExitCode.OK.code();
    }

    static String machine() {
        Provenance.Machine machine = Provenance.Machine.current();
        return "%s, %d cores, vectors of %d bits, %s; Java %s; Quern %s; %s"
                .formatted(
                        machine.cpu(),
                        machine.cores(),
                        machine.vectorBits(),
                        machine.os(),
                        Runtime.version(),
                        Version.current(),
                        LocalDate.now(ZoneOffset.UTC));
    }

    private static void add(Map<String, List<Measurement>> all, Measurement measurement) {
        all.computeIfAbsent(measurement.name() + " " + measurement.threads(), _ -> new ArrayList<>())
                .add(measurement);
    }

    /// A benchmark's result; `rival` and `ratio` are null without a rival.
    private record Row(String bench, int threads, String unit, Spread quern, Spread rival, Double ratio) {
        static Row of(List<Measurement> ours, List<Measurement> theirs) {
            Measurement what = ours.getFirst();
            Spread quern = Spread.of(ours);
            if (theirs.isEmpty()) {
                return new Row(what.name(), what.threads(), what.unit(), quern, null, null);
            }
            Spread rival = Spread.of(theirs);
            return new Row(what.name(), what.threads(), what.unit(), quern, rival, quern.median() / rival.median());
        }

        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "%-26s %7d %26s %26s %6s %s",
                    bench,
                    threads,
                    quern,
                    rival == null ? "" : rival,
                    ratio == null ? "" : String.format(Locale.ROOT, "%.2f", ratio),
                    unit);
        }
    }
}
