package org.quern.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.quern.base.QuernException;

/// A tensor as a file holds it: a view of memory, row-major and little-endian.
///
/// @param name its name, in Hugging Face's terms for the weights of a model
/// @param dtype the type of its elements
/// @param shape its sizes, slowest first; empty: a single value
/// @param data exactly its elements, off the heap or over a `byte[]`
public record NamedTensor(String name, DType dtype, List<Long> shape, MemorySegment data) {
    /// The element types of safetensors files, under the names they have there.
    public enum DType {
        BOOL(1),
        U8(1),
        I8(1),
        F8_E5M2(1),
        F8_E4M3(1),
        I16(2),
        U16(2),
        F16(2),
        BF16(2),
        I32(4),
        U32(4),
        F32(4),
        F64(8),
        I64(8),
        U64(8);

        private final int bytes;

        DType(int bytes) {
            this.bytes = bytes;
        }

        /// Bytes of an element.
        public int bytes() {
            return bytes;
        }
    }

    public NamedTensor {
        shape = List.copyOf(shape);
        long bytes = new TensorSpec(name, dtype, shape).bytes();
        if (data.byteSize() != bytes) {
            throw new IllegalArgumentException("%s: %s %s takes %d bytes, its memory has %d"
                    .formatted(name, dtype, shape, bytes, data.byteSize()));
        }
    }

    /// An fp32 tensor.
    public static NamedTensor floats(String name, MemorySegment data, long... shape) {
        return new NamedTensor(name, DType.F32, LongStream.of(shape).boxed().toList(), data);
    }

    /// The tensor without its memory.
    public TensorSpec spec() {
        return new TensorSpec(name, dtype, shape);
    }

    /// Writes the elements as fp32; exact, as F32, BF16 and F16 are.
    ///
    /// @param target fp32, as many elements
    /// @throws QuernException if the elements are of another type
    public void copyToFloat(MemorySegment target) {
        long count = data.byteSize() / dtype.bytes();
        if (target.byteSize() != Float.BYTES * count) {
            throw new IllegalArgumentException(
                    "%s: %d elements do not fill %d bytes of fp32".formatted(name, count, target.byteSize()));
        }
        switch (dtype) {
            case F32 -> target.copyFrom(data);
            case BF16 -> {
                for (long i = 0; i < count; i++) {
                    int bits = data.get(JAVA_SHORT_UNALIGNED, 2 * i) << 16;
                    target.set(JAVA_FLOAT_UNALIGNED, 4 * i, Float.intBitsToFloat(bits));
                }
            }
            case F16 -> {
                for (long i = 0; i < count; i++) {
                    float value = Float.float16ToFloat(data.get(JAVA_SHORT_UNALIGNED, 2 * i));
                    target.set(JAVA_FLOAT_UNALIGNED, 4 * i, value);
                }
            }
            default -> throw QuernException.data("%s: expected F32, BF16 or F16, found %s".formatted(name, dtype));
        }
    }

    /// Whether the elements are of a type, or can be made that without rounding.
    private boolean fits(DType type) {
        return dtype == type || type == DType.F32 && (dtype == DType.BF16 || dtype == DType.F16);
    }

    private void copyTo(NamedTensor target) {
        if (dtype == target.dtype) {
            target.data.copyFrom(data);
        } else {
            copyToFloat(target.data);
        }
    }

    /// Fills fp32 and bf16 tensors from those of the same names, which must be there with the same shapes, and no
    /// others. What is to become bf16 must be that.
    ///
    /// @param source where `from` was read, for the message
    /// @throws QuernException naming every missing, unknown and misshaped tensor; then nothing was written
    public static void copyAll(String source, List<NamedTensor> from, List<NamedTensor> into) {
        Map<String, NamedTensor> sources = new LinkedHashMap<>();
        from.forEach(tensor -> sources.put(tensor.name, tensor));
        List<String> problems = new ArrayList<>();
        List<Runnable> copies = new ArrayList<>();
        for (NamedTensor target : into) {
            NamedTensor tensor = sources.remove(target.name);
            if (tensor == null) {
                problems.add("%s: expected %s, found none".formatted(target.name, target.shape));
            } else if (!tensor.shape.equals(target.shape)) {
                problems.add("%s: expected %s, found %s".formatted(target.name, target.shape, tensor.shape));
            } else if (!tensor.fits(target.dtype)) {
                String expected = target.dtype == DType.F32 ? "F32, BF16 or F16" : target.dtype.toString();
                problems.add("%s: expected %s, found %s".formatted(target.name, expected, tensor.dtype));
            } else {
                copies.add(() -> tensor.copyTo(target));
            }
        }
        for (NamedTensor tensor : sources.values()) {
            problems.add("%s: expected none, found %s".formatted(tensor.name, tensor.shape));
        }
        if (!problems.isEmpty()) {
            throw QuernException.data(
                    "%s: these tensors do not fit the model:\n  %s".formatted(source, String.join("\n  ", problems)));
        }
        copies.forEach(Runnable::run);
    }
}
