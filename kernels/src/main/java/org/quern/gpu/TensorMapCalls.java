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
import org.quern.gpu.TensorMap.Element;

/// The driver's call that makes tensor maps, which JCuda lacks, and drivers before 12.0 as well.
final class TensorMapCalls {
    private static final String NAME = "cuTensorMapEncodeTiled";
    private static final int NOT_INTERLEAVED = 0;
    private static final int PROMOTED_TO_128_BYTES = 2;
    private static final int ZEROS_OUTSIDE = 0;

    /// `CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
    /// const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box, const cuuint32_t* elementStrides,
    /// CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill)`
    private static final Optional<MethodHandle> ENCODE = SymbolLookup.libraryLookup(CudaDriver.LIBRARY, Arena.global())
            .find(NAME)
            .map(address -> Linker.nativeLinker()
                    .downcallHandle(
                            address,
                            FunctionDescriptor.of(
                                    JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS,
                                    ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT)));

    private TensorMapCalls() {}

    /// @throws GpuException if the driver cannot
    static MemorySegment encode(TensorMap map) {
        MethodHandle encode = ENCODE.orElseThrow(() ->
                new GpuException("the driver has no %s: kernels for sm_90a need driver 525 or newer".formatted(NAME)));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = Arena.ofAuto().allocate(TensorMap.BYTES, TensorMap.BYTES);
            int rank = map.sizes().size();
            int[] ones = new int[rank];
            java.util.Arrays.fill(ones, 1);
            int status = (int) encode.invokeExact(
                    bytes,
                    type(map.element()),
                    rank,
                    map.address(),
                    arena.allocateFrom(JAVA_LONG, longs(map.sizes())),
                    arena.allocateFrom(JAVA_LONG, longs(map.strides())),
                    arena.allocateFrom(
                            JAVA_INT,
                            map.box().stream().mapToInt(Integer::intValue).toArray()),
                    arena.allocateFrom(JAVA_INT, ones),
                    NOT_INTERLEAVED,
                    swizzle(map.swizzle()),
                    PROMOTED_TO_128_BYTES,
                    ZEROS_OUTSIDE);
            CudaStatus.check(status, "%s of %s".formatted(NAME, map));
            return bytes;
        } catch (GpuException e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a foreign call throws nothing", e);
        }
    }

    private static long[] longs(java.util.List<Long> values) {
        return values.stream().mapToLong(Long::longValue).toArray();
    }

    /// `CUtensorMapDataType`
    private static int type(Element element) {
        return switch (element) {
            case UINT8 -> 0;
            case UINT16 -> 1;
            case UINT32 -> 2;
            case FLOAT32 -> 7;
            case BFLOAT16 -> 9;
        };
    }

    /// `CUtensorMapSwizzle`
    private static int swizzle(TensorMap.Swizzle swizzle) {
        return switch (swizzle) {
            case NONE -> 0;
            case BYTES_32 -> 1;
            case BYTES_64 -> 2;
            case BYTES_128 -> 3;
        };
    }
}
