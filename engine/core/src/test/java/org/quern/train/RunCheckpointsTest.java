package org.quern.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.base.ExitCode;
import org.quern.base.QuernException;
import org.quern.checkpoint.Checkpoints;
import org.quern.checkpoint.TensorFiles;
import org.quern.config.RunConfig;
import org.quern.executor.CpuExecutor;
import org.quern.executor.TensorStore;
import org.quern.graph.Recompute;
import org.quern.model.Model;
import org.quern.train.Trainer.Progress;

class RunCheckpointsTest {
    @TempDir
    Path folder;

    private TinyRun tiny;

    @BeforeEach
    void prepare() {
        tiny = new TinyRun(folder);
    }

    /// In one file and in many.
    @ParameterizedTest
    @ValueSource(longs = {1, 10_000, TensorFiles.MAX_BYTES})
    void weightsThatChangeRightAfterTheStallAreNotInTheFile(long maxFileBytes) {
        List<TrainEvent> events = new ArrayList<>();
        try (Device device = new Device(maxFileBytes)) {
            for (int step = 1; step <= 10; step++) {
                device.fill(step);
                device.checkpoints.save(progress(step), events::add);
                device.fill(-step);
            }
            device.checkpoints.finish(events::add);
            assertThat(TinyRun.only(TrainEvent.CheckpointSaved.class, events))
                    .extracting(TrainEvent.CheckpointSaved::step)
                    .hasSize(10)
                    .isSorted();
            for (int step = 1; step <= 10; step++) {
                device.fill(0);
                Progress progress = device.checkpoints.restore(
                        Checkpoints.newestValid(folder, step + 1).orElseThrow());
                assertThat(progress).isEqualTo(progress(step));
                device.assertFilledWith(step);
            }
        }
    }

    @Test
    void waitsForTheCheckpointUnderWayWhenItIsClosed() {
        try (Device device = new Device()) {
            device.fill(5);
            device.checkpoints.save(progress(5), _ -> {});
        }
        assertThat(Checkpoints.newestValid(folder).orElseThrow().step()).isEqualTo(5);
    }

    @Test
    void threeFailuresInARowAreTooMany() throws IOException {
        List<TrainEvent> events = new ArrayList<>();
        try (Device device = new Device()) {
            Path obstacle = Files.createDirectories(folder.resolve(".tmp-obstacle/inner/innermost"));
            device.checkpoints.save(progress(1), events::add);
            device.checkpoints.save(progress(2), events::add);
            assertThatThrownBy(() -> device.checkpoints.finish(events::add)).hasMessageContaining("step-00000002");
            Files.delete(obstacle);
            Files.delete(obstacle.getParent());
            device.checkpoints.save(progress(3), events::add);
            device.checkpoints.finish(events::add);
            assertThat(device.checkpoints.newestStep()).isEqualTo(3);

            Files.createDirectories(obstacle);
            device.checkpoints.save(progress(4), events::add);
            device.checkpoints.save(progress(5), events::add);
            device.checkpoints.save(progress(6), events::add);
            assertThatThrownBy(() -> device.checkpoints.save(progress(7), events::add))
                    .isInstanceOfSatisfying(
                            QuernException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.IO))
                    .hasMessageContainingAll("3 checkpoints in a row failed", "step-00000006");
            assertThat(device.checkpoints.newestStep()).isEqualTo(3);
        }
        assertThat(TinyRun.only(TrainEvent.CheckpointFailed.class, events))
                .extracting(TrainEvent.CheckpointFailed::step)
                .containsExactly(1L, 2L, 4L, 5L, 6L);
    }

    @Test
    void isOverdueAfterTheMinutesOfTheConfig() {
        try (Device seldom = new Device();
                Device often = new Device("checkpoint.minutes=1e-9");
                Device never = new Device("checkpoint.minutes=off")) {
            assertThat(seldom.checkpoints.isOverdue()).isFalse();
            assertThat(often.checkpoints.isOverdue()).isTrue();
            assertThat(never.checkpoints.isOverdue()).isFalse();
        }
    }

    private static Progress progress(long step) {
        return new Progress(step, step, 78 * step, step / 2.0, SpikeGuard.State.EMPTY);
    }

    /// A model in memory, without data.
    private final class Device implements AutoCloseable {
        final CpuExecutor executor = new CpuExecutor(1);
        final List<String> states = new ArrayList<>();
        final RunCheckpoints checkpoints;

        Device(String... overrides) {
            this(TensorFiles.MAX_BYTES, overrides);
        }

        Device(long maxFileBytes, String... overrides) {
            RunConfig config = tiny.config(overrides);
            Model model = Model.of(config.modelConfig(61));
            new TrainingStep(
                    executor,
                    model,
                    config.optimizerSettings(),
                    Sharing.whole(2, 3),
                    13,
                    Recompute.NONE,
                    Workers.alone());
            Moments moments = Moments.of(config.optimizerSettings(), model, Optional.empty(), 1);
            moments.all().forEach(state -> states.add(state.name()));
            model.parameters().forEach(parameter -> states.add(parameter.name()));
            checkpoints = new RunCheckpoints(
                    folder,
                    config,
                    "data",
                    new RunPlan.Cut(1, 2),
                    model,
                    moments,
                    executor.tensors(),
                    Optional.empty(),
                    Workers.alone(),
                    maxFileBytes,
                    Optional.empty(),
                    (_, _, _) -> {});
        }

        void fill(float value) {
            TensorStore tensors = executor.tensors();
            for (String state : states) {
                for (long i = 0; i < tensors.host(state).byteSize() / Float.BYTES; i++) {
                    tensors.host(state).setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
                }
            }
        }

        void assertFilledWith(float value) {
            for (String state : states) {
                assertThat(executor.tensors().host(state).toArray(ValueLayout.JAVA_FLOAT))
                        .as(state)
                        .containsOnly(value);
            }
        }

        @Override
        public void close() {
            checkpoints.close();
            executor.close();
        }
    }
}
