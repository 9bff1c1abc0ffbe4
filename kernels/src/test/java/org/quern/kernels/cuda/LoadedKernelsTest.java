package org.quern.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.gpu.DeviceArena;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.DeviceProperties;
import org.quern.gpu.Gpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuException;
import org.quern.gpu.GpuFunction;
import org.quern.gpu.GpuModule;
import org.quern.gpu.GpuStream;
import org.quern.gpu.ModuleImage;
import org.quern.ptx.CubinCache;
import org.quern.ptx.KernelVariant;

class LoadedKernelsTest {
    private static final KernelVariant FILL = KernelVariant.of("fill.sm_80", "bytes", 4);

    @TempDir
    private Path folder;

    @Test
    void assemblesAndLoadsOnce() {
        LoadingGpu gpu = new LoadingGpu(9, 0);
        try (LoadedKernels kernels = LoadedKernels.assembled(gpu, new CubinCache(folder))) {
            GpuFunction function = kernels.function(FILL, "fill");
            assertThat(kernels.function(KernelVariant.of("fill.sm_80", "bytes", 4), "fill"))
                    .isSameAs(function);
            kernels.function(KernelVariant.of("fill.sm_80", "bytes", 2), "fill");
        }
        assertThat(gpu.images)
                .extracting(ModuleImage::name)
                .containsExactly("fill.sm_80(bytes=4)", "fill.sm_80(bytes=2)");
        assertThat(gpu.images.getFirst().cubin()).startsWith(0x7F, 'E', 'L', 'F');
        assertThat(gpu.closed).isEqualTo(2);
    }

    @Test
    void loadsOnceForManyThreads() {
        LoadingGpu gpu = new LoadingGpu(8, 0);
        try (LoadedKernels kernels = LoadedKernels.assembled(gpu, new CubinCache(folder))) {
            IntStream.range(0, 16).parallel().forEach(_ -> kernels.function(FILL, "fill"));
        }
        assertThat(gpu.images).hasSize(1);
    }

    @Test
    void givesTheEmulatorTheText() {
        LoadingGpu gpu = new LoadingGpu(8, 0);
        try (LoadedKernels kernels = LoadedKernels.asText(gpu)) {
            kernels.function(FILL, "fill");
        }
        assertThat(gpu.images.getFirst().cubin()).isEmpty();
        assertThat(gpu.images.getFirst().ptx()).contains(".entry fill");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void leavesUnknownArchitecturesToTheDriver() {
        LoadingGpu gpu = new LoadingGpu(99, 0); // also unknown to any ptxas
        try (LoadedKernels kernels = LoadedKernels.assembled(gpu, new CubinCache(folder))) {
            kernels.function(FILL, "fill");
            assertThat(gpu.images.getFirst().cubin()).isEmpty();
        }
    }

    @Test
    void refusesWhatTheDeviceCannotRun() {
        assertThatThrownBy(() -> LoadedKernels.asText(new LoadingGpu(7, 5)).function(FILL, "fill"))
                .isInstanceOf(GpuException.class)
                .hasMessage("fill.sm_80(bytes=4) needs compute capability 8.0 or more: Test 7.5 has 7.5");
        KernelVariant hopper = KernelVariant.of("matmul.sm_90a", "n", 1);
        assertThatThrownBy(() -> LoadedKernels.asText(new LoadingGpu(8, 9)).function(hopper, "matmul"))
                .hasMessage("matmul.sm_90a(n=1) needs compute capability 9.0 and no other: Test 8.9 has 8.9");
        assertThatThrownBy(() -> LoadedKernels.asText(new LoadingGpu(12, 0)).function(hopper, "matmul"))
                .hasMessage("matmul.sm_90a(n=1) needs compute capability 9.0 and no other: Test 12.0 has 12.0");
        assertThatThrownBy(() -> LoadedKernels.asText(new LoadingGpu(8, 0)).function(KernelVariant.of("x"), "x"))
                .hasMessage("x: a kernel's file is called NAME.sm_80, by the least architecture that runs it");
    }

    @Test
    void assemblesForTheDevice() {
        assertThat(LoadedKernels.architecture(FILL, new LoadingGpu(8, 6).properties()))
                .isEqualTo("sm_86");
        assertThat(LoadedKernels.architecture(FILL, new LoadingGpu(12, 0).properties()))
                .isEqualTo("sm_120");
        assertThat(LoadedKernels.architecture(KernelVariant.of("x.sm_90a"), new LoadingGpu(9, 0).properties()))
                .isEqualTo("sm_90a");
    }

    /// Loads modules, and nothing else.
    private static final class LoadingGpu implements Gpu {
        private final DeviceProperties properties;
        private final List<ModuleImage> images = Collections.synchronizedList(new ArrayList<>());
        private int closed;

        LoadingGpu(int major, int minor) {
            properties = new DeviceProperties(
                    "Test %d.%d".formatted(major, minor), major, minor, 1, 1, 1, 1, 1, 1, 1, 1, 12_000);
        }

        private record Function(String name) implements GpuFunction {
            @Override
            public List<Integer> parameterBytes() {
                return List.of();
            }

            @Override
            public int maxSharedBytes() {
                return 0;
            }
        }

        @Override
        public DeviceProperties properties() {
            return properties;
        }

        @Override
        public GpuModule load(ModuleImage image) {
            images.add(image);
            return new GpuModule() {
                @Override
                public GpuFunction function(String name) {
                    return new Function(name);
                }

                @Override
                public void close() {
                    closed++;
                }
            };
        }

        @Override
        public DeviceArena arena() {
            throw new UnsupportedOperationException();
        }

        @Override
        public GpuStream stream() {
            throw new UnsupportedOperationException();
        }

        @Override
        public GpuEvent event() {
            throw new UnsupportedOperationException();
        }

        @Override
        public long freeBytes() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void synchronize() {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean canAccess(Gpu peer) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void enableAccess(Gpu peer) {
            throw new UnsupportedOperationException();
        }

        @Override
        public byte[] exportHandle(DeviceMemory memory) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {
            throw new UnsupportedOperationException();
        }
    }
}
