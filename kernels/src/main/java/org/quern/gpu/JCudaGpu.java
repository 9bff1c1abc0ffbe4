package org.quern.gpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.quern.gpu.CudaStatus.check;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/// An NVIDIA GPU through its driver: JCuda, and [DriverCalls] for what it lacks or does slowly.
///
/// It uses the device's primary context, as NVIDIA's libraries do, and makes it current on the thread of each call.
final class JCudaGpu implements Gpu {
    private static final int LEAST_MAJOR = 8;

    private final int ordinal;
    private final CUdevice device;
    private final Context context;
    private final DeviceProperties properties;
    /// In the order of their creation.
    private final Set<Owned> open = new LinkedHashSet<>();

    private boolean closed;

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
        makeCurrent();
        return add(new JCudaArena(this));
    }

    @Override
    public GpuStream stream() {
        makeCurrent();
        return add(new JCudaStream(this));
    }

    @Override
    public GpuEvent event() {
        makeCurrent();
        return add(new JCudaEvent(this));
    }

    @Override
    public GpuModule load(ModuleImage image) {
        makeCurrent();
        return add(JCudaModule.load(this, image));
    }

    @Override
    public long freeBytes() {
        makeCurrent();
        long[] free = new long[1];
        check(JCudaDriver.cuMemGetInfo(free, new long[1]), "cuMemGetInfo");
        return free[0];
    }

    @Override
    public void synchronize() {
        makeCurrent();
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
        makeCurrent();
        int status = JCudaDriver.cuCtxEnablePeerAccess(((JCudaGpu) peer).context, 0);
        if (status != CUresult.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) {
            check(status, "cuCtxEnablePeerAccess");
        }
    }

    @Override
    public byte[] exportHandle(DeviceMemory memory) {
        makeCurrent();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = arena.allocate(DriverCalls.IPC_HANDLE_BYTES);
            check(DriverCalls.exportHandle(handle, memory.address()), "cuIpcGetMemHandle");
            return handle.toArray(JAVA_BYTE);
        }
    }

    void makeCurrent() {
        if (closed) {
            throw new GpuException("cuda:%d is closed".formatted(ordinal));
        }
        check(DriverCalls.setCurrent(context.address()), "cuCtxSetCurrent");
    }

    synchronized <T extends Owned> T add(T owned) {
        open.add(owned);
        return owned;
    }

    synchronized void remove(Owned owned) {
        open.remove(owned);
    }

    private synchronized List<Owned> stillOpen() {
        return new ArrayList<>(open).reversed();
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        List<Owned> left = stillOpen();
        GpuException failure = left.isEmpty()
                ? null
                : new GpuException("cuda:%d was closed before %s"
                        .formatted(ordinal, left.stream().map(Owned::describe).collect(Collectors.joining(", "))));
        for (Owned owned : left) {
            try {
                owned.close();
            } catch (GpuException e) {
                failure.addSuppressed(e);
            }
        }
        closed = true;
        int status = JCudaDriver.cuDevicePrimaryCtxRelease(device);
        if (failure != null) {
            throw failure;
        }
        check(status, "cuDevicePrimaryCtxRelease");
    }

    @Override
    public String toString() {
        return "cuda:%d (%s)".formatted(ordinal, properties.name());
    }
}
