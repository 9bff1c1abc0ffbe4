package org.quern.ptx.emulator;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.quern.ptx.syntax.PtxType;

/// What a kernel gets for a parameter, as people write it.
public sealed interface KernelArgument {
    PtxType type();

    /// `u32:5`: a number by value.
    record Scalar(PtxType type, long bits) implements KernelArgument {}

    /// `values:f32:1,2.5,-3`: the address of these numbers.
    record Values(PtxType type, List<Long> bits) implements KernelArgument {}

    /// `in:f32:FILE`: the address of the bytes of a file, little-endian numbers one after the other.
    record Input(PtxType type, Path file) implements KernelArgument {}

    /// `random:f32:1000` or `random:u32:1000:50257`: the address of random numbers: floats of the standard
    /// normal distribution, integers of all there are.
    ///
    /// @param limit integers are below it, unless it is 0
    record Random(PtxType type, long count, long limit) implements KernelArgument {}

    /// `out:bf16:1024`, `zeros:f32:10` or `out:f32:10:FILE`: the address of memory that the kernel writes.
    ///
    /// @param zeroed it begins as zeros, else undefined
    /// @param file that takes the result
    record Output(PtxType type, long count, boolean zeroed, Optional<Path> file) implements KernelArgument {}

    /// Reads an argument.
    ///
    /// @throws IllegalArgumentException if it is none of the above
    static KernelArgument parse(String text) {
        String[] parts = text.split(":", 4);
        if (parts.length == 2) {
            PtxType type = elementType(parts[0]);
            return new Scalar(type, bits(type, parts[1]));
        }
        if (parts.length < 3) {
            throw new IllegalArgumentException(
                    "must be TYPE:NUMBER, values:TYPE:NUMBER,..., in:TYPE:FILE, random:TYPE:COUNT[:LIMIT],"
                            + " out:TYPE:COUNT[:FILE] or zeros:TYPE:COUNT[:FILE]: got " + text);
        }
        PtxType type = elementType(parts[1]);
        return switch (parts[0]) {
            case "values" ->
                new Values(
                        type,
                        Arrays.stream(parts[2].split(","))
                                .map(number -> bits(type, number.strip()))
                                .toList());
            case "in" -> new Input(type, Path.of(text.substring(parts[0].length() + parts[1].length() + 2)));
            case "random" -> new Random(type, count(parts[2]), parts.length > 3 ? count(parts[3]) : 0);
            case "out", "zeros" ->
                new Output(
                        type,
                        count(parts[2]),
                        parts[0].equals("zeros"),
                        parts.length > 3 ? Optional.of(Path.of(parts[3])) : Optional.empty());
            default ->
                throw new IllegalArgumentException(
                        "must begin with a type, values, in, random, out or zeros: got " + text);
        };
    }

    private static PtxType elementType(String text) {
        for (PtxType type : PtxType.values()) {
            if (type.text().equals(text) && type.bytes() > 0 && type.bytes() <= Long.BYTES) {
                return type;
            }
        }
        throw new IllegalArgumentException("must have a type such as u32, s64, b16, f32 or bf16: got " + text);
    }

    private static long count(String text) {
        long count = number(text, Long::parseLong);
        if (count < 1 || count > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("needs a count of 1 to %,d: got %s".formatted(Integer.MAX_VALUE, text));
        }
        return count;
    }

    private static <T> T number(String text, Function<String, T> parse) {
        try {
            return parse.apply(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("needs a number: got " + text, e);
        }
    }

    /// A number of a type as its bits; integers may be hexadecimal (`0xFF`).
    private static long bits(PtxType type, String text) {
        return switch (type) {
            case F16, BF16, F32, F64, TF32 -> bits(type, number(text, Double::parseDouble));
            default -> {
                long bits = text.startsWith("0x")
                        ? number(text.substring(2), digits -> Long.parseUnsignedLong(digits, 16))
                        : number(text, text.startsWith("-") ? Long::parseLong : Long::parseUnsignedLong);
                if (!type.holds(bits)) {
                    throw new IllegalArgumentException("%s does not fit into a %s".formatted(text, type.text()));
                }
                yield bits;
            }
        };
    }

    /// The nearest float of a type as its bits.
    static long bits(PtxType type, double value) {
        return switch (type) {
            case F16 -> Float.floatToFloat16((float) value);
            case BF16 -> BrainFloats.round(value);
            case F64 -> Double.doubleToRawLongBits(value);
            default -> Float.floatToRawIntBits((float) value);
        };
    }

    /// Bits as a person reads them.
    static String text(PtxType type, long bits) {
        return switch (type) {
            case F16 -> Float.toString(Float.float16ToFloat((short) bits));
            case BF16 -> Float.toString(BrainFloats.toFloat((int) bits));
            case F32, TF32 -> Float.toString(Float.intBitsToFloat((int) bits));
            case F64 -> Double.toString(Double.longBitsToDouble(bits));
            case U8, U16, U32, U64 -> Long.toUnsignedString(bits);
            case S8 -> Byte.toString((byte) bits);
            case S16 -> Short.toString((short) bits);
            case S32 -> Integer.toString((int) bits);
            case S64 -> Long.toString(bits);
            default -> ("0x%0" + 2 * type.bytes() + "x").formatted(bits);
        };
    }
}
