package org.quern.ptx.emulator;

import java.util.Set;
import org.quern.ptx.syntax.PtxType;

/// `cvt`. Integer operands may live in registers wider than their type.
final class Conversions {
    private static final Set<PtxType> FLOATS = Set.of(PtxType.F16, PtxType.BF16, PtxType.F32, PtxType.F64);

    private static final Set<PtxType> INTEGERS = Set.of(
            PtxType.U8, PtxType.U16, PtxType.U32, PtxType.U64, PtxType.S8, PtxType.S16, PtxType.S32, PtxType.S64);

    private Conversions() {}

    static Operation cvt(Form form) {
        PtxType from = form.takeType();
        PtxType to = form.takeType();
        if (float8(from) != null || float8(to) != null) {
            return float8(form, from, to);
        }
        if (to == PtxType.BF16X2 || to == PtxType.F16X2) {
            return pair(form, from, to);
        }
        boolean fromFloat = FLOATS.contains(from);
        boolean toFloat = FLOATS.contains(to) || to == PtxType.TF32;
        PtxType source = fromFloat ? from : container(form, 1, from);
        PtxType result = toFloat ? to : container(form, 0, to);
        if (fromFloat) {
            return form.operation(
                    toFloat ? floatToFloat(form, from, to) : floatToInteger(form, from, to), result, source);
        }
        LaneFunction function = toFloat ? integerToFloat(form, from, to) : integerToInteger(form, from, to);
        return form.operation((a, _, _, _) -> function.of(extend(a, from), 0, 0, 0), result, source);
    }

    /// The type of the register that holds an integer of a type that may be narrower.
    private static PtxType container(Form form, int operand, PtxType type) {
        if (!INTEGERS.contains(type)) {
            throw form.unsupported("not with type ." + type.text());
        }
        PtxType declared = form.declaredType(form.operand(operand));
        return declared == null || declared.bytes() < type.bytes() ? type : declared;
    }

    /// Two values side by side, the first in the upper half.
    private static Operation pair(Form form, PtxType from, PtxType to) {
        PtxType half = to == PtxType.BF16X2 ? PtxType.BF16 : PtxType.F16;
        if (from != PtxType.F32) {
            throw form.unsupported("only from f32");
        }
        LaneFunction convert = floatToFloat(form, from, half);
        return form.operation((a, b, _, _) -> convert.of(a, 0, 0, 0) << 16 | convert.of(b, 0, 0, 0), to, from, from);
    }

    private static Float8 float8(PtxType type) {
        return switch (type) {
            case E4M3X2 -> Float8.E4M3;
            case E5M2X2 -> Float8.E5M2;
            default -> null;
        };
    }

    /// Two floats of 8 bits side by side, from `f32` the first in the upper half, or to `f16`.
    private static Operation float8(Form form, PtxType from, PtxType to) {
        Float8 target = float8(to);
        Float8 source = float8(from);
        boolean known = form.take("rn")
                && (target == null ? to == PtxType.F16X2 : from == PtxType.F32 && form.take("satfinite"));
        if (!known) {
            throw form.unsupported("only from f32, by rn.satfinite, or to f16x2, by rn");
        }
        return target == null
                ? form.operation((a, _, _, _) -> half(source, a >> 8) << 16 | half(source, a), to, from)
                : form.operation((a, b, _, _) -> round(target, a) << 8 | round(target, b), to, from, from);
    }

    private static long half(Float8 source, long bits) {
        float value = source.toFloat((int) bits);
        return Float.isNaN(value) ? BrainFloats.NAN : Float.floatToFloat16(value) & 0xFFFF;
    }

    private static long round(Float8 target, long bits) {
        return target.round(Float.intBitsToFloat((int) bits));
    }

    private static LaneFunction integerToInteger(Form form, PtxType from, PtxType to) {
        if (!form.take("sat")) {
            return (a, _, _, _) -> extend(a, to);
        }
        boolean large = from == PtxType.U64; // values above those of a long look negative
        long most = most(to);
        long least = least(to);
        if (to == PtxType.U64) {
            return (a, _, _, _) -> large ? a : Math.max(a, 0);
        }
        return (a, _, _, _) -> large && a < 0 ? most : Math.clamp(a, least, most);
    }

    private static LaneFunction integerToFloat(Form form, PtxType from, PtxType to) {
        if (!form.take("rn")) {
            throw form.unsupported(".rn is needed");
        }
        boolean large = from == PtxType.U64;
        return switch (to) {
            case F32 -> (a, _, _, _) -> Float.floatToRawIntBits(large && a < 0 ? 2 * (float) half(a) : (float) a);
            case F64 -> (a, _, _, _) -> Double.doubleToRawLongBits(large && a < 0 ? 2 * (double) half(a) : (double) a);
            default -> throw form.unsupported("not into type ." + to.text());
        };
    }

    /// Half of an unsigned number, with its lowest bit kept for rounding.
    private static long half(long a) {
        return a >>> 1 | a & 1;
    }

    private static LaneFunction floatToInteger(Form form, PtxType from, PtxType to) {
        Rounding rounding = integral(form);
        if (rounding == null) {
            throw form.unsupported("one of .rni, .rzi, .rmi, .rpi is needed");
        }
        boolean ftz = form.take("ftz");
        form.take("sat"); // they always are
        long ofNaN = from == PtxType.F64 || to.bytes() == 8 ? 1L << 8 * to.bytes() - 1 : 0;
        double most = to == PtxType.U64 ? 0x1p64 : most(to);
        double least = least(to);
        return (a, _, _, _) -> {
            double value = value(a, from, ftz);
            if (Double.isNaN(value)) {
                return ofNaN;
            }
            double clamped = Math.clamp(rounding.of(value), least, most);
            if (to != PtxType.U64 || clamped < 0x1p63) {
                return (long) clamped;
            }
            return clamped == 0x1p64 ? -1 : (long) (clamped - 0x1p63) + Long.MIN_VALUE;
        };
    }

    private static LaneFunction floatToFloat(Form form, PtxType from, PtxType to) {
        Rounding integral = integral(form);
        boolean ftz = form.take("ftz");
        boolean relu = form.take("relu");
        boolean saturated = form.take("sat");
        String rounding = form.takeAny("rn", "rz", "rna");
        boolean known = switch (rounding) {
            case null -> from.bytes() < to.bytes() || from == to;
            case "rn" -> from == PtxType.F32 && to.bytes() == 2 || from == PtxType.F64 && to == PtxType.F32;
            case "rz" -> from == PtxType.F32 && to == PtxType.BF16;
            default -> from == PtxType.F32 && to == PtxType.TF32;
        };
        if (!known) {
            throw form.unsupported("not with this rounding");
        }
        boolean truncated = "rz".equals(rounding);
        return (a, _, _, _) -> {
            double value = value(a, from, ftz);
            if (integral != null) {
                value = integral.of(value);
            }
            if (relu && value <= 0) {
                value = 0;
            }
            if (saturated) {
                value = value > 0 ? Math.min(value, 1) : 0;
            }
            return switch (to) {
                case F64 -> Double.doubleToLongBits(value);
                case F32 -> single((float) value, ftz);
                case TF32 -> tensor((float) value);
                case F16 -> Double.isNaN(value) ? BrainFloats.NAN : Float.floatToFloat16((float) value) & 0xFFFF;
                default ->
                    truncated && !Double.isNaN(value)
                            ? Float.floatToRawIntBits((float) value) >>> 16
                            : BrainFloats.round((float) value);
            };
        };
    }

    private static long single(float value, boolean ftz) {
        return Double.isNaN(value) ? Floats.NAN : Float.floatToRawIntBits(ftz ? Floats.flush(value) : value);
    }

    /// Rounded to 10 bits behind the point, away from zero if two are as near.
    private static long tensor(float value) {
        return Double.isNaN(value) ? Floats.NAN : Float.floatToRawIntBits(value) + 0x1000 & ~0x1FFF;
    }

    private static double value(long bits, PtxType type, boolean ftz) {
        return switch (type) {
            case F64 -> Double.longBitsToDouble(bits);
            case F16 -> Float.float16ToFloat((short) bits);
            case BF16 -> BrainFloats.toFloat((int) bits);
            default -> {
                float value = Float.intBitsToFloat((int) bits);
                yield ftz ? Floats.flush(value) : value;
            }
        };
    }

    private interface Rounding {
        double of(double value);
    }

    /// To an integer, null if the instruction does not say so.
    private static Rounding integral(Form form) {
        return switch (form.takeAny("rni", "rzi", "rmi", "rpi")) {
            case null -> null;
            case "rni" -> Math::rint;
            case "rzi" -> value -> value < 0 ? Math.ceil(value) : Math.floor(value);
            case "rmi" -> Math::floor;
            default -> Math::ceil;
        };
    }

    /// The lowest bits of a as an integer of a type.
    private static long extend(long a, PtxType type) {
        int unused = Long.SIZE - 8 * type.bytes();
        return Integers.isSigned(type) ? a << unused >> unused : a << unused >>> unused;
    }

    /// The largest value of a type, for `u64` as its bits.
    private static long most(PtxType type) {
        return -1L >>> Long.SIZE - 8 * type.bytes() + (Integers.isSigned(type) ? 1 : 0);
    }

    private static long least(PtxType type) {
        return Integers.isSigned(type) ? -1L << 8 * type.bytes() - 1 : 0;
    }
}
