package org.quern.launcher;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.quern.config.ConfigReader;
import org.quern.config.RunConfig;
import org.quern.gpu.Gpus;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// A configuration file and what the command line changes in it.
final class ConfigArguments {
    @Parameters(paramLabel = "CONFIG", description = "A YAML file; configs/ has some to start from.")
    private Path file;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "Changes a key of the configuration, such as train.steps=200. May be repeated.")
    private List<String> overrides = List.of();

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            converter = DeviceName.class,
            description = {DeviceName.DESCRIPTION, "The same as --set run.device=DEVICE."})
    private Optional<String> device = Optional.empty();

    RunConfig read() {
        return read(List.of());
    }

    /// @param more changes, as of `--set`
    RunConfig read(List<String> more) {
        List<String> all = new ArrayList<>(overrides);
        device.ifPresent(name -> all.add("run.device=" + name));
        all.addAll(more);
        return ConfigReader.read(file, RunConfig.class, all);
    }

    /// Workers of one machine that all see its GPUs take one each.
    RunConfig forWorker(RunConfig config, int localRank, int localWorld) {
        if (!config.run().device().equals("cuda") || localWorld == 1) {
            return config;
        }
        int gpus = Gpus.list().size();
        return gpus > 1 ? read(List.of("run.device=cuda:" + localRank % gpus)) : config;
    }

    /// The run's folder, unless another is given.
    Path runFolder(RunConfig config) {
        return Path.of("runs", runName(config));
    }

    /// The run's name: as configured, or else that of the file.
    private String runName(RunConfig config) {
        return config.run().name().orElse(file.getFileName().toString().replaceFirst("\\.ya?ml$", ""));
    }
}
