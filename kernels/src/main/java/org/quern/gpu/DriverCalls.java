package org.quern.gpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/// The driver's calls that do not go through JCuda: those of every step, which cost it microseconds (it walks the
/// arguments' pointers one by one), and those whose types it keeps closed. Handles and addresses are plain numbers.
/// Each returns the driver's status. The driver has been started before this class is used.
final class DriverCalls {
    static final int IPC_HANDLE_BYTES = 64;

    private static final int IPC_LAZY_PEER_ACCESS = 1;

    private static final AddressLayout POINTER = ValueLayout.ADDRESS;
    private static final MemoryLayout IPC_HANDLE =
            MemoryLayout.structLayout(MemoryLayout.sequenceLayout(IPC_HANDLE_BYTES, JAVA_BYTE));
    private static final SymbolLookup DRIVER = SymbolLookup.libraryLookup(CudaDriver.LIBRARY, Arena.global());

    private static final MethodHandle SET_CURRENT = bind("cuCtxSetCurrent", JAVA_LONG);
    private static final MethodHandle LAUNCH = bind(
            "cuLaunchKernel",
            JAVA_LONG,
            JAVA_INT,
            JAVA_INT,
            JAVA_INT,
            JAVA_INT,
            JAVA_INT,
            JAVA_INT,
            JAVA_INT,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG);
    private static final MethodHandle TO_DEVICE =
            bind("cuMemcpyHtoDAsync_v2", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle TO_HOST =
            bind("cuMemcpyDtoHAsync_v2", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle COPY = bind("cuMemcpyAsync", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle FILL = bind("cuMemsetD8Async", JAVA_LONG, JAVA_BYTE, JAVA_LONG, JAVA_LONG);
    private static final MethodHandle EXPORT = bind("cuIpcGetMemHandle", POINTER, JAVA_LONG);
    private static final MethodHandle IMPORT = bind("cuIpcOpenMemHandle_v2", POINTER, IPC_HANDLE, JAVA_INT);
    private static final MethodHandle CLOSE = bind("cuIpcCloseMemHandle", JAVA_LONG);

    private DriverCalls() {}

    private static MethodHandle bind(String name, MemoryLayout... parameters) {
        MemorySegment address = DRIVER.find(name)
                .orElseThrow(() -> new UnsatisfiedLinkError("%s has no %s".formatted(CudaDriver.LIBRARY, name)));
        return Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(JAVA_INT, parameters));
    }

    private static AssertionError unexpected(Throwable e) {
        return new AssertionError("a foreign call throws nothing", e);
    }

    /// `CUresult cuCtxSetCurrent(CUcontext ctx)`
    static int setCurrent(long context) {
        try {
            return (int) SET_CURRENT.invokeExact(context);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `CUresult cuLaunchKernel(CUfunction f, unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes,
    /// CUstream stream, void** parameters, void** extra)`
    static int launch(long function, Launch.Dim grid, Launch.Dim block, int sharedBytes, long stream, long parameters) {
        try {
            return (int) LAUNCH.invokeExact(
                    function,
                    grid.x(),
                    grid.y(),
                    grid.z(),
                    block.x(),
                    block.y(),
                    block.z(),
                    sharedBytes,
                    stream,
                    parameters,
                    0L);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `CUresult cuMemcpyHtoDAsync(CUdeviceptr target, const void* source, size_t bytes, CUstream stream)`
    static int copyToDevice(long target, long source, long bytes, long stream) {
        try {
            return (int) TO_DEVICE.invokeExact(target, source, bytes, stream);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `CUresult cuMemcpyDtoHAsync(void* target, CUdeviceptr source, size_t bytes, CUstream stream)`
    static int copyToHost(long target, long source, long bytes, long stream) {
        try {
            return (int) TO_HOST.invokeExact(target, source, bytes, stream);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `CUresult cuMemcpyAsync(CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream)`
    static int copy(long target, long source, long bytes, long stream) {
        try {
            return (int) COPY.invokeExact(target, source, bytes, stream);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `CUresult cuMemsetD8Async(CUdeviceptr target, unsigned char value, size_t count, CUstream stream)`
    static int fill(long target, byte value, long bytes, long stream) {
        try {
            return (int) FILL.invokeExact(target, value, bytes, stream);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `CUresult cuIpcGetMemHandle(CUipcMemHandle* handle, CUdeviceptr address)`
    static int exportHandle(MemorySegment handle, long address) {
        try {
            return (int) EXPORT.invokeExact(handle, address);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `CUresult cuIpcOpenMemHandle(CUdeviceptr* address, CUipcMemHandle handle, unsigned flags)`
    static int openHandle(MemorySegment address, MemorySegment handle) {
        try {
            return (int) IMPORT.invokeExact(address, handle, IPC_LAZY_PEER_ACCESS);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// `CUresult cuIpcCloseMemHandle(CUdeviceptr address)`
    static int closeHandle(long address) {
        try {
            return (int) CLOSE.invokeExact(address);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }
}
