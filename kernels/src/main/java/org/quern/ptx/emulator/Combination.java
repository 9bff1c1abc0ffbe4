package org.quern.ptx.emulator;

import org.quern.ptx.syntax.PtxType;

/// What an atomic operation, or a reduction by a bulk copy, makes of an old value and another one.
///
/// @param operation a modifier: `add`, `min` and so on
record Combination(String operation, PtxType type) {
    /// Whether there is such an atomic operation.
    boolean isAtomic() {
        return switch (operation) {
            case "and", "or", "xor", "exch", "cas" -> type == PtxType.B32 || type == PtxType.B64;
            case "add" ->
                switch (type) {
                    case U32, S32, U64, F32, F64 -> true;
                    default -> false;
                };
            case "inc", "dec" -> type == PtxType.U32;
            case "min", "max" ->
                switch (type) {
                    case U32, S32, U64, S64 -> true;
                    default -> false;
                };
            default -> false;
        };
    }

    /// Whether there is such a reduction by bulk copies to global memory.
    boolean isReduction() {
        return switch (operation) {
            case "add", "min", "max" -> type == PtxType.F16 || type == PtxType.BF16 || isAtomic();
            case "and", "or", "xor", "inc", "dec" -> isAtomic();
            default -> false;
        };
    }

    /// Of up to 32 bits.
    int of(int old, int value, int replacement) {
        return switch (operation) {
            case "and" -> old & value;
            case "or" -> old | value;
            case "xor" -> old ^ value;
            case "exch" -> value;
            case "cas" -> old == value ? replacement : old;
            case "add" ->
                switch (type) {
                    case F32 -> Float.floatToRawIntBits(Float.intBitsToFloat(old) + Float.intBitsToFloat(value));
                    case BF16, F16 -> bits((double) number(old) + number(value));
                    default -> old + value;
                };
            case "inc" -> Integer.compareUnsigned(old, value) >= 0 ? 0 : old + 1;
            case "dec" -> old == 0 || Integer.compareUnsigned(old, value) > 0 ? value : old - 1;
            case "min" ->
                switch (type) {
                    case S32 -> Math.min(old, value);
                    case BF16, F16 -> Float.isNaN(number(value)) || number(old) < number(value) ? old : value;
                    default -> Integer.compareUnsigned(old, value) < 0 ? old : value;
                };
            case "max" ->
                switch (type) {
                    case S32 -> Math.max(old, value);
                    case BF16, F16 -> Float.isNaN(number(value)) || number(old) > number(value) ? old : value;
                    default -> Integer.compareUnsigned(old, value) > 0 ? old : value;
                };
            default -> throw new AssertionError(operation);
        };
    }

    /// Of 64 bits.
    long of(long old, long value, long replacement) {
        return switch (operation) {
            case "and" -> old & value;
            case "or" -> old | value;
            case "xor" -> old ^ value;
            case "exch" -> value;
            case "cas" -> old == value ? replacement : old;
            case "add" ->
                type == PtxType.F64
                        ? Double.doubleToRawLongBits(Double.longBitsToDouble(old) + Double.longBitsToDouble(value))
                        : old + value;
            case "min" ->
                type == PtxType.S64 ? Math.min(old, value) : Long.compareUnsigned(old, value) < 0 ? old : value;
            case "max" ->
                type == PtxType.S64 ? Math.max(old, value) : Long.compareUnsigned(old, value) > 0 ? old : value;
            default -> throw new AssertionError(operation);
        };
    }

    private float number(int bits) {
        return type == PtxType.BF16 ? BrainFloats.toFloat(bits) : Float.float16ToFloat((short) bits);
    }

    private int bits(double sum) {
        // To round to f32 first does no harm: it has more than twice the bits of f16.
        return type == PtxType.BF16 ? BrainFloats.round(sum) : Float.floatToFloat16((float) sum);
    }
}
