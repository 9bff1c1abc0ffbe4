package org.quern.ptx.emulator;

import java.util.Collections;
import java.util.function.DoubleBinaryOperator;
import org.quern.ptx.syntax.PtxType;

/// Arithmetic on `bf16` and pairs of them, and their rounding. Subnormal numbers are kept.
final class BrainFloats {
    /// What arithmetic on `bf16` gives for every NaN.
    static final int NAN = 0x7FFF;

    /// On values of bf16 to an exact result or one rounded to odd.
    private interface Exact {
        double of(double a, double b, double c);
    }

    private BrainFloats() {}

    /// An instruction of type `bf16` or `bf16x2`.
    static Operation decode(Form form, PtxType type) {
        int sign = 0x8000;
        return switch (form.opcode()) {
            case "fma" -> {
                form.take("rn");
                boolean relu = form.take("relu");
                yield rounded(form, type, 2, 3, (a, b, c) -> {
                    double sum = sum(a * b, c);
                    return relu && sum <= 0 ? 0 : sum;
                });
            }
            case "add" -> plain(form, type, 2, (a, b, _) -> sum(a, b));
            case "sub" -> plain(form, type, 2, (a, b, _) -> sum(a, -b));
            case "mul" -> plain(form, type, 2, (a, b, _) -> a * b);
            case "min" -> extreme(form, type, Math::min);
            case "max" -> extreme(form, type, Math::max);
            case "abs" -> operation(form, type, 1, (a, _, _, _) -> a & ~sign);
            case "neg" -> operation(form, type, 1, (a, _, _, _) -> a ^ sign);
            case "ex2" -> special(form, type, (a, _, _) -> Math.pow(2, a));
            case "tanh" -> special(form, type, (a, _, _) -> Math.tanh(a));
            default -> throw form.unsupported("not for bf16");
        };
    }

    /// The number with these bits.
    static float toFloat(int bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /// The bits of the nearest number, of two as near the even one.
    static int round(float value) {
        if (Float.isNaN(value)) {
            return NAN;
        }
        int bits = Float.floatToRawIntBits(value);
        return bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
    }

    /// As [#round(float)], without rounding twice: the float between is rounded to odd.
    static int round(double value) {
        float nearest = (float) value;
        int bits = Float.floatToRawIntBits(nearest);
        if (nearest != value && !Double.isNaN(value)) {
            if (Math.abs((double) nearest) > Math.abs(value)) {
                bits--;
            }
            bits |= 1;
        }
        return round(Float.intBitsToFloat(bits));
    }

    /// The sum, rounded to odd if it isn't exact, so that rounding it to fewer bits is right.
    private static double sum(double a, double b) {
        double sum = a + b;
        double partOfB = sum - a;
        double error = a - (sum - partOfB) + (b - partOfB);
        if (error == 0 || !Double.isFinite(error)) {
            return sum;
        }
        long bits = Double.doubleToRawLongBits(sum);
        if ((bits & 1) != 0) {
            return sum;
        }
        return Double.longBitsToDouble(error > 0 == sum > 0 ? bits + 1 : bits - 1);
    }

    private static Operation plain(Form form, PtxType type, int operands, Exact function) {
        form.take("rn");
        return rounded(form, type, 1, operands, function);
    }

    private static Operation extreme(Form form, PtxType type, DoubleBinaryOperator function) {
        DoubleBinaryOperator extreme = Floats.extreme(form.take("NaN"), function);
        return rounded(form, type, 1, 2, (a, b, _) -> extreme.applyAsDouble(a, b));
    }

    private static Operation special(Form form, PtxType type, Exact function) {
        if (!form.take("approx")) {
            throw form.unsupported(".approx is needed");
        }
        form.take("ftz");
        return rounded(form.special(), type, 1, 1, function);
    }

    private static Operation rounded(Form form, PtxType type, int flops, int operands, Exact function) {
        return operation(
                form.flops(type == PtxType.BF16X2 ? 2 * flops : flops),
                type,
                operands,
                (a, b, c, _) -> round(function.of(toFloat((int) a), toFloat((int) b), toFloat((int) c))));
    }

    /// @param function on bits of 16, in the low half
    private static Operation operation(Form form, PtxType type, int operands, LaneFunction function) {
        LaneFunction all = type == PtxType.BF16
                ? function
                : (a, b, c, _) -> function.of(a & 0xFFFF, b & 0xFFFF, c & 0xFFFF, 0) & 0xFFFF
                        | function.of(a >> 16, b >> 16, c >> 16, 0) << 16;
        return form.operation(all, type, Collections.nCopies(operands, type).toArray(PtxType[]::new));
    }
}
