package org.quern.kernels.check;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.function.LongUnaryOperator;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Plants single faults into a kernel's text: what its author could have forgotten or mistaken.
final class Mutations {
    /// Kinds of faults.
    enum Kind {
        BARRIER("a barrier deleted"),
        WAIT("a wait for copies, products, a phase or the launches before deleted, for one group too few, for the "
                + "other phase or in the scope of the block"),
        ARRIVAL("an arrival at an mbarrier deleted or for the own block alone, or another number of arrivals or bytes"),
        COMMIT("a commit of copies or products deleted"),
        FENCE("a fence deleted"),
        ZERO_FILL("bytes beyond the edge copied instead of filled with zeros"),
        DESCRIPTOR("another offset or swizzle in the descriptor of a matrix, or another sign or major"),
        SWIZZLE("a swizzle or another exclusive or left out"),
        STRIDE("a stride, shift, mask or bound changed"),
        OFFSET("an offset within an address changed"),
        FRAGMENT("registers of a fragment in another order, or a matrix not transposed"),
        SHUFFLE("another distance of a shuffle"),
        GUARD("a predicate negated");

        private final String meaning;

        Kind(String meaning) {
            this.meaning = meaning;
        }

        String meaning() {
            return meaning;
        }

        /// As in a table's head.
        String title() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /// A fault: what stands in the kernel from `start` to `end` is replaced.
    record Mutation(Kind kind, String kernel, int start, int end, String replacement) {
        /// The kernel with the fault.
        String text() {
            return kernel.substring(0, start) + replacement + kernel.substring(end);
        }

        /// Where it is, from 1.
        int line() {
            return 1
                    + (int) kernel.substring(0, start)
                            .chars()
                            .filter(c -> c == '\n')
                            .count();
        }

        /// The instruction, with what the file remarks behind it.
        String place() {
            return kernel.substring(start, kernel.indexOf('\n', end)).replaceAll("\\s+", " ");
        }

        @Override
        public String toString() {
            return "%s -> %s"
                    .formatted(kernel.substring(start, end), replacement.isEmpty() ? "nothing" : replacement)
                    .replaceAll("\\s+", " ");
        }
    }

    private static final Pattern COMMENT = Pattern.compile("//[^\n]*|/\\*.*?\\*/", Pattern.DOTALL);
    /// A guard, an opcode, operands.
    private static final Pattern INSTRUCTION =
            Pattern.compile("(@!?[%\\w]+\\s+)?\\b([a-z]\\w*(?:\\.[\\w:]+)+)\\b[^;]*;");

    private static final Pattern VECTOR = Pattern.compile("\\{([^{}]*)}");

    private Mutations() {}

    /// All faults that can be planted into a kernel.
    static Map<Kind, List<Mutation>> of(String kernel) {
        // Comments keep their length, so that places stay.
        String code = COMMENT.matcher(kernel).replaceAll(match -> match.group().replaceAll("[^\n]", " "));
        Map<Kind, List<Mutation>> found = new EnumMap<>(Kind.class);
        Matcher matcher = INSTRUCTION.matcher(code);
        while (matcher.find()) {
            plant(kernel, matcher.toMatchResult(), found);
        }
        return found;
    }

    /// Up to `size` of them, by chance.
    static List<Mutation> sample(List<Mutation> all, int size, long seed) {
        List<Mutation> shuffled = new ArrayList<>(all);
        Collections.shuffle(shuffled, new Random(seed));
        return shuffled.subList(0, Math.min(size, all.size()));
    }

    private static void plant(String kernel, MatchResult match, Map<Kind, List<Mutation>> found) {
        String whole = match.group();
        String opcode = match.group(2);
        if (opcode.startsWith("bar.") || opcode.startsWith("barrier.")) {
            add(found, Kind.BARRIER, kernel, match, "");
        } else if (opcode.equals("griddepcontrol.wait")) {
            add(found, Kind.WAIT, kernel, match, "");
        } else if (opcode.startsWith("mbarrier.try_wait")) {
            add(
                    found,
                    Kind.WAIT,
                    kernel,
                    match,
                    whole.replaceFirst("mbarrier[^ ]*\\s+(%?\\w+),.*;", "setp.eq.u32 $1, 0, 0;"));
            add(found, Kind.WAIT, kernel, match, incremented(whole, "],\\s*(\\d+)\\s*;", 1));
            add(found, Kind.WAIT, kernel, match, whole.replace(".acquire.cluster", ""));
        } else if (opcode.startsWith("mbarrier.arrive")) {
            add(found, Kind.ARRIVAL, kernel, match, "");
            add(found, Kind.ARRIVAL, kernel, match, incremented(whole, ",\\s*(\\d+)\\s*;", 16));
            add(found, Kind.ARRIVAL, kernel, match, whole.replace(".release.cluster", ""));
        } else if (opcode.startsWith("mapa")) {
            add(found, Kind.ARRIVAL, kernel, match, whole.replaceFirst("mapa\\S*([^,]*,[^,]*),.*;", "mov.b32$1;"));
        } else if (opcode.startsWith("mbarrier.init")) {
            add(found, Kind.ARRIVAL, kernel, match, incremented(whole, ",\\s*(\\d+)\\s*;", 1));
        } else if (opcode.startsWith("wgmma.wait_group")) {
            add(found, Kind.WAIT, kernel, match, "");
            add(found, Kind.WAIT, kernel, match, incremented(whole, "(\\d+)\\s*;", 1));
        } else if (opcode.startsWith("wgmma.commit_group")) {
            add(found, Kind.COMMIT, kernel, match, "");
        } else if (opcode.startsWith("wgmma.fence")) {
            add(found, Kind.FENCE, kernel, match, "");
        } else if (opcode.startsWith("wgmma.mma_async")) {
            add(found, Kind.FRAGMENT, kernel, match, swapped(whole, 0));
            if (opcode.matches(".*\\.e[45]m[23]")) {
                // Whether D is added to, and two signs.
                add(found, Kind.DESCRIPTOR, kernel, match, flipped(whole, 3));
                add(found, Kind.DESCRIPTOR, kernel, match, whole.replaceFirst("1, 1;$", "-1, 1;"));
            } else {
                add(found, Kind.DESCRIPTOR, kernel, match, whole.replaceFirst("1, (\\d), (\\d);$", "-1, $1, $2;"));
                for (int flag = 1; flag <= 2; flag++) {
                    add(found, Kind.DESCRIPTOR, kernel, match, flipped(whole, flag));
                }
            }
        } else if (opcode.equals("or.b64") && whole.contains("0x4")) {
            for (long field : new long[] {1L << 16, 1L << 32, 3L << 62}) {
                add(found, Kind.DESCRIPTOR, kernel, match, exchanged(whole, field));
            }
        } else if (opcode.startsWith("cp.async.bulk.tensor")) {
            add(found, Kind.OFFSET, kernel, match, incremented(whole, "\\+\\s*(\\d+)\\s*]", 128));
            add(found, Kind.OFFSET, kernel, match, whole.replaceFirst("\\{(%?\\w+), (%?\\w+)", "{$2, $1"));
            add(found, Kind.ARRIVAL, kernel, match, whole.replaceFirst("\\.multicast::cluster(.*),[^,]*;$", "$1;"));
        } else if (opcode.matches("cp\\.async\\.(bulk\\.)?wait_.*")) {
            add(found, Kind.WAIT, kernel, match, "");
            if (opcode.contains("wait_group")) {
                add(found, Kind.WAIT, kernel, match, incremented(whole, "(\\d+)\\s*;", 1));
            }
        } else if (opcode.matches("cp\\.async\\.(bulk\\.)?commit_group")) {
            add(found, Kind.COMMIT, kernel, match, "");
        } else if (opcode.startsWith("fence") || opcode.startsWith("membar")) {
            add(found, Kind.FENCE, kernel, match, "");
        } else if (opcode.startsWith("cp.async.c")) {
            add(found, Kind.ZERO_FILL, kernel, match, whole.replaceFirst(",\\s*[%A-Za-z][%\\w]*\\s*;$", ";"));
            add(found, Kind.OFFSET, kernel, match, incremented(whole, "\\+\\s*(\\d+)\\s*]", 16));
        } else if (opcode.startsWith("xor.b32") && !whole.matches(".*,\\s*0\\s*;")) {
            add(found, Kind.SWIZZLE, kernel, match, whole.replaceFirst("xor\\.b32([^,]*,[^,]*),[^;]*;", "mov.b32$1;"));
        } else if (opcode.matches("(shl|shr|and|or|add|sub|mul|mad|bfe|bfi)\\.(lo\\.|wide\\.)?[bsu](32|64)")) {
            add(found, Kind.STRIDE, kernel, match, incremented(whole, ",\\s*(\\d+)\\s*[,;]", 1));
        } else if (opcode.startsWith("ld.shared") || opcode.startsWith("st.shared")) {
            add(found, Kind.OFFSET, kernel, match, incremented(whole, "\\+\\s*(\\d+)\\s*]", 16));
        } else if (opcode.startsWith("ldmatrix")) {
            add(found, Kind.OFFSET, kernel, match, incremented(whole, "\\+\\s*(\\d+)\\s*]", 16));
            add(found, Kind.FRAGMENT, kernel, match, swapped(whole, 0));
            add(
                    found,
                    Kind.FRAGMENT,
                    kernel,
                    match,
                    whole.contains(".trans") ? whole.replace(".trans", "") : whole.replace(".shared", ".trans.shared"));
        } else if (opcode.startsWith("stmatrix")) {
            add(found, Kind.OFFSET, kernel, match, incremented(whole, "\\+\\s*(\\d+)\\s*]", 16));
            add(found, Kind.FRAGMENT, kernel, match, swapped(whole, 0));
        } else if (opcode.startsWith("mma.")) {
            IntStream.range(1, 3).forEach(vector -> add(found, Kind.FRAGMENT, kernel, match, swapped(whole, vector)));
        } else if (opcode.startsWith("shfl.")) {
            // Doubled: of distances 1 and 3 the sum is the same as of 1 and 2.
            add(
                    found,
                    Kind.SHUFFLE,
                    kernel,
                    match,
                    changed(whole, ",\\s*(\\d+)\\s*,\\s*\\w+\\s*,\\s*\\w+\\s*;", distance -> 2 * distance));
        }
        if (match.group(1) != null && !opcode.startsWith("bar")) {
            String guard = match.group(1);
            String negated = guard.startsWith("@!") ? "@" + guard.substring(2) : "@!" + guard.substring(1);
            add(found, Kind.GUARD, kernel, match, negated + whole.substring(guard.length()));
        }
    }

    /// With the number that the pattern's group finds made larger; unchanged if there is none.
    private static String incremented(String instruction, String pattern, int step) {
        return changed(instruction, pattern, number -> number + step);
    }

    private static String changed(String instruction, String pattern, LongUnaryOperator change) {
        Matcher matcher = Pattern.compile(pattern).matcher(instruction);
        if (!matcher.find()) {
            return instruction;
        }
        return instruction.substring(0, matcher.start(1))
                + change.applyAsLong(Long.parseLong(matcher.group(1)))
                + instruction.substring(matcher.end(1));
    }

    /// With a bit of a literal in hexadecimal digits, or two, turned round.
    private static String exchanged(String instruction, long bits) {
        Matcher matcher = Pattern.compile("0x[0-9a-f]{16}").matcher(instruction);
        if (!matcher.find()) {
            return instruction;
        }
        long value = Long.parseUnsignedLong(matcher.group().substring(2), 16) ^ bits;
        return instruction.substring(0, matcher.start())
                + "0x%016x".formatted(value)
                + instruction.substring(matcher.end());
    }

    /// With the last flag but `from` - 1 turned round.
    private static String flipped(String instruction, int from) {
        Matcher matcher = Pattern.compile("([01])((?:,\\s*[01]){%d}\\s*;)$".formatted(from - 1))
                .matcher(instruction);
        return matcher.find()
                ? instruction.substring(0, matcher.start())
                        + (matcher.group(1).equals("0") ? "1" : "0")
                        + matcher.group(2)
                : instruction;
    }

    /// With the first two registers of a vector in each other's place.
    private static String swapped(String instruction, int vector) {
        Matcher matcher = VECTOR.matcher(instruction);
        for (int i = 0; i <= vector; i++) {
            if (!matcher.find()) {
                return instruction;
            }
        }
        String[] registers = matcher.group(1).split(",");
        if (registers.length < 2) {
            return instruction;
        }
        String first = registers[0];
        registers[0] = registers[1];
        registers[1] = first;
        return instruction.substring(0, matcher.start(1))
                + String.join(",", registers)
                + instruction.substring(matcher.end(1));
    }

    private static void add(
            Map<Kind, List<Mutation>> found, Kind kind, String kernel, MatchResult match, String replacement) {
        if (replacement.equals(match.group())) {
            return;
        }
        found.computeIfAbsent(kind, _ -> new ArrayList<>())
                .add(new Mutation(kind, kernel, match.start(), match.end(), replacement));
    }
}
