package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuException;
import org.quern.kernels.check.CheckDevice;
import org.quern.kernels.cuda.Attention.Shape;
import org.quern.ptx.emulator.Statistics;
import org.quern.ptx.emulator.Statistics.Accesses;

class AttentionTest extends KernelFamilyTest {
    AttentionTest() {
        super("attention");
    }

    @Override
    void inspect(List<Statistics> launches) {
        for (Statistics launch : launches) {
            assertThat(launch.accesses())
                    .as(launch.kernel())
                    .allSatisfy(access -> assertThat(access.bankConflicts())
                            .as("bank conflicts of %s", access)
                            .isZero())
                    .filteredOn(AttentionTest::isWide)
                    .allSatisfy(access -> assertThat(access.wastedSectors())
                            .as("wasted sectors of %s", access)
                            .isZero());
        }
    }

    /// What moves tiles.
    private static boolean isWide(Accesses access) {
        return access.text().contains("cp.async.cg") || access.text().contains(".global.v4");
    }

    @Test
    void namesWhatItDoesNotHave() {
        assertThatThrownBy(() -> new Shape(1, 1, 1, 1, 80, 0))
                .isInstanceOf(GpuException.class)
                .hasMessage("attention: headDim must be one of [16, 32, 64, 128]: got 80");
        assertThatThrownBy(() -> new Shape(1, 1, 3, 2, 64, 0))
                .isInstanceOf(GpuException.class)
                .hasMessage("attention: keyValueHeads must divide heads 3: got 2");
        assertThatThrownBy(() -> new Shape(1, 0, 1, 1, 64, 0))
                .isInstanceOf(GpuException.class)
                .hasMessageContaining("must be at least 1");
        assertThatThrownBy(() -> new Shape(1 << 20, 1 << 10, 2, 1, 64, 0))
                .isInstanceOf(GpuException.class)
                .hasMessageContaining("must be below 2^31: got 1048576 * 1024 * 2");
    }

    @Test
    void refusesBuffersThatAreTooSmallOrNotAligned() {
        onDevice(device -> {
            Shape shape = new Shape(1, 10, 2, 1, 16, 0);
            DeviceMemory qkv = device.outputBf16(10 * 64);
            DeviceMemory starts = device.output(40);
            DeviceMemory out = device.outputBf16(10 * 32);
            DeviceMemory lse = device.outputF32(20);
            assertThatThrownBy(() -> new Attention.Forward(
                            device.library(), new Attention.Operands(shape, qkv, starts, out, lse.slice(0, 76))))
                    .isInstanceOf(GpuException.class)
                    .hasMessage("attention forward: lse must hold 80 bytes: got 76");
            DeviceMemory odd = device.outputBf16(10 * 64 + 1).slice(2, 10 * 64 * 2);
            assertThatThrownBy(() -> new Attention.Forward(
                            device.library(), new Attention.Operands(shape, odd, starts, out, lse)))
                    .isInstanceOf(GpuException.class)
                    .hasMessageStartingWith("attention forward: qkv must be aligned to 16 bytes: got address 0x");
        });
    }

    @Test
    void stopsWhereNewRowsOverrunTheCache() {
        onDevice(device -> {
            Shape shape = new Shape(1, 2, 1, 1, 16, 0);
            int capacity = 8;
            CachedAttention kernel = new CachedAttention(
                    device.library(),
                    device.bf16(new float[2 * 48]),
                    device.outputBf16(capacity * 16),
                    device.outputBf16(capacity * 16),
                    device.i32(new int[] {7}),
                    device.outputBf16(2 * 16),
                    device.output(0),
                    shape,
                    capacity);
            assertThatThrownBy(() -> device.run(kernel))
                    .isInstanceOf(GpuException.class)
                    .hasMessageContaining("trap");
        });
    }

    private interface Body {
        void run(CheckDevice device);
    }

    private static void onDevice(Body body) {
        try (EmulatedGpu gpu = new EmulatedGpu();
                LoadedKernels library = LoadedKernels.asText(gpu);
                CheckDevice device = new CheckDevice(gpu, library, 1, false)) {
            body.run(device);
        }
    }
}
