package org.quern.train;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.collective.Communicator;
import org.quern.collective.StubNccl;
import org.quern.executor.Executor;
import org.quern.executor.GpuExecutor;
import org.quern.gpu.EmulatedGpu;
import org.quern.kernels.cuda.LoadedKernels;
import org.quern.ptx.emulator.Options;
import org.quern.ptx.emulator.Options.Copies;

/// GPUs whose gradients go from one to the other, by a library in place of NCCL, while they are at work.
class NcclStepsTest {
    private static final String GPT2 =
            "model={architecture: gpt2, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}";

    @TempDir
    Path folder;

    /// Two workers' rings sum as the tree does.
    @ParameterizedTest
    @CsvSource({"true, 512", "false, 16000"})
    void trainsTheWeightsOfOneWorker(boolean shardOptimizer, long bucketBytes) throws Exception {
        Sharing sharing = new Sharing(2, 1, 2, shardOptimizer, bucketBytes);
        try (StubNccl nccl = new StubNccl(folder)) {
            byte[] id = nccl.newId();
            new DataParallelSteps(folder, GPT2)
                    .assertSameWeightsOn(
                            2,
                            sharing,
                            () -> new Lazy(nccl, id, new EmulatedGpu(Options.DEFAULT.withCopies(Copies.LAZY))));
        }
    }

    /// A GPU that works only when somebody waits for it: what nobody waits for is summed before it is there.
    private record Lazy(StubNccl nccl, byte[] id, EmulatedGpu gpu) implements DataParallelSteps.Device {
        @Override
        public Executor executor() {
            return new GpuExecutor(gpu, LoadedKernels.asText(gpu));
        }

        @Override
        public Communicator gradients(Communicator host) {
            return new DeviceGroup(
                    nccl.join(id, host.rank(), host.world(), Duration.ofMinutes(2), Optional::empty), gpu);
        }
    }
}
