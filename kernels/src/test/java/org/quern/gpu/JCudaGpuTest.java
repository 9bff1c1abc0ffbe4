package org.quern.gpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.ptx.KernelVariant;
import org.quern.ptx.PtxTemplate;

/// Against a driver that only notes what is asked of it.
class JCudaGpuTest {
    @TempDir
    private static Path folder;

    private static StubDriver driver;

    @BeforeAll
    static void compile() throws Exception {
        driver = new StubDriver(folder);
    }

    private static ModuleImage fill(int cubinBytes) {
        byte[] cubin = new byte[cubinBytes];
        if (cubinBytes > 0) {
            System.arraycopy(new byte[] {0x7F, 'E', 'L', 'F'}, 0, cubin, 0, 4);
        }
        return new ModuleImage(
                "fill.sm_80(bytes=4)", PtxTemplate.expand(KernelVariant.of("fill.sm_80", "bytes", 4)), cubin);
    }

    /// One of everything.
    static final class Everything {
        public static void main(String[] args) throws Exception {
            try (Gpu gpu = Gpus.open("cuda:1")) {
                System.out.println(gpu.properties());
                System.out.println(gpu.freeBytes());
                try (DeviceArena arena = gpu.arena();
                        GpuStream stream = gpu.stream();
                        GpuEvent start = gpu.event();
                        GpuEvent end = gpu.event();
                        GpuModule module = gpu.load(fill(64))) {
                    MemorySegment host = arena.allocateHost(12);
                    host.set(JAVA_INT, 8, 42);
                    DeviceMemory memory = arena.allocate(12);
                    stream.copyToDevice(host, memory);
                    stream.copy(memory.slice(8, 4), memory.slice(0, 4));
                    stream.fill(memory.slice(4, 4), (byte) -1);
                    stream.copyToHost(memory, host);
                    System.out.println(List.of(host.get(JAVA_INT, 0), host.get(JAVA_INT, 4), host.get(JAVA_INT, 8)));
                    GpuFunction function = module.function("fill");
                    System.out.println(function);
                    Launch launch = new Launch(
                            function, new Launch.Dim(1, 2, 3), Launch.Dim.of(256), 1000, memory, 1L << 40, 0xABCD);
                    stream.record(start);
                    Thread other = new Thread(() -> stream.launch(launch));
                    other.start();
                    other.join();
                    stream.record(end);
                    stream.await(end);
                    System.out.println(end.isReached() + " " + end.millisecondsSince(start));
                    try (GpuGraph graph = stream.capture(() -> stream.launch(launch))) {
                        stream.replay(graph);
                    }
                    byte[] handle = gpu.exportHandle(memory);
                    System.out.println(arena.open(handle, 12).equals(memory));
                    stream.synchronize();
                }
                gpu.synchronize();
            }
        }
    }

    @Test
    void asksTheDriverForWhatItDoes() throws Exception {
        String output = driver.run(Everything.class, Map.of());
        assertThat(output.lines())
                .containsExactly(
                        "DeviceProperties[name=Stub 1, major=9, minor=0, multiprocessors=1016, memoryBytes=17179869184,"
                                + " sharedBytesPerBlock=232448, sharedBytesPerMultiprocessor=1081,"
                                + " registersPerMultiprocessor=1082, threadsPerMultiprocessor=1039,"
                                + " blocksPerMultiprocessor=1106, l2Bytes=1038, driverVersion=12020]",
                        "12345678",
                        "[42, -1, 42]",
                        "JCudaFunction[name=fill, address=3840, parameterBytes=[8, 8, 4], maxSharedBytes=232000]",
                        "true 1.5",
                        "true",
                        "exit 0");
        assertThat(driver.calls())
                .containsExactly(
                        "cuInit",
                        "cuDeviceGet 1",
                        "cuDevicePrimaryCtxRetain 1",
                        "cuStreamCreate 1",
                        "cuEventCreate",
                        "cuEventCreate",
                        "cuModuleLoadData ELF",
                        "cuMemHostAlloc 12",
                        "cuMemAlloc_v2 12",
                        "cuMemcpyHtoDAsync_v2 12",
                        "cuMemcpyAsync 4",
                        "cuMemsetD8Async 255 4",
                        "cuMemcpyDtoHAsync_v2 12",
                        "cuModuleGetFunction fill",
                        "cuFuncSetAttribute 8 232000",
                        "cuEventRecord",
                        "cuLaunchKernel 0xf00 (1 2 3) (256 1 1) 1000: 1 1099511627776 0xabcd",
                        "cuEventRecord",
                        "cuStreamWaitEvent",
                        "cuEventQuery",
                        "cuStreamBeginCapture_v2 1",
                        "cuLaunchKernel 0xf00 (1 2 3) (256 1 1) 1000: 1 1099511627776 0xabcd",
                        "cuStreamEndCapture",
                        "cuGraphInstantiateWithFlags",
                        "cuGraphDestroy",
                        "cuGraphLaunch",
                        "cuGraphExecDestroy",
                        "cuIpcGetMemHandle",
                        "cuIpcOpenMemHandle_v2 7",
                        "cuStreamSynchronize",
                        "cuModuleUnload",
                        "cuEventDestroy_v2",
                        "cuEventDestroy_v2",
                        "cuStreamDestroy_v2",
                        "cuIpcCloseMemHandle",
                        "cuMemFree_v2",
                        "cuMemFreeHost",
                        "cuCtxSynchronize",
                        "cuDevicePrimaryCtxRelease_v2 1");
    }

    /// Does what its arguments say and prints why it failed, twice.
    static final class Failing {
        public static void main(String[] args) {
            for (int i = 0; i < 2; i++) {
                try (Gpu gpu = Gpus.open(args[0])) {
                    act(gpu, args[1]);
                } catch (GpuException | UnsupportedOperationException e) {
                    System.out.println(e.getMessage());
                }
            }
        }

        private static void act(Gpu gpu, String what) {
            try (DeviceArena arena = gpu.arena();
                    GpuStream stream = gpu.stream()) {
                switch (what) {
                    case "open" -> {}
                    case "allocate" -> arena.allocate(1L << 40);
                    case "allocate nothing" -> arena.allocate(0);
                    case "pin" -> arena.allocateHost(1L << 40);
                    case "load" -> gpu.load(fill(64));
                    case "assemble" -> gpu.load(fill(0));
                    case "function" -> gpu.load(fill(64)).function("fil");
                    case "launch" -> {
                        try (GpuModule module = gpu.load(fill(64))) {
                            stream.launch(new Launch(
                                    module.function("fill"),
                                    Launch.Dim.of(7, 8),
                                    Launch.Dim.of(256),
                                    0,
                                    arena.allocate(4),
                                    1L,
                                    2));
                        }
                    }
                    case "overtake" -> {
                        try (GpuModule module = gpu.load(fill(64))) {
                            stream.launch(new Launch(
                                            module.function("fill"),
                                            Launch.Dim.of(1),
                                            Launch.Dim.of(256),
                                            0,
                                            arena.allocate(4),
                                            1L,
                                            2)
                                    .programmatic());
                        }
                    }
                    case "heap" -> stream.copyToDevice(MemorySegment.ofArray(new int[1]), arena.allocate(4));
                    case "sizes" -> stream.copy(arena.allocate(4), arena.allocate(5));
                    case "capture" -> stream.capture(stream::synchronize);
                    case "throw" ->
                        stream.capture(() -> {
                            throw new UnsupportedOperationException("the work's own");
                        });
                    case "leak" -> {
                        gpu.stream();
                        gpu.arena().allocate(1000);
                        gpu.load(fill(64));
                    }
                    case "closed" -> {
                        GpuEvent event = gpu.event();
                        event.close();
                        event.synchronize();
                    }
                    default -> throw new AssertionError(what);
                }
            }
        }
    }

    private static void assertFailure(Map<String, String> environment, String name, String what, String message)
            throws Exception {
        assertThat(driver.run(Failing.class, environment, name, what))
                .isEqualTo(message + "\n" + message + "\nexit 0\n");
    }

    @Test
    void refusesWhatCannotBeOpened() throws Exception {
        assertFailure(Map.of(), "gpu0", "open", "a GPU is called cuda or cuda:N: got gpu0");
        assertFailure(Map.of(), "cuda:2", "open", "there is no cuda:2: this process sees 2 GPUs");
        assertFailure(
                Map.of("RETURNS", "cuInit=100", "CUDA_VISIBLE_DEVICES", "7"),
                "cuda",
                "open",
                "the NVIDIA driver finds no GPU (CUDA_VISIBLE_DEVICES is 7)");
        assertFailure(
                Map.of("RETURNS", "cuInit=803"),
                "cuda",
                "open",
                "cuInit failed: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803, what it means)");
        assertFailure(Map.of("RETURNS", "cuInit=4321"), "cuda", "open", "cuInit failed: status 4321");
        assertFailure(
                Map.of("VERSION", "11040"),
                "cuda",
                "open",
                "the NVIDIA driver is too old: it implements CUDA 11.4, and Quern needs 12.0 (driver 525) or newer");
        assertFailure(
                Map.of("MAJOR", "7"),
                "cuda",
                "open",
                "cuda:0, Stub 0, has compute capability 7.0: the kernels need 8.0 or more");
    }

    @Test
    void saysHowMuchMemoryIsMissing() throws Exception {
        Map<String, String> full = Map.of("RETURNS", "cuMemAlloc_v2=2 cuMemHostAlloc=2");
        assertFailure(
                full,
                "cuda",
                "allocate",
                "cuda:0 (Stub 0) has not enough memory: 1,099,511,627,776 bytes asked for, 12,345,678 of"
                        + " 17,179,869,184 free");
        assertFailure(
                full,
                "cuda",
                "pin",
                "the host has not enough memory that can be pinned: 1,099,511,627,776 bytes asked for");
        assertFailure(Map.of(), "cuda", "allocate nothing", "an allocation has at least 1 byte: got 0");
    }

    @Test
    void saysWhyAModuleCannotBeLoaded() throws Exception {
        assertFailure(
                Map.of("RETURNS", "cuModuleLoadData=200"),
                "cuda",
                "load",
                "fill.sm_80(bytes=4), assembled beforehand, cannot be loaded on cuda:0 (Stub 0), sm_90, with a driver"
                        + " for CUDA 12.2: CUDA_ERROR_INVALID_IMAGE (200, what it means)");
        String assembling = "fill.sm_80(bytes=4), assembled by the driver from PTX 7.4, cannot be loaded on cuda:0"
                + " (Stub 0), sm_90, with a driver for CUDA 12.2: CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222, what it"
                + " means)";
        assertFailure(
                Map.of("RETURNS", "cuModuleLoadDataEx=222"),
                "cuda",
                "assemble",
                assembling + ". A newer driver may know it.");
        assertFailure(
                Map.of("RETURNS", "cuModuleLoadDataEx=222", "JIT_LOG", "ptxas fatal: no\n"),
                "cuda",
                "assemble",
                assembling + "\nptxas fatal: no");
    }

    @Test
    void namesWhatALaunchWas() throws Exception {
        assertFailure(
                Map.of("RETURNS", "cuLaunchKernel=701"),
                "cuda",
                "launch",
                "cuLaunchKernel of fill, 7 x 8 x 1 blocks of 256 x 1 x 1 threads with 0 bytes of shared memory failed:"
                        + " CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (701, what it means)");
        assertFailure(
                Map.of("RETURNS", "cuLaunchKernel=700"),
                "cuda",
                "launch",
                "cuLaunchKernel of fill, 7 x 8 x 1 blocks of 256 x 1 x 1 threads with 0 bytes of shared memory failed:"
                        + " CUDA_ERROR_ILLEGAL_ADDRESS (700, what it means). An earlier kernel may be the cause; this"
                        + " process can no longer use the device.");
    }

    /// Launches that may overtake what is before them.
    static final class Overtaking {
        public static void main(String[] args) {
            try (Gpu gpu = Gpus.open("cuda");
                    DeviceArena arena = gpu.arena();
                    GpuStream stream = gpu.stream();
                    GpuModule module = gpu.load(fill(64))) {
                DeviceMemory memory = arena.allocate(4);
                Launch launch = new Launch(
                                module.function("fill"),
                                new Launch.Dim(1, 2, 3),
                                Launch.Dim.of(256),
                                1000,
                                memory,
                                1L << 40,
                                0xABCD)
                        .programmatic();
                stream.launch(launch);
                stream.launch(launch);
                stream.fill(memory, (byte) 1);
                stream.launch(launch);
                stream.capture(() -> {
                    stream.launch(launch);
                    stream.launch(launch);
                });
                stream.launch(launch);
            }
        }
    }

    @Test
    void letsOvertakeKernelsOnly() throws Exception {
        driver.run(Overtaking.class, Map.of("VERSION", "12030"));
        String plain = "cuLaunchKernel 0xf00 (1 2 3) (256 1 1) 1000: 1 1099511627776 0xabcd";
        String overtaking = "cuLaunchKernelEx 0xf00 (1 2 3) (256 1 1) 1000: 1 1099511627776 0xabcd, on a stream 1,"
                + " 1 attribute: 6 is 1";
        assertThat(driver.calls())
                .containsSubsequence(
                        plain,
                        overtaking,
                        "cuMemsetD8Async 1 4",
                        plain,
                        "cuStreamBeginCapture_v2 1",
                        plain,
                        overtaking,
                        "cuStreamEndCapture",
                        plain)
                .filteredOn(call -> call.startsWith("cuLaunchKernel"))
                .hasSize(6);
    }

    @Test
    void refusesToOvertakeWhereItCannot() throws Exception {
        String rule =
                "programmatic launches need compute capability 9.0 and a driver for CUDA 12.3, or later: Stub 0 has ";
        assertFailure(Map.of(), "cuda", "overtake", rule + "9.0 and a driver for CUDA 12.2");
        assertFailure(
                Map.of("VERSION", "12030", "MAJOR", "8"), "cuda", "overtake", rule + "8.0 and a driver for CUDA 12.3");
    }

    @Test
    void refusesBadCopies() throws Exception {
        assertFailure(Map.of(), "cuda", "heap", "the device copies only from and to memory off the heap");
        assertFailure(Map.of(), "cuda", "sizes", "a copy's source and target have the same size: got 4 and 5 bytes");
        assertFailure(Map.of(), "cuda", "closed", "an event is closed");
    }

    @Test
    void endsACaptureThatFails() throws Exception {
        assertFailure(
                Map.of("RETURNS", "cuStreamSynchronize=900"),
                "cuda",
                "capture",
                "cuStreamSynchronize failed: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900, what it means)");
        assertThat(driver.calls()).contains("cuStreamEndCapture");
        assertFailure(Map.of(), "cuda", "throw", "the work's own");
        assertThat(driver.calls()).contains("cuStreamEndCapture");
    }

    @Test
    void namesWhatWasNotClosedAndClosesIt() throws Exception {
        assertFailure(
                Map.of(),
                "cuda",
                "leak",
                "cuda:0 was closed before the module fill.sm_80(bytes=4), an arena of 1,000 bytes, a stream");
        assertThat(driver.calls())
                .contains("cuModuleUnload", "cuMemFree_v2", "cuStreamDestroy_v2")
                .endsWith("cuDevicePrimaryCtxRelease_v2 0");
    }

    /// Two GPUs.
    static final class Peers {
        public static void main(String[] args) {
            try (Gpu one = Gpus.open("cuda");
                    Gpu two = Gpus.open("cuda:1")) {
                System.out.println(one.canAccess(two));
                one.enableAccess(two);
                System.out.println(
                        Gpus.list().stream().map(DeviceProperties::name).toList());
            } catch (GpuException e) {
                System.out.println(e.getMessage());
            }
        }
    }

    @Test
    void reachesAPeer() throws Exception {
        assertThat(driver.run(Peers.class, Map.of())).isEqualTo("true\n[Stub 0, Stub 1]\nexit 0\n");
        assertThat(driver.calls()).contains("cuCtxEnablePeerAccess 0x101");
        assertThat(driver.run(Peers.class, Map.of("RETURNS", "cuCtxEnablePeerAccess=704")))
                .isEqualTo("true\n[Stub 0, Stub 1]\nexit 0\n");
        assertThat(driver.run(Peers.class, Map.of("PEER", "0")))
                .isEqualTo("false\ncuda:0 cannot reach the memory of cuda:1: no direct link between them\nexit 0\n");
    }

    @Test
    void saysTwiceThatThereIsNoDriver() throws Exception {
        assumeFalse(CudaDriver.isInstalled(), "this machine has a driver");
        String message =
                "no NVIDIA driver: libcuda.so.1 was not found. Install NVIDIA's driver (525 or newer), or train"
                        + " on the cpu.";
        assertThat(new JavaProcess(Map.of(), List.of(), Failing.class, "cuda", "open").await())
                .isEqualTo(message + "\n" + message + "\nexit 0\n");
    }
}
