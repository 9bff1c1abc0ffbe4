package org.quern.gpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/// The driver's call that launches a kernel with attributes, which drivers before 11.8 lack, for the one that lets
/// it begin while the kernel before it in the stream ends. One object serves one stream.
final class ProgrammaticCalls {
    static final String NAME = "cuLaunchKernelEx";

    /// `CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction f, void** parameters, void** extra)`
    private static final Optional<MethodHandle> LAUNCH = SymbolLookup.libraryLookup(CudaDriver.LIBRARY, Arena.global())
            .find(NAME)
            .map(address -> Linker.nativeLinker()
                    .downcallHandle(
                            address, FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG)));

    /// `CUlaunchConfig`: grid and block, three unsigned numbers each, and what follows at these offsets.
    private static final int CONFIG_BYTES = 56;
    private static final int BLOCK = 12;
    private static final int SHARED_BYTES = 24;
    private static final int STREAM = 32;
    private static final int ATTRIBUTES = 40;
    private static final int ATTRIBUTE_COUNT = 48;

    /// `CUlaunchAttribute`: its kind, and its value at this offset.
    private static final int ATTRIBUTE_BYTES = 72;
    private static final int VALUE = 8;
    private static final int PROGRAMMATIC_STREAM_SERIALIZATION = 6;

    private final MemorySegment config = Arena.ofAuto().allocate(CONFIG_BYTES, Long.BYTES);
    private final MemorySegment attribute = Arena.ofAuto().allocate(ATTRIBUTE_BYTES, Long.BYTES);

    ProgrammaticCalls(long stream) {
        attribute.set(JAVA_INT, 0, PROGRAMMATIC_STREAM_SERIALIZATION);
        attribute.set(JAVA_INT, VALUE, 1);
        config.set(JAVA_LONG, STREAM, stream);
        config.set(JAVA_LONG, ATTRIBUTES, attribute.address());
        config.set(JAVA_INT, ATTRIBUTE_COUNT, 1);
    }

    /// The driver's status.
    int launch(long function, Launch launch, long parameters) {
        MethodHandle handle = LAUNCH.orElseThrow(() -> new GpuException("the driver has no " + NAME));
        put(0, launch.grid());
        put(BLOCK, launch.block());
        config.set(JAVA_INT, SHARED_BYTES, launch.sharedBytes());
        try {
            return (int) handle.invokeExact(config, function, parameters, 0L);
        } catch (Throwable e) {
            throw new AssertionError("a foreign call throws nothing", e);
        }
    }

    private void put(int offset, Launch.Dim dim) {
        config.set(JAVA_INT, offset, dim.x());
        config.set(JAVA_INT, offset + 4, dim.y());
        config.set(JAVA_INT, offset + 8, dim.z());
    }
}
