package org.quern.launcher.bench.gpu;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/// What the stages ask the other verbs for, by what is known so far: kernels that are wrong are not timed.
final class StageCommands {
    private static final double SECONDS = 0.2;
    private static final double TUNING_SECONDS = 0.1;

    private static final String PTX = "ptx";
    private static final String WARPGROUPS = "warpgroups";
    private static final String FP8 = "fp8";

    private final Settings settings;
    private final GpuFigures figures;

    StageCommands(Settings settings, GpuFigures figures) {
        this.settings = settings;
        this.figures = figures;
    }

    /// Why a stage says nothing here.
    Optional<String> excuse(Stage stage) {
        return switch (stage) {
            case ASSEMBLE, CHECK -> Optional.empty();
            case TUNE, PRODUCTS, ATTENTION, MEMORY -> probes();
            case TRAINING -> probes().or(() -> wrong(provider()));
            case PROGRAMMATIC, FP8 ->
                probes().or(this::architecture).or(() -> wrong(stage == Stage.FP8 ? FP8 : WARPGROUPS));
        };
    }

    private Optional<String> probes() {
        return figures.probesAreRight()
                ? Optional.empty()
                : Optional.of("single instructions were not found to do what the kernels count on");
    }

    private Optional<String> architecture() {
        return settings.hasWarpgroups() ? Optional.empty() : Optional.of("it needs compute capability 9.0");
    }

    /// Kernels of a provider that are wrong and that training would take.
    private Optional<String> wrong(String provider) {
        Set<String> wrong = new HashSet<>(figures.wrongFamilies());
        wrong.removeAll(Set.of("sampling", "approximation"));
        if (!provider.equals(FP8)) {
            wrong.remove(GpuFigures.FP8);
        }
        if (provider.equals(PTX)) {
            wrong.removeIf(family -> family.startsWith(GpuFigures.WARPGROUP));
        }
        if (provider.equals(PTX) || figures.goesWithoutFused()) {
            wrong.remove(GpuFigures.FUSED);
        }
        return wrong.isEmpty()
                ? Optional.empty()
                : Optional.of("kernels are wrong: "
                        + String.join(", ", wrong.stream().sorted().toList()));
    }

    /// The fastest kernels of which training takes none that is wrong.
    private String provider() {
        boolean right =
                figures.warpgroupsAreRight() && (figures.isRight(GpuFigures.FUSED) || figures.goesWithoutFused());
        return settings.hasWarpgroups() && right ? WARPGROUPS : PTX;
    }

    /// The command line behind `quern`.
    ///
    /// @param seconds after which nothing more is to begin
    /// @param over rows of the stage that are not to be measured again
    List<String> of(Stage stage, long seconds, Set<String> over) {
        return switch (stage) {
            case ASSEMBLE -> List.of("kernels", "list", "--arch", settings.architecture());
            case CHECK ->
                List.of("kernels", "check", "--device", settings.device(), "--time-limit", "" + seconds, "--json");
            case TUNE -> tune(seconds, over);
            case PRODUCTS, ATTENTION, MEMORY -> benchmarks(stage, seconds, over);
            case TRAINING, PROGRAMMATIC, FP8 -> training(stage);
        };
    }

    /// What a stage has to say something about, in its order; empty where that is one thing.
    List<String> rows(Stage stage) {
        return switch (stage) {
            case ASSEMBLE, CHECK, TRAINING, PROGRAMMATIC, FP8 -> List.of();
            case TUNE -> {
                List<String> providers = tuned();
                yield settings.tunings().stream()
                        .filter(name -> providers.stream().anyMatch(provider -> name.endsWith(" by " + provider)))
                        .toList();
            }
            case PRODUCTS -> benchmarks(StageCommands::isProduct);
            case ATTENTION -> benchmarks(StageCommands::isTrainedAttention);
            case MEMORY -> benchmarks(name -> !isProduct(name) && !isTrainedAttention(name));
        };
    }

    private List<String> benchmarks(Predicate<String> which) {
        return settings.benchmarks().stream().filter(which).toList();
    }

    private static boolean isProduct(String name) {
        return name.startsWith("matmul");
    }

    private static boolean isTrainedAttention(String name) {
        return name.startsWith("attention") && !name.contains("decode");
    }

    /// What a line of its output is about.
    String row(Stage stage, JsonNode line) {
        return line.path(stage == Stage.TUNE ? "product" : "name").asString("");
    }

    /// Providers whose kernels are tuned.
    private List<String> tuned() {
        return !settings.hasWarpgroups() || !figures.warpgroupsAreRight()
                ? List.of(PTX)
                : figures.isRight(GpuFigures.FP8) ? List.of(WARPGROUPS, FP8) : List.of(WARPGROUPS);
    }

    private List<String> tune(long seconds, Set<String> over) {
        List<String> arguments = new ArrayList<>(List.of(
                "kernels",
                "tune",
                "--device",
                settings.device(),
                "--minutes",
                "%.2f".formatted(seconds / 60.0),
                "--seconds",
                "" + TUNING_SECONDS,
                "--json"));
        tuned().forEach(provider -> arguments.addAll(List.of("--provider", provider)));
        if (!figures.isRight(GpuFigures.FUSED)) {
            arguments.addAll(List.of("--gradient", "two_kernels"));
        }
        except(Stage.TUNE, over, arguments);
        return arguments;
    }

    private List<String> benchmarks(Stage stage, long seconds, Set<String> over) {
        List<String> arguments = new ArrayList<>(List.of(
                "bench",
                "kernels",
                "--device",
                settings.device(),
                "--seconds",
                "" + SECONDS,
                "--time-limit",
                "" + seconds,
                "--json"));
        settings.torch().ifPresent(python -> arguments.addAll(List.of("--torch", python)));
        switch (stage) {
            case PRODUCTS -> {
                arguments.addAll(List.of("--only", "matmul"));
                without(figures.wrongWays("matmul"), arguments);
            }
            case ATTENTION -> {
                arguments.addAll(List.of("--only", "attention", "--except", "decode"));
                without(figures.wrongWays("attention"), arguments);
            }
            default ->
                Stream.of("matmul", "attention forward", "attention backward")
                        .forEach(other -> arguments.addAll(List.of("--except", other)));
        }
        except(stage, over, arguments);
        return arguments;
    }

    private static void without(Set<String> ways, List<String> arguments) {
        ways.forEach(way -> arguments.addAll(List.of("--without", way)));
    }

    private void except(Stage stage, Set<String> over, List<String> arguments) {
        rows(stage).stream().filter(over::contains).forEach(name -> arguments.addAll(List.of("--except", "=" + name)));
    }

    private List<String> training(Stage stage) {
        String provider = switch (stage) {
            case FP8 -> FP8;
            case PROGRAMMATIC -> WARPGROUPS;
            default -> provider();
        };
        List<String> arguments = new ArrayList<>(List.of(
                "bench",
                "train",
                settings.config().toString(),
                "--device",
                settings.device(),
                "--set",
                "kernels.provider=" + provider,
                "--json"));
        if (stage == Stage.PROGRAMMATIC) {
            arguments.addAll(List.of("--set", "kernels.programmatic=true", "--steps", "9", "--warm-up", "3"));
        } else {
            arguments.addAll(List.of("--steps", "12", "--warm-up", "5", "--profile"));
        }
        if (stage == Stage.TRAINING) {
            settings.torch().ifPresent(python -> arguments.addAll(List.of("--torch", python)));
        }
        return arguments;
    }
}
