package org.quern.launcher;

import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Optional;
import org.quern.base.Version;
import org.quern.gpu.CudaDriver;
import org.quern.gpu.DeviceProperties;
import org.quern.train.Units;
import picocli.CommandLine.Model.CommandSpec;

/// What a figure was read on, and how: the head of every output with figures of a GPU.
///
/// @param id `cuda:0` or `emulated`
/// @param driver its release where Linux tells it, and the version of CUDA that it implements; empty for the emulator
/// @param command as it was typed
record DeviceHeader(
        String id,
        String device,
        String architecture,
        int multiprocessors,
        long memoryBytes,
        Optional<String> driver,
        String quern,
        String date,
        String command) {

    static DeviceHeader of(String id, DeviceProperties properties, CommandSpec command) {
        return new DeviceHeader(
                id,
                properties.name(),
                properties.architecture(),
                properties.multiprocessors(),
                properties.memoryBytes(),
                id.startsWith("cuda") ? Optional.of(driver(properties)) : Optional.empty(),
                Version.current().toString(),
                LocalDate.now(ZoneOffset.UTC).toString(),
                "quern "
                        + String.join(
                                " ",
                                command.root().commandLine().getParseResult().originalArgs()));
    }

    private static String driver(DeviceProperties properties) {
        String cuda = "for CUDA " + CudaDriver.versionName(properties.driverVersion());
        return CudaDriver.release().map(release -> release + " " + cuda).orElse(cuda);
    }

    @Override
    public String toString() {
        return "%s (%s, %s, %d multiprocessors, %s); %sQuern %s; %s%n    %s"
                .formatted(
                        device,
                        id,
                        architecture,
                        multiprocessors,
                        Units.bytes(memoryBytes),
                        driver.map("driver %s; "::formatted).orElse(""),
                        quern,
                        date,
                        command);
    }
}
