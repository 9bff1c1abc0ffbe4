package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Integer arithmetic of all widths against [BigInteger], on pairs of edge values and random ones.
class IntegersTest {
    private interface Exact {
        BigInteger of(BigInteger a, BigInteger b);
    }

    @ParameterizedTest
    @ValueSource(strings = {"u16", "s16", "u32", "s32", "u64", "s64"})
    void agreesWithBigInteger(String type) {
        int width = Integer.parseInt(type.substring(1));
        check("add." + type, type, width, BigInteger::add);
        check("sub." + type, type, width, BigInteger::subtract);
        check("mul.lo." + type, type, width, BigInteger::multiply);
        check("mul.hi." + type, type, width, (a, b) -> a.multiply(b).shiftRight(width));
        check("min." + type, type, width, BigInteger::min);
        check("max." + type, type, width, BigInteger::max);
        check("div." + type, type, width, (a, b) -> b.signum() == 0 ? null : a.divide(b));
        check("rem." + type, type, width, (a, b) -> b.signum() == 0 ? null : a.remainder(b));
        if (width < 64) {
            check("mul.wide." + type, type, 2 * width, BigInteger::multiply);
        }
        for (String relation : List.of("eq", "ne", "lt", "le", "gt", "ge")) {
            check("setp." + relation + "." + type, type, 1, (a, b) -> holds(relation, a.compareTo(b)));
        }
        if (type.startsWith("u")) {
            check("setp.lo." + type, type, 1, (a, b) -> holds("lt", a.compareTo(b)));
            check("setp.hs." + type, type, 1, (a, b) -> holds("ge", a.compareTo(b)));
        }
        check("and.b" + width, type, width, BigInteger::and);
        check("or.b" + width, type, width, BigInteger::or);
        check("xor.b" + width, type, width, BigInteger::xor);
    }

    @ParameterizedTest
    @ValueSource(strings = {"u16", "s16", "u32", "s32", "u64", "s64"})
    void shiftsByAnyAmount(String type) {
        int width = Integer.parseInt(type.substring(1));
        for (int amount : new int[] {0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, Integer.MAX_VALUE, -1}) {
            int shift = Math.min(Integer.compareUnsigned(amount, 64) < 0 ? amount : 64, 64);
            check("shl.b" + width, type, width, amount, a -> a.shiftLeft(shift));
            check("shr." + type, type, width, amount, a -> a.shiftRight(shift));
        }
    }

    private static BigInteger holds(String relation, int order) {
        boolean holds = switch (relation) {
            case "eq" -> order == 0;
            case "ne" -> order != 0;
            case "lt" -> order < 0;
            case "le" -> order <= 0;
            case "gt" -> order > 0;
            default -> order >= 0;
        };
        return holds ? BigInteger.ONE : BigInteger.ZERO;
    }

    private static void check(String instruction, String type, int resultWidth, Exact exact) {
        int width = Integer.parseInt(type.substring(1));
        String source = register(width);
        String result = register(resultWidth);
        Snippet snippet = new Snippet("%s %s0, %s1, %s2;".formatted(instruction, result, source, source));
        List<Long> values = values(width);
        for (long b : values) {
            for (int first = 0; first < values.size(); first += 32) {
                long[] as = values.subList(first, Math.min(first + 32, values.size())).stream()
                        .mapToLong(Long::longValue)
                        .toArray();
                if (exact.of(number(as[0], type), number(b, type)) == null) {
                    continue;
                }
                long[] results =
                        snippet.set(source + 1, as).set(source + 2, b).run().get(result + 0);
                for (int lane = 0; lane < as.length; lane++) {
                    BigInteger expected = exact.of(number(as[lane], type), number(b, type));
                    assertThat(results[lane])
                            .as("%s of %x and %x", instruction, as[lane], b)
                            .isEqualTo(low(expected, resultWidth));
                }
            }
        }
    }

    private static void check(
            String instruction,
            String type,
            int width,
            int amount,
            java.util.function.UnaryOperator<BigInteger> exact) {
        String register = register(width);
        Snippet snippet = new Snippet("%s %s0, %s1, r2;".formatted(instruction, register, register));
        for (long a : values(width)) {
            long result = snippet.set(register + 1, a).set("r2", amount).run().get(register + 0)[0];
            assertThat(result)
                    .as("%s of %x by %d", instruction, a, amount)
                    .isEqualTo(low(exact.apply(number(a, type)), width));
        }
    }

    private static String register(int width) {
        return switch (width) {
            case 1 -> "p";
            case 16 -> "h";
            case 32 -> "r";
            default -> "x";
        };
    }

    private static BigInteger number(long bits, String type) {
        int width = Integer.parseInt(type.substring(1));
        BigInteger number =
                BigInteger.valueOf(bits).and(BigInteger.TWO.pow(width).subtract(BigInteger.ONE));
        return type.startsWith("s") && number.testBit(width - 1) ? number.subtract(BigInteger.TWO.pow(width)) : number;
    }

    private static long low(BigInteger number, int width) {
        return number.and(BigInteger.TWO.pow(width).subtract(BigInteger.ONE)).longValue();
    }

    private static List<Long> values(int width) {
        long least = 1L << width - 1;
        List<Long> values = new ArrayList<>(
                List.of(0L, 1L, 2L, 3L, -1L, -2L, least, least + 1, least - 1, 0x5555555555555555L, 10L));
        Random random = new Random(width);
        for (int i = 0; i < 5; i++) {
            values.add(random.nextLong());
            values.add(random.nextLong() >>> 32);
        }
        return values;
    }
}
