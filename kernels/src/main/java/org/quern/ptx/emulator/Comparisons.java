package org.quern.ptx.emulator;

import java.util.ArrayList;
import java.util.List;
import org.quern.ptx.syntax.Operand;
import org.quern.ptx.syntax.PtxType;

/// Predicates from values, and values by predicates.
final class Comparisons {
    private Comparisons() {}

    /// `setp.lt.and.f32 p|q, a, b, c`: p is (a < b) and c, q is not (a < b) and c.
    static Operation setp(Form form) {
        PtxType type = form.takeType();
        LaneFunction compare = compare(form, type);
        LaneFunction combine = combine(form);
        List<Operand> operands = new ArrayList<>();
        List<PtxType> types = new ArrayList<>(List.of(type, type));
        if (combine != null) {
            types.add(PtxType.PRED);
        }
        for (int i = 0; i < types.size(); i++) {
            operands.add(form.operand(1 + i));
        }
        if (form.operands() != 1 + types.size()) {
            throw form.unsupported("%d operands are needed: got %d".formatted(1 + types.size(), form.operands()));
        }
        LaneFunction condition = combined(compare, combine);
        if (!(form.operand(0) instanceof Operand.Pair pair)) {
            return form.operation("", condition, form.operand(0), PtxType.PRED, operands, types);
        }
        LaneFunction otherwise = combined((a, b, c, d) -> compare.of(a, b, c, d) ^ 1, combine);
        Operation first = form.operation("", condition, pair.first(), PtxType.PRED, operands, types);
        Operation second = form.operation("|", otherwise, pair.second(), PtxType.PRED, operands, types);
        boolean secondReadsFirst = combine != null
                && pair.first() instanceof Operand.Register written
                && operands.getLast() instanceof Operand.Register read
                && written.name().equals(read.name());
        return secondReadsFirst ? inTurn(second, first) : inTurn(first, second);
    }

    private static Operation inTurn(Operation first, Operation second) {
        return (warp, mask) -> {
            first.execute(warp, mask);
            second.execute(warp, mask);
        };
    }

    /// As [#setp] into a register: all bits set or 1.0 if true, else 0.
    static Operation set(Form form) {
        PtxType type = form.takeType();
        PtxType result = form.takeType();
        LaneFunction compare = compare(form, type);
        LaneFunction combine = combine(form);
        LaneFunction condition = combined(compare, combine);
        long yes = switch (result) {
            case U32, S32 -> -1;
            case F32 -> Float.floatToRawIntBits(1);
            default -> throw form.unsupported("not into type ." + result.text());
        };
        LaneFunction function = (a, b, c, d) -> condition.of(a, b, c, d) != 0 ? yes : 0;
        return combine == null
                ? form.operation(function, result, type, type)
                : form.operation(function, result, type, type, PtxType.PRED);
    }

    /// The first value where the predicate holds, else the second.
    static Operation selp(Form form) {
        PtxType type = form.takeType();
        if (type == PtxType.PRED || type == PtxType.B128) {
            throw form.unsupported("not with type ." + type.text());
        }
        return form.operation((a, b, c, _) -> c != 0 ? a : b, type, type, type, PtxType.PRED);
    }

    /// The first value where the third is at least zero, else the second.
    static Operation slct(Form form) {
        PtxType selector = form.takeType();
        PtxType type = form.takeType();
        return switch (selector) {
            case S32 -> form.operation((a, b, c, _) -> c >= 0 ? a : b, type, type, type, selector);
            case F32 -> {
                boolean ftz = form.take("ftz");
                yield form.operation((a, b, c, _) -> number(c, selector, ftz) >= 0 ? a : b, type, type, type, selector);
            }
            default -> throw form.unsupported("not with a selector of type ." + selector.text());
        };
    }

    /// What kind of float it is.
    static Operation testp(Form form) {
        PtxType type = form.takeType();
        String property = form.takeAny("finite", "infinite", "number", "notanumber", "normal", "subnormal");
        if (property == null || type != PtxType.F32 && type != PtxType.F64) {
            throw form.unsupported("a property and a float type are needed");
        }
        double normal = type == PtxType.F32 ? Float.MIN_NORMAL : Double.MIN_NORMAL;
        return form.operation(
                (bits, _, _, _) -> {
                    double a = Math.abs(number(bits, type, false));
                    boolean holds = switch (property) {
                        case "finite" -> a <= Double.MAX_VALUE;
                        case "infinite" -> a == Double.POSITIVE_INFINITY;
                        case "number" -> !Double.isNaN(a);
                        case "notanumber" -> Double.isNaN(a);
                        case "normal" -> a >= normal && a <= Double.MAX_VALUE;
                        default -> a > 0 && a < normal;
                    };
                    return holds ? 1 : 0;
                },
                PtxType.PRED,
                type);
    }

    private static LaneFunction combined(LaneFunction compare, LaneFunction combine) {
        return combine == null ? compare : (a, b, c, d) -> combine.of(compare.of(a, b, c, d), c, 0, 0);
    }

    /// How the comparison is combined with a predicate, null if it is not.
    private static LaneFunction combine(Form form) {
        return switch (form.takeAny("and", "or", "xor")) {
            case null -> null;
            case "and" -> (a, b, _, _) -> a & b;
            case "or" -> (a, b, _, _) -> a | b;
            default -> (a, b, _, _) -> a ^ b;
        };
    }

    private static LaneFunction compare(Form form, PtxType type) {
        String relation = form.takeAny(
                "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu",
                "num", "nan");
        if (relation == null) {
            throw form.unsupported("a comparison is needed");
        }
        return switch (type) {
            case F32, F64 -> floats(form, relation, type);
            case U16, U32, U64, S16, S32, S64, B16, B32, B64 -> integers(form, relation, type);
            default -> throw form.unsupported("not with type ." + type.text());
        };
    }

    private static LaneFunction integers(Form form, String relation, PtxType type) {
        return switch (relation) {
            case "eq" -> (a, b, _, _) -> a == b ? 1 : 0;
            case "ne" -> (a, b, _, _) -> a != b ? 1 : 0;
            case "lt", "lo" -> (a, b, _, _) -> ordered(a, type) < ordered(b, type) ? 1 : 0;
            case "le", "ls" -> (a, b, _, _) -> ordered(a, type) <= ordered(b, type) ? 1 : 0;
            case "gt", "hi" -> (a, b, _, _) -> ordered(a, type) > ordered(b, type) ? 1 : 0;
            case "ge", "hs" -> (a, b, _, _) -> ordered(a, type) >= ordered(b, type) ? 1 : 0;
            default -> throw form.unsupported("." + relation + " is for floats");
        };
    }

    /// A number whose order among `long` is that of the value.
    private static long ordered(long bits, PtxType type) {
        return type == PtxType.U64 ? bits ^ Long.MIN_VALUE : bits;
    }

    /// A NaN makes the first six false and those with `u`, for unordered, true.
    private static LaneFunction floats(Form form, String relation, PtxType type) {
        boolean ftz = type == PtxType.F32 && form.take("ftz");
        Relation holds = switch (relation) {
            case "eq" -> (a, b) -> a == b;
            case "ne" -> (a, b) -> a < b || a > b;
            case "lt" -> (a, b) -> a < b;
            case "le" -> (a, b) -> a <= b;
            case "gt" -> (a, b) -> a > b;
            case "ge" -> (a, b) -> a >= b;
            case "equ" -> (a, b) -> !(a < b || a > b);
            case "neu" -> (a, b) -> a != b;
            case "ltu" -> (a, b) -> !(a >= b);
            case "leu" -> (a, b) -> !(a > b);
            case "gtu" -> (a, b) -> !(a <= b);
            case "geu" -> (a, b) -> !(a < b);
            case "num" -> (a, b) -> !Double.isNaN(a) && !Double.isNaN(b);
            case "nan" -> (a, b) -> Double.isNaN(a) || Double.isNaN(b);
            default -> throw form.unsupported("." + relation + " is for integers");
        };
        return (a, b, _, _) -> holds.of(number(a, type, ftz), number(b, type, ftz)) ? 1 : 0;
    }

    private interface Relation {
        boolean of(double a, double b);
    }

    private static double number(long bits, PtxType type, boolean ftz) {
        if (type == PtxType.F64) {
            return Double.longBitsToDouble(bits);
        }
        float value = Float.intBitsToFloat((int) bits);
        return ftz ? Floats.flush(value) : value;
    }
}
