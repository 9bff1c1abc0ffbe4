package org.quern.ptx.emulator;

import java.util.Collections;
import java.util.function.DoubleBinaryOperator;
import org.quern.ptx.syntax.PtxType;

/// Arithmetic on `f32` and `f64`. What the hardware approximates is computed in double precision and rounded.
final class Floats {
    /// What arithmetic on `f32` gives for every NaN.
    static final int NAN = 0x7FFFFFFF;

    /// On `f32`; for `f64` see [Twofold].
    private interface Single {
        float of(float a, float b, float c);
    }

    private interface Twofold {
        double of(double a, double b, double c);
    }

    private Floats() {}

    /// An instruction of type `f32`.
    static Operation single(Form form) {
        boolean ftz = form.take("ftz");
        return switch (form.opcode()) {
            case "add" -> exact(form, 1, 2, ftz, (a, b, _) -> a + b);
            case "sub" -> exact(form, 1, 2, ftz, (a, b, _) -> a - b);
            case "mul" -> exact(form, 1, 2, ftz, (a, b, _) -> a * b);
            case "fma", "mad" -> exact(form, 2, 3, ftz, Math::fma);
            case "min" -> extreme(form, ftz, Math::min);
            case "max" -> extreme(form, ftz, Math::max);
            case "abs" -> bits(form, PtxType.F32, 1, (a, _, _, _) -> input((int) a, ftz) & Integer.MAX_VALUE);
            case "neg" -> bits(form, PtxType.F32, 1, (a, _, _, _) -> input((int) a, ftz) ^ Integer.MIN_VALUE);
            case "copysign" ->
                bits(form, PtxType.F32, 2, (a, b, _, _) -> a & Integer.MIN_VALUE | b & Integer.MAX_VALUE);
            case "div" -> {
                if (form.take("approx")) {
                    yield operation(form.special(), 2, ftz, false, (a, b, _) -> divideApproximately(a, b));
                }
                if (form.take("full")) {
                    yield operation(form.special(), 2, ftz, false, (a, b, _) -> a / b);
                }
                yield rounded(form, 2, ftz, (a, b, _) -> a / b);
            }
            case "rcp" -> approximateOrRounded(form, ftz, (a, _, _) -> 1 / a);
            case "sqrt" -> approximateOrRounded(form, ftz, (a, _, _) -> (float) Math.sqrt(a));
            case "rsqrt" -> approximate(form, ftz, (a, _, _) -> (float) (1 / Math.sqrt(a)));
            case "ex2" -> approximate(form, ftz, (a, _, _) -> (float) Math.pow(2, a));
            case "lg2" -> approximate(form, ftz, (a, _, _) -> (float) (Math.log(a) / Math.log(2)));
            case "sin" -> approximate(form, ftz, (a, _, _) -> (float) Math.sin(a));
            case "cos" -> approximate(form, ftz, (a, _, _) -> (float) Math.cos(a));
            case "tanh" -> approximate(form, ftz, (a, _, _) -> (float) Math.tanh(a));
            default -> throw form.unsupported("not for f32");
        };
    }

    /// An instruction of type `f64`.
    static Operation twofold(Form form) {
        return switch (form.opcode()) {
            case "add" -> twofold(form, 1, 2, (a, b, _) -> a + b);
            case "sub" -> twofold(form, 1, 2, (a, b, _) -> a - b);
            case "mul" -> twofold(form, 1, 2, (a, b, _) -> a * b);
            case "fma", "mad" -> twofold(form, 2, 3, Math::fma);
            case "div" -> twofold(form, 1, 2, (a, b, _) -> a / b);
            case "rcp" -> twofold(form, 1, 1, (a, _, _) -> 1 / a);
            case "sqrt" -> twofold(form, 1, 1, (a, _, _) -> Math.sqrt(a));
            case "min" -> extreme(form, Math::min);
            case "max" -> extreme(form, Math::max);
            case "abs" -> bits(form, PtxType.F64, 1, (a, _, _, _) -> a & Long.MAX_VALUE);
            case "neg" -> bits(form, PtxType.F64, 1, (a, _, _, _) -> a ^ Long.MIN_VALUE);
            case "copysign" -> bits(form, PtxType.F64, 2, (a, b, _, _) -> a & Long.MIN_VALUE | b & Long.MAX_VALUE);
            default -> throw form.unsupported("not for f64");
        };
    }

    /// Subnormal numbers as zeros, which `.ftz` asks for of operands and results.
    static float flush(float value) {
        return Math.abs(value) < Float.MIN_NORMAL ? Math.copySign(0, value) : value;
    }

    /// `.sat`: into 0 to 1, NaN to 0.
    static float saturate(float value) {
        return value > 0 ? Math.min(value, 1) : 0;
    }

    private static int input(int bits, boolean ftz) {
        return ftz && (bits & 0x7F800000) == 0 ? bits & Integer.MIN_VALUE : bits;
    }

    private static Operation exact(Form form, int flops, int operands, boolean ftz, Single function) {
        form.take("rn");
        return operation(form.flops(flops), operands, ftz, form.take("sat"), function);
    }

    private static Operation rounded(Form form, int operands, boolean ftz, Single function) {
        if (!form.take("rn")) {
            throw form.unsupported("one of .rn, .approx is needed");
        }
        return operation(form.flops(1), operands, ftz, false, function);
    }

    private static Operation approximate(Form form, boolean ftz, Single function) {
        if (!form.take("approx")) {
            throw form.unsupported(".approx is needed");
        }
        return operation(form.special(), 1, ftz, false, function);
    }

    private static Operation approximateOrRounded(Form form, boolean ftz, Single function) {
        return form.take("approx")
                ? operation(form.special(), 1, ftz, false, function)
                : rounded(form, 1, ftz, function);
    }

    private static Operation extreme(Form form, boolean ftz, DoubleBinaryOperator function) {
        DoubleBinaryOperator extreme = extreme(form.take("NaN"), function);
        return operation(form.flops(1), 2, ftz, false, (a, b, _) -> (float) extreme.applyAsDouble(a, b));
    }

    private static Operation extreme(Form form, DoubleBinaryOperator function) {
        DoubleBinaryOperator extreme = extreme(false, function);
        return twofold(form, 1, 2, (a, b, _) -> extreme.applyAsDouble(a, b));
    }

    /// A minimum or maximum. Of a number and a NaN it is the number, unless NaNs are to be kept.
    static DoubleBinaryOperator extreme(boolean keepsNaN, DoubleBinaryOperator function) {
        return (a, b) -> {
            if (!keepsNaN && Double.isNaN(a)) {
                return b;
            }
            return !keepsNaN && Double.isNaN(b) ? a : function.applyAsDouble(a, b);
        };
    }

    private static float divideApproximately(float a, float b) {
        if (Math.abs(b) > 0x1p126f && Float.isFinite(b)) {
            return Float.isFinite(a) ? Math.copySign(0, a) * Math.signum(b) : Float.NaN;
        }
        return a / b;
    }

    private static Operation operation(Form form, int operands, boolean ftz, boolean saturated, Single function) {
        return bits(form, PtxType.F32, operands, (a, b, c, _) -> {
            float result = function.of(
                    Float.intBitsToFloat(input((int) a, ftz)),
                    Float.intBitsToFloat(input((int) b, ftz)),
                    Float.intBitsToFloat(input((int) c, ftz)));
            if (saturated) {
                result = saturate(result);
            }
            return Float.isNaN(result) ? NAN : input(Float.floatToRawIntBits(result), ftz);
        });
    }

    private static Operation twofold(Form form, int flops, int operands, Twofold function) {
        form.take("rn");
        return bits(
                form.flops(flops),
                PtxType.F64,
                operands,
                (a, b, c, _) -> Double.doubleToLongBits(function.of(
                        Double.longBitsToDouble(a), Double.longBitsToDouble(b), Double.longBitsToDouble(c))));
    }

    private static Operation bits(Form form, PtxType type, int operands, LaneFunction function) {
        return form.operation(
                function, type, Collections.nCopies(operands, type).toArray(PtxType[]::new));
    }
}
