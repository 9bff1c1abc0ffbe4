package org.quern.ptx.emulator;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxModule.Entry;
import org.quern.ptx.syntax.PtxModule.Parameter;
import org.quern.ptx.syntax.PtxParser;
import org.quern.ptx.syntax.PtxType;

/// A kernel of any PTX file, run once with arguments made for it: `quern kernels emulate`.
public final class Emulation {
    /// The most elements of an output that the report shows.
    private static final int SHOWN = 16;

    /// The most instructions that the report shows for what they lose in memory.
    private static final int LOSSES = 10;

    private final Emulator emulator;
    private final Launch launch;
    private final long[] addresses;
    private final Statistics statistics;

    /// What to run.
    ///
    /// @param ptx text of the file
    /// @param entry the kernel's name; empty if the file has only one
    /// @param sharedBytes dynamic shared memory
    /// @param arguments one for each parameter
    public record Launch(
            String ptx, String entry, Dim grid, Dim block, int sharedBytes, List<KernelArgument> arguments) {}

    private Emulation(Emulator emulator, Launch launch, long[] addresses, Statistics statistics) {
        this.emulator = emulator;
        this.launch = launch;
        this.addresses = addresses;
        this.statistics = statistics;
    }

    /// Runs it to its end, on the least device that its file is for.
    ///
    /// @throws GpuException if the text is not PTX that the emulator knows, or the kernel breaks a rule
    public static Emulation run(Launch launch, Options options) throws IOException {
        PtxModule module = PtxParser.parse(launch.ptx);
        Entry entry = entry(module, launch.entry);
        check(entry, launch.arguments);
        boolean needsHopper = module.architecture() > Options.Device.SM_80.architecture();
        Emulator emulator = new Emulator(options.withDevice(needsHopper ? Options.Device.SM_90 : Options.Device.SM_80));
        long[] addresses = new long[launch.arguments.size()];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment arguments = arena.allocate(Math.max(1, argumentBytes(entry)), 16);
            long at = 0;
            for (int i = 0; i < addresses.length; i++) {
                Parameter parameter = entry.parameters().get(i);
                KernelArgument argument = launch.arguments.get(i);
                at = align(at, parameter.alignment());
                if (argument instanceof KernelArgument.Scalar scalar) {
                    put(arguments, at, parameter.bytes(), scalar.bits());
                } else {
                    addresses[i] = place(emulator, argument, new SplittableRandom(options.seed() + i));
                    put(arguments, at, Long.BYTES, addresses[i]);
                }
                at += parameter.bytes();
            }
            LaunchConfiguration configuration = new LaunchConfiguration(launch.grid, launch.block, launch.sharedBytes);
            Statistics statistics = emulator.launch(module, entry, configuration, arguments);
            return new Emulation(emulator, launch, addresses, statistics);
        } catch (EmulatorFault fault) {
            throw new GpuException(explain(fault, launch.ptx), fault);
        }
    }

    public Statistics statistics() {
        return statistics;
    }

    /// Copies an output.
    ///
    /// @param argument its index
    /// @throws GpuException if the kernel left an element unwritten
    public byte[] output(int argument) {
        if (!(launch.arguments.get(argument) instanceof KernelArgument.Output output)) {
            throw new GpuException("argument %d is no output".formatted(argument + 1));
        }
        byte[] bytes = new byte[Math.toIntExact(output.count() * output.type().bytes())];
        try {
            emulator.read(addresses[argument], MemorySegment.ofArray(bytes));
        } catch (EmulatorFault fault) {
            throw new GpuException("argument %d: %s".formatted(argument + 1, fault.getMessage()), fault);
        }
        return bytes;
    }

    /// Writes the outputs that have a file.
    public void writeOutputs() throws IOException {
        for (int i = 0; i < launch.arguments.size(); i++) {
            if (launch.arguments.get(i) instanceof KernelArgument.Output output
                    && output.file().isPresent()) {
                Files.write(output.file().get(), output(i));
            }
        }
    }

    /// Outputs and counters, for people.
    public String report() {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < launch.arguments.size(); i++) {
            if (launch.arguments.get(i) instanceof KernelArgument.Output output) {
                lines.add(show(i, output));
            }
        }
        Statistics s = statistics;
        lines.add("%,d warp instructions: %s"
                .formatted(
                        s.instructionCount(),
                        s.instructions().entrySet().stream()
                                .sorted((a, b) -> Long.compare(b.getValue(), a.getValue()))
                                .map(entry -> "%s %,d".formatted(entry.getKey(), entry.getValue()))
                                .collect(Collectors.joining(", "))));
        lines.add("%,d floating-point operations, %,d special functions, %,d warps at barriers"
                .formatted(s.flops(), s.specialFunctions(), s.barriers()));
        lines.add("global memory: %,d requests for %,d bytes touched %,d sectors of 32 bytes"
                .formatted(s.requests(), s.bytes(), s.sectors()));
        lines.add("shared memory: %,d wavefronts, %,d of them for bank conflicts"
                .formatted(s.wavefronts(), s.bankConflicts()));
        s.accesses().stream()
                .filter(access -> access.bankConflicts() + access.wastedSectors() > 0)
                .sorted((a, b) -> Long.compare(loss(b), loss(a)))
                .limit(LOSSES)
                .map(access -> "  line %d, %s: %s"
                        .formatted(
                                access.line(),
                                access.text(),
                                access.bankConflicts() > 0
                                        ? "%,d bank conflicts".formatted(access.bankConflicts())
                                        : "%,d sectors more than needed".formatted(access.wastedSectors())))
                .forEach(lines::add);
        return String.join("\n", lines) + "\n";
    }

    private static long loss(Statistics.Accesses access) {
        return access.bankConflicts() + access.wastedSectors();
    }

    private String show(int argument, KernelArgument.Output output) {
        PtxType type = output.type();
        StringBuilder text =
                new StringBuilder("argument %d, %,d x %s:".formatted(argument + 1, output.count(), type.text()));
        MemorySegment element = MemorySegment.ofArray(new byte[Long.BYTES]).asSlice(0, type.bytes());
        long unwritten = 0;
        for (long i = 0; i < output.count(); i++) {
            long address = addresses[argument] + i * type.bytes();
            boolean defined = emulator.isDefined(address, type.bytes());
            unwritten += defined ? 0 : 1;
            if (i < SHOWN && defined) {
                emulator.read(address, element);
                text.append(' ').append(KernelArgument.text(type, get(element, type.bytes())));
            } else if (i < SHOWN) {
                text.append(" ?");
            }
        }
        text.append(output.count() > SHOWN ? " ..." : "");
        return unwritten == 0 ? text.toString() : text + " (%,d were not written)".formatted(unwritten);
    }

    private static Entry entry(PtxModule module, String name) {
        List<Entry> chosen = module.entries().stream()
                .filter(entry -> name.isEmpty() || entry.name().equals(name))
                .toList();
        if (chosen.size() != 1) {
            String entries = module.entries().stream().map(Entry::name).collect(Collectors.joining(", "));
            throw new GpuException(
                    name.isEmpty()
                            ? "name one of the file's kernels: " + (entries.isEmpty() ? "it has none" : entries)
                            : "the file has no kernel %s, but: %s".formatted(name, entries));
        }
        return chosen.getFirst();
    }

    private static void check(Entry entry, List<KernelArgument> arguments) {
        List<Parameter> parameters = entry.parameters();
        if (parameters.size() != arguments.size()) {
            throw new GpuException("%s takes %d arguments (%s): got %d"
                    .formatted(
                            entry.name(),
                            parameters.size(),
                            parameters.stream()
                                    .map(parameter -> parameter.type().text() + " " + parameter.name())
                                    .collect(Collectors.joining(", ")),
                            arguments.size()));
        }
        for (int i = 0; i < arguments.size(); i++) {
            Parameter parameter = parameters.get(i);
            int bytes = arguments.get(i) instanceof KernelArgument.Scalar scalar
                    ? scalar.type().bytes()
                    : Long.BYTES;
            if (bytes != parameter.bytes()) {
                throw new GpuException("argument %d: %s of %s has %d bytes: got %s"
                        .formatted(
                                i + 1,
                                parameter.name(),
                                entry.name(),
                                parameter.bytes(),
                                arguments.get(i) instanceof KernelArgument.Scalar ? bytes : "an address of 8"));
            }
        }
    }

    private static long argumentBytes(Entry entry) {
        long end = 0;
        for (Parameter parameter : entry.parameters()) {
            end = align(end, parameter.alignment()) + parameter.bytes();
        }
        return end;
    }

    private static long align(long offset, int alignment) {
        return (offset + alignment - 1) / alignment * alignment;
    }

    /// Makes the memory that an argument points to.
    private static long place(Emulator emulator, KernelArgument argument, SplittableRandom random) throws IOException {
        int size = argument.type().bytes();
        return switch (argument) {
            case KernelArgument.Values values -> {
                MemorySegment bytes =
                        MemorySegment.ofArray(new byte[values.bits().size() * size]);
                for (int i = 0; i < values.bits().size(); i++) {
                    put(bytes, (long) i * size, size, values.bits().get(i));
                }
                yield upload(emulator, bytes);
            }
            case KernelArgument.Random numbers -> {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment bytes = arena.allocate(numbers.count() * size);
                    for (long i = 0; i < numbers.count(); i++) {
                        put(bytes, i * size, size, random(numbers, random));
                    }
                    yield upload(emulator, bytes);
                }
            }
            case KernelArgument.Input input -> upload(emulator, input.file(), size);
            case KernelArgument.Output output -> {
                long address = emulator.allocate(output.count() * size);
                if (output.zeroed()) {
                    emulator.fill(address, output.count() * size, (byte) 0);
                }
                yield address;
            }
            case KernelArgument.Scalar _ -> throw new IllegalArgumentException("a number has no memory");
        };
    }

    private static long random(KernelArgument.Random numbers, SplittableRandom random) {
        return switch (numbers.type()) {
            case F16, BF16, F32, F64, TF32 -> KernelArgument.bits(numbers.type(), random.nextGaussian());
            default -> numbers.limit() == 0 ? random.nextLong() : random.nextLong(numbers.limit());
        };
    }

    private static long upload(Emulator emulator, Path file, int size) throws IOException {
        try (Arena arena = Arena.ofConfined();
                FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() == 0 || channel.size() % size != 0) {
                throw new GpuException("%s holds %,d bytes, which is no multiple of the %d of an element"
                        .formatted(file, channel.size(), size));
            }
            return upload(emulator, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        }
    }

    private static long upload(Emulator emulator, MemorySegment bytes) {
        long address = emulator.allocate(bytes.byteSize());
        emulator.write(address, bytes);
        return address;
    }

    private static void put(MemorySegment target, long offset, int bytes, long bits) {
        switch (bytes) {
            case 1 -> target.set(ValueLayout.JAVA_BYTE, offset, (byte) bits);
            case 2 -> target.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset, (short) bits);
            case 4 -> target.set(ValueLayout.JAVA_INT_UNALIGNED, offset, (int) bits);
            default -> target.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, bits);
        }
    }

    private static long get(MemorySegment source, int bytes) {
        return switch (bytes) {
            case 1 -> source.get(ValueLayout.JAVA_BYTE, 0) & 0xFF;
            case 2 -> source.get(ValueLayout.JAVA_SHORT_UNALIGNED, 0) & 0xFFFF;
            case 4 -> source.get(ValueLayout.JAVA_INT_UNALIGNED, 0) & 0xFFFFFFFFL;
            default -> source.get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
        };
    }

    /// What rule was broken, and the line that broke it.
    private static String explain(EmulatorFault fault, String ptx) {
        String text = fault.kind().name().toLowerCase(Locale.ROOT).replace('_', ' ') + ": " + fault.getMessage();
        return fault.line() == 0
                ? text
                : "%s%n%6d | %s"
                        .formatted(
                                text,
                                fault.line(),
                                ptx.lines().skip(fault.line() - 1).findFirst().orElse(""));
    }
}
