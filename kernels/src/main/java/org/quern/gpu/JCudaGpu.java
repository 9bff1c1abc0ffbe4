package org.quern.gpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.quern.gpu.CudaStatus.check;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/// An NVIDIA GPU through its driver: JCuda, and [DriverCalls] for what it lacks or does slowly.
///
/// It uses the device's primary context, as NVIDIA's libraries do, and makes it current on the thread of each call.
final class JCudaGpu extends OwningGpu {
    private static final int LEAST_MAJOR = 8;

    private final int ordinal;
    private final CUdevice device;
    private final Context context;
    private final DeviceProperties properties;

    /// Shows where the driver keeps it.
    private static final class Context extends CUcontext {
        long address() {
            return getNativePointer();
        }
    }

    /// @param ordinal among those that the driver shows to this process
    JCudaGpu(int ordinal) {
        this.ordinal = ordinal;
        device = device(ordinal);
        properties = properties(device);
        if (properties.major() < LEAST_MAJOR) {
            throw new GpuException("cuda:%d, %s, has compute capability %d.%d: the kernels need %d.0 or more"
                    .formatted(ordinal, properties.name(), properties.major(), properties.minor(), LEAST_MAJOR));
        }
        context = new Context();
        check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain on cuda:" + ordinal);
    }

    /// What a GPU is, without using it.
    static DeviceProperties properties(int ordinal) {
        return properties(device(ordinal));
    }

    private static CUdevice device(int ordinal) {
        CUdevice device = new CUdevice();
        check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet of cuda:" + ordinal);
        return device;
    }

    private static DeviceProperties properties(CUdevice device) {
        byte[] name = new byte[256];
        check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName");
        long[] memory = new long[1];
        check(JCudaDriver.cuDeviceTotalMem(memory, device), "cuDeviceTotalMem");
        return new DeviceProperties(
                new String(name, StandardCharsets.UTF_8).replaceFirst("\0.*", ""),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
                memory[0],
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR),
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
                CudaDriver.version());
    }

    private static int attribute(CUdevice device, int attribute) {
        int[] value = new int[1];
        check(
                JCudaDriver.cuDeviceGetAttribute(value, attribute, device),
                "cuDeviceGetAttribute " + CUdevice_attribute.stringFor(attribute));
        return value[0];
    }

    @Override
    public DeviceProperties properties() {
        return properties;
    }

    @Override
    public DeviceArena arena() {
        use();
        return add(new JCudaArena(this));
    }

    @Override
    public GpuStream stream() {
        use();
        return add(new JCudaStream(this));
    }

    @Override
    public GpuEvent event() {
        use();
        return add(new JCudaEvent(this));
    }

    @Override
    public GpuModule load(ModuleImage image) {
        use();
        return add(JCudaModule.load(this, image));
    }

    @Override
    public long freeBytes() {
        use();
        long[] free = new long[1];
        check(JCudaDriver.cuMemGetInfo(free, new long[1]), "cuMemGetInfo");
        return free[0];
    }

    @Override
    public void synchronize() {
        use();
        check(JCudaDriver.cuCtxSynchronize(), "cuCtxSynchronize");
    }

    @Override
    public boolean canAccess(Gpu peer) {
        int[] possible = new int[1];
        check(JCudaDriver.cuDeviceCanAccessPeer(possible, device, ((JCudaGpu) peer).device), "cuDeviceCanAccessPeer");
        return possible[0] != 0;
    }

    @Override
    public void enableAccess(Gpu peer) {
        if (!canAccess(peer)) {
            throw new GpuException("cuda:%d cannot reach the memory of cuda:%d: no direct link between them"
                    .formatted(ordinal, ((JCudaGpu) peer).ordinal));
        }
        use();
        int status = JCudaDriver.cuCtxEnablePeerAccess(((JCudaGpu) peer).context, 0);
        if (status != CUresult.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) {
            check(status, "cuCtxEnablePeerAccess");
        }
    }

    @Override
    public byte[] exportHandle(DeviceMemory memory) {
        use();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = arena.allocate(DriverCalls.IPC_HANDLE_BYTES);
            check(DriverCalls.exportHandle(handle, memory.address()), "cuIpcGetMemHandle");
            return handle.toArray(JAVA_BYTE);
        }
    }

    @Override
    String name() {
        return "cuda:" + ordinal;
    }

    @Override
    void enter() {
        check(DriverCalls.setCurrent(context.address()), "cuCtxSetCurrent");
    }

    @Override
    void release() {
        check(JCudaDriver.cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
    }

    @Override
    public String toString() {
        return "cuda:%d (%s)".formatted(ordinal, properties.name());
    }
}
