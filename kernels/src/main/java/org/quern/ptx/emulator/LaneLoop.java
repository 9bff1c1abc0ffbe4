package org.quern.ptx.emulator;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup.ClassOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.quern.ptx.syntax.PtxType;

/// A [LaneFunction] applied to all 32 lanes.
///
/// Each function gets a class of its own, a hidden copy of [Template], in which the function and its types are
/// constants: so the compiler puts the function into the loop instead of calling it 32 times.
abstract class LaneLoop {
    private static final int ABSENT = 0;
    private static final int U8 = 1;
    private static final int S8 = 2;
    private static final int U16 = 3;
    private static final int S16 = 4;
    private static final int U32 = 5;
    private static final int S32 = 6;
    private static final int LONG = 7;
    private static final int PREDICATE = 8;

    private static final Map<String, LaneLoop> LOOPS = new ConcurrentHashMap<>();
    private static final byte[] TEMPLATE = template();

    /// Computes all lanes; arguments say where the values of each operand start in its file.
    abstract void run(Registers registers, int result, int a, int b, int c, int d);

    /// The loop for a function.
    ///
    /// @param name says which function it is; with the types it says all
    static LaneLoop of(String name, LaneFunction function, PtxType result, List<PtxType> sources) {
        return LOOPS.computeIfAbsent(name + " " + result + sources, _ -> {
            int[] codes = new int[4];
            for (int i = 0; i < sources.size(); i++) {
                codes[i] = code(sources.get(i));
            }
            return create(new Constants(function, code(result), codes[0], codes[1], codes[2], codes[3]));
        });
    }

    private static LaneLoop create(Constants constants) {
        try {
            MethodHandles.Lookup hidden = MethodHandles.lookup()
                    .defineHiddenClassWithClassData(TEMPLATE, constants, true, ClassOption.NESTMATE);
            return (LaneLoop) hidden.lookupClass().getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("lane loops cannot be specialized", e);
        }
    }

    private static byte[] template() {
        try (InputStream in = LaneLoop.class.getResourceAsStream("LaneLoop$Template.class")) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int code(PtxType type) {
        return switch (type) {
            case PRED -> PREDICATE;
            case B8, U8 -> U8;
            case S8 -> S8;
            case B16, U16, F16, BF16, E4M3X2, E5M2X2 -> U16;
            case S16 -> S16;
            case B32, U32, F32, TF32, F16X2, BF16X2 -> U32;
            case S32 -> S32;
            case B64, U64, S64, F64 -> LONG;
            case B128 -> throw new IllegalArgumentException("128 bits are no lane's value");
        };
    }

    private record Constants(LaneFunction function, int result, int a, int b, int c, int d) {}

    private static final class Template extends LaneLoop {
        private static final Constants CONSTANTS = constants();
        private static final LaneFunction FUNCTION = CONSTANTS.function;
        private static final int RESULT = CONSTANTS.result;
        private static final int A = CONSTANTS.a;
        private static final int B = CONSTANTS.b;
        private static final int C = CONSTANTS.c;
        private static final int D = CONSTANTS.d;

        private static Constants constants() {
            try {
                return MethodHandles.classData(MethodHandles.lookup(), "_", Constants.class);
            } catch (IllegalAccessException e) {
                throw new LinkageError("a lane loop without its function", e);
            }
        }

        @Override
        void run(Registers registers, int result, int a, int b, int c, int d) {
            int bits = 0;
            for (int lane = 0; lane < 32; lane++) {
                long value = FUNCTION.of(
                        load(A, registers, a, lane),
                        load(B, registers, b, lane),
                        load(C, registers, c, lane),
                        load(D, registers, d, lane));
                switch (RESULT) {
                    case PREDICATE -> bits |= (int) (value & 1) << lane;
                    case LONG -> registers.longs[result + lane] = value;
                    case U8, S8 -> registers.words[result + lane] = (int) value & 0xFF;
                    case U16, S16 -> registers.words[result + lane] = (int) value & 0xFFFF;
                    default -> registers.words[result + lane] = (int) value;
                }
            }
            if (RESULT == PREDICATE) {
                registers.predicates[result] = bits;
            }
        }

        private static long load(int type, Registers registers, int at, int lane) {
            return switch (type) {
                case ABSENT -> 0;
                case PREDICATE -> registers.predicates[at] >>> lane & 1;
                case LONG -> registers.longs[at + lane];
                case U8 -> registers.words[at + lane] & 0xFF;
                case S8 -> (byte) registers.words[at + lane];
                case U16 -> registers.words[at + lane] & 0xFFFF;
                case S16 -> (short) registers.words[at + lane];
                case U32 -> registers.words[at + lane] & 0xFFFFFFFFL;
                default -> registers.words[at + lane];
            };
        }
    }
}
