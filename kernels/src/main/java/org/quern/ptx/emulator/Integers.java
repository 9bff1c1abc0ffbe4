package org.quern.ptx.emulator;

import java.util.EnumSet;
import java.util.Set;
import java.util.function.IntToLongFunction;
import org.quern.ptx.syntax.PtxType;

/// Integer arithmetic and logic. Values of 16 and 32 bits are computed in 64 and cut.
final class Integers {
    private static final Set<PtxType> NUMBERS =
            EnumSet.of(PtxType.U16, PtxType.U32, PtxType.U64, PtxType.S16, PtxType.S32, PtxType.S64);
    private static final Set<PtxType> BITS = EnumSet.of(PtxType.B16, PtxType.B32, PtxType.B64);

    private Integers() {}

    /// All but [#prmt] and [#dp4a].
    static Operation arithmetic(Form form, PtxType type) {
        int width = 8 * type.bytes();
        return switch (form.opcode()) {
            case "and" -> logic(form, type, (a, b, _, _) -> a & b);
            case "or" -> logic(form, type, (a, b, _, _) -> a | b);
            case "xor" -> logic(form, type, (a, b, _, _) -> a ^ b);
            case "not" -> form.operation((a, _, _, _) -> ~a, logical(form, type), type);
            case "cnot" -> form.operation((a, _, _, _) -> a == 0 ? 1 : 0, bits(form, type), type);
            case "shl" -> form.operation((a, b, _, _) -> b < width ? a << b : 0, bits(form, type), type, PtxType.U32);
            case "shr" -> form.operation(shr(type), type, type, PtxType.U32);
            case "shf" -> shf(form, type);
            case "lop3" -> form.operation(Integers::lop3, only(form, type, PtxType.B32), type, type, type, PtxType.U32);
            case "bfe" -> form.operation(bfe(type), number(form, type), type, PtxType.U32, PtxType.U32);
            case "bfi" -> form.operation(Integers::bfi, bits(form, type), type, type, PtxType.U32, PtxType.U32);
            case "popc" -> form.operation((a, _, _, _) -> Long.bitCount(a), PtxType.U32, bits(form, type));
            case "clz" ->
                form.operation(
                        (a, _, _, _) -> Long.numberOfLeadingZeros(a) - (64 - width), PtxType.U32, bits(form, type));
            case "bfind" -> form.operation(bfind(type, form.take("shiftamt")), PtxType.U32, number(form, type));
            case "brev" -> form.operation((a, _, _, _) -> Long.reverse(a) >>> 64 - width, bits(form, type), type);
            case "add" -> form.operation(saturated(form, type, (a, b, _, _) -> a + b), number(form, type), type, type);
            case "sub" -> form.operation(saturated(form, type, (a, b, _, _) -> a - b), number(form, type), type, type);
            case "mul", "mad" -> product(form, number(form, type));
            case "div" -> new Division(form.operation(quotient(type), number(form, type), type, type));
            case "rem" -> new Division(form.operation(remainder(type), number(form, type), type, type));
            case "min" ->
                form.operation(
                        type == PtxType.U64
                                ? (a, b, _, _) -> Long.compareUnsigned(a, b) < 0 ? a : b
                                : (a, b, _, _) -> Math.min(a, b),
                        number(form, type),
                        type,
                        type);
            case "max" ->
                form.operation(
                        type == PtxType.U64
                                ? (a, b, _, _) -> Long.compareUnsigned(a, b) > 0 ? a : b
                                : (a, b, _, _) -> Math.max(a, b),
                        number(form, type),
                        type,
                        type);
            case "abs" -> form.operation((a, _, _, _) -> Math.abs(a), signed(form, type), type);
            case "neg" -> form.operation((a, _, _, _) -> -a, signed(form, type), type);
            default -> throw form.unsupported("not for integers");
        };
    }

    private static Operation logic(Form form, PtxType type, LaneFunction function) {
        return form.operation(function, logical(form, type), type, type);
    }

    private static LaneFunction shr(PtxType type) {
        int width = 8 * type.bytes();
        return isSigned(type) ? (a, b, _, _) -> a >> Math.min(b, width - 1) : (a, b, _, _) -> b < width ? a >>> b : 0;
    }

    /// Shifts a pair of words, the second operand above the first.
    private static Operation shf(Form form, PtxType type) {
        boolean left = "l".equals(form.takeAny("l", "r"));
        boolean wrap = "wrap".equals(form.takeAny("wrap", "clamp"));
        only(form, type, PtxType.B32);
        return form.operation(
                (a, b, c, _) -> {
                    long pair = b << 32 | a;
                    long shift = wrap ? c & 31 : Math.min(c, 32);
                    return left ? pair << shift >>> 32 : pair >>> shift;
                },
                type,
                type,
                type,
                PtxType.U32);
    }

    /// Bit `4a + 2b + c` of the table, for each bit.
    private static long lop3(long a, long b, long c, long table) {
        long result = 0;
        for (int i = 0; i < 8; i++) {
            long term = ((i & 4) != 0 ? a : ~a) & ((i & 2) != 0 ? b : ~b) & ((i & 1) != 0 ? c : ~c);
            result |= term & -(table >> i & 1);
        }
        return result;
    }

    /// The place of the highest bit that differs from the sign, or its distance from the top; all ones if
    /// there is none.
    private static LaneFunction bfind(PtxType type, boolean distance) {
        int top = 8 * type.bytes() - 1;
        return (a, _, _, _) -> {
            int place = 63 - Long.numberOfLeadingZeros(a < 0 && isSigned(type) ? ~a : a);
            return distance && place >= 0 ? top - place : place;
        };
    }

    private static LaneFunction bfe(PtxType type) {
        if (!isSigned(type)) {
            return (a, b, c, _) -> (b & 255) < 64 ? a >>> (b & 255) & lowBits(c & 255) : 0;
        }
        return (a, b, c, _) -> {
            long unused = 64 - Math.min(c & 255, 64);
            long shifted = a >> Math.min(b & 255, 63);
            return (c & 255) == 0 ? 0 : shifted << unused >> unused;
        };
    }

    private static long bfi(long a, long b, long c, long d) {
        long position = c & 255;
        if (position >= 64) {
            return b;
        }
        long field = lowBits(d & 255) << position;
        return b & ~field | a << position & field;
    }

    private static long lowBits(long count) {
        return count < 64 ? (1L << count) - 1 : -1;
    }

    private static LaneFunction saturated(Form form, PtxType type, LaneFunction function) {
        if (type != PtxType.S32 || !form.take("sat")) {
            return function;
        }
        return (a, b, c, d) -> Math.clamp(function.of(a, b, c, d), Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    private static Operation product(Form form, PtxType type) {
        String part = form.takeAny("lo", "hi", "wide");
        if (part == null) {
            throw form.unsupported("one of .lo, .hi, .wide is needed");
        }
        PtxType result = part.equals("wide") ? twice(form, type) : type;
        LaneFunction product = part.equals("hi") ? high(type) : (a, b, _, _) -> a * b;
        return form.opcode().equals("mul")
                ? form.operation(product, result, type, type)
                : form.operation((a, b, c, _) -> product.of(a, b, 0, 0) + c, result, type, type, result);
    }

    private static LaneFunction high(PtxType type) {
        int width = 8 * type.bytes();
        if (width < 64) {
            return (a, b, _, _) -> a * b >>> width;
        }
        return isSigned(type)
                ? (a, b, _, _) -> Math.multiplyHigh(a, b)
                : (a, b, _, _) -> Math.unsignedMultiplyHigh(a, b);
    }

    private static PtxType twice(Form form, PtxType type) {
        return switch (type) {
            case U16 -> PtxType.U32;
            case S16 -> PtxType.S32;
            case U32 -> PtxType.U64;
            case S32 -> PtxType.S64;
            default -> throw form.unsupported("128 bits are too many");
        };
    }

    private static LaneFunction quotient(PtxType type) {
        return type == PtxType.U64
                ? (a, b, _, _) -> b == 0 ? 0 : Long.divideUnsigned(a, b)
                : (a, b, _, _) -> b == 0 ? 0 : a / b;
    }

    private static LaneFunction remainder(PtxType type) {
        return type == PtxType.U64
                ? (a, b, _, _) -> b == 0 ? 0 : Long.remainderUnsigned(a, b)
                : (a, b, _, _) -> b == 0 ? 0 : a % b;
    }

    /// Of the eight bytes of a (lower) and b, four that c or a mode chooses.
    static Operation prmt(Form form) {
        form.take("b32");
        String mode = form.takeAny("f4e", "b4e", "rc8", "ecl", "ecr", "rc16");
        LaneFunction selector = // four bits a byte: its number, and whether to spread its sign
                switch (mode) {
                    case null -> (_, _, c, _) -> c;
                    case "f4e" -> (_, _, c, _) -> each(j -> (c & 3) + j);
                    case "b4e" -> (_, _, c, _) -> each(j -> (c & 3) - j & 7);
                    case "rc8" -> (_, _, c, _) -> each(_ -> c & 3);
                    case "ecl" -> (_, _, c, _) -> each(j -> Math.max(c & 3, j));
                    case "ecr" -> (_, _, c, _) -> each(j -> Math.min(c & 3, j));
                    default -> (_, _, c, _) -> each(j -> (c & 1) * 2 + (j & 1));
                };
        return form.operation(
                (a, b, c, _) -> {
                    long bytes = b << 32 | a;
                    long selectors = selector.of(a, b, c, 0);
                    long result = 0;
                    for (int j = 0; j < 4; j++) {
                        long chosen = selectors >> 4 * j;
                        long value = bytes >> 8 * (chosen & 7);
                        value = (chosen & 8) == 0 ? value : (byte) value >> 7;
                        result |= (value & 255) << 8 * j;
                    }
                    return result;
                },
                PtxType.B32,
                PtxType.B32,
                PtxType.B32,
                PtxType.B32);
    }

    private static long each(IntToLongFunction selector) {
        long all = 0;
        for (int j = 0; j < 4; j++) {
            all |= selector.applyAsLong(j) << 4 * j;
        }
        return all;
    }

    /// The sum of four products of bytes, and c.
    static Operation dp4a(Form form) {
        PtxType second = only(form, form.takeType(), PtxType.U32, PtxType.S32);
        PtxType first = only(form, form.takeType(), PtxType.U32, PtxType.S32);
        boolean signedA = isSigned(first);
        boolean signedB = isSigned(second);
        PtxType result = signedA || signedB ? PtxType.S32 : PtxType.U32;
        return form.operation(
                (a, b, c, _) -> {
                    long sum = c;
                    for (int i = 0; i < 32; i += 8) {
                        long x = signedA ? (byte) (a >> i) : a >> i & 255;
                        long y = signedB ? (byte) (b >> i) : b >> i & 255;
                        sum += x * y;
                    }
                    return sum;
                },
                result,
                first,
                second,
                result);
    }

    static boolean isSigned(PtxType type) {
        return switch (type) {
            case S8, S16, S32, S64 -> true;
            default -> false;
        };
    }

    private static PtxType number(Form form, PtxType type) {
        return among(form, type, NUMBERS);
    }

    private static PtxType signed(Form form, PtxType type) {
        return only(form, type, PtxType.S16, PtxType.S32, PtxType.S64);
    }

    private static PtxType bits(Form form, PtxType type) {
        return among(form, type, BITS);
    }

    private static PtxType logical(Form form, PtxType type) {
        return type == PtxType.PRED ? type : bits(form, type);
    }

    private static PtxType only(Form form, PtxType type, PtxType... known) {
        return among(form, type, Set.of(known));
    }

    private static PtxType among(Form form, PtxType type, Set<PtxType> known) {
        if (!known.contains(type)) {
            throw form.unsupported("not with type ." + type.text());
        }
        return type;
    }

    /// A quotient or a remainder, which PTX leaves open for a divisor of zero.
    private record Division(LaneOperation operation) implements Operation {
        @Override
        public void execute(Warp warp, int mask) {
            operation.requireSources(warp, mask);
            int lanes = mask & operation.zerosInSecond(warp.registers);
            if (lanes != 0) {
                int lane = Integer.numberOfTrailingZeros(lanes);
                throw warp.fault(EmulatorFault.Kind.TRAP, lane, "division by zero in lane " + lane);
            }
            operation.execute(warp, mask);
        }
    }
}
