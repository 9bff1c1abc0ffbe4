package org.quern.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import org.quern.base.ExitCode;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.emulator.Emulation;
import org.quern.ptx.emulator.KernelArgument;
import org.quern.ptx.emulator.Options;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/// `quern kernels emulate`: any PTX, run without a GPU.
@Command(
        name = "emulate",
        description = {
            "Runs a kernel of a PTX file on this machine's CPU, and checks what a GPU would not tell: bounds, alignment,"
                    + " uninitialised reads, races, diverged warps, barriers, asynchronous copies.",
            "Prints the outputs and what the kernel cost, or the first rule that it broke, or the first instruction"
                    + " that the emulator does not know."
        },
        footerHeading = "%nArguments are given in the order of the kernel's parameters:%n",
        footer = {
            "  u32:5, f32:1.5, b64:0xFF    a number",
            "  values:f32:1,2.5,-3         an array of these numbers",
            "  in:f32:FILE                 an array with the bytes of a file",
            "  random:f32:1000             an array of numbers, normally distributed",
            "  random:u32:1000:50257       an array of random integers below 50257",
            "  out:bf16:1024               an array for results, undefined; printed at last",
            "  out:bf16:1024:FILE          the same, written to a file, too",
            "  zeros:f32:10                as out, but it begins as zeros; with FILE, too",
            "",
            "Types are u8 to u64, s8 to s64, b8 to b64, f16, bf16, f32 and f64.",
            "The kernel gets an array as its address.",
            "",
            "Examples:",
            "  quern kernels emulate scale.ptx --grid 2 --block 128 \\",
            "      --arg out:f32:200 --arg random:f32:200 --arg f32:0.5 --arg u32:200",
            "  quern kernels emulate gemm.ptx --entry gemm --grid 2,1,1 --block 128 \\",
            "      --shared 65536 --async lazy --schedule adversarial --seed 7 \\",
            "      --arg random:bf16:8192 --arg random:bf16:8192 \\",
            "      --arg out:f32:32768:c.bin --arg u32:32 --arg u32:128"
        })
final class KernelsEmulateCommand implements Callable<Integer> {
    @Parameters(paramLabel = "FILE", description = "PTX for sm_80 to sm_90.")
    private Path file;

    @Option(names = "--entry", paramLabel = "NAME", description = "The kernel, if the file has more than one.")
    private String entry = "";

    @Option(
            names = "--grid",
            paramLabel = "X[,Y[,Z]]",
            converter = DimText.class,
            description = "Blocks; ${DEFAULT-VALUE} by default.",
            defaultValue = "1")
    private Dim grid;

    @Option(
            names = "--block",
            paramLabel = "X[,Y[,Z]]",
            converter = DimText.class,
            description = "Threads of a block; ${DEFAULT-VALUE} by default.",
            defaultValue = "32")
    private Dim block;

    @Option(
            names = "--shared",
            paramLabel = "BYTES",
            description = "Dynamic shared memory of a block; none by default.")
    private int sharedBytes;

    @Option(
            names = "--arg",
            paramLabel = "ARGUMENT",
            converter = ArgumentText.class,
            description = "What the kernel gets for its next parameter: see below.")
    private List<KernelArgument> arguments = new ArrayList<>();

    @Option(names = "--seed", description = "Of everything that is random; ${DEFAULT-VALUE} by default.")
    private long seed = Options.DEFAULT.seed();

    @Option(
            names = "--async",
            description = "When asynchronous copies are done: ${COMPLETION-CANDIDATES}; ${DEFAULT-VALUE} by default.")
    private Options.Copies copies = Options.DEFAULT.copies();

    @Option(
            names = "--schedule",
            description = "Which warp runs next: ${COMPLETION-CANDIDATES}; ${DEFAULT-VALUE} by default.")
    private Options.Schedule schedule = Options.DEFAULT.schedule();

    /// `2,1,1`, `2,1` or `2`.
    static final class DimText implements ITypeConverter<Dim> {
        @Override
        public Dim convert(String text) {
            try {
                int[] sizes = Arrays.stream(text.split(",", -1))
                        .mapToInt(Integer::parseInt)
                        .toArray();
                if (sizes.length <= 3) {
                    return new Dim(sizes[0], sizes.length > 1 ? sizes[1] : 1, sizes.length > 2 ? sizes[2] : 1);
                }
            } catch (NumberFormatException | GpuException e) {
                // The same as for too many sizes.
            }
            throw new TypeConversionException("must be one to three sizes from 1, such as 2,1,1: got " + text);
        }
    }

    /// What [KernelArgument#parse] reads.
    static final class ArgumentText implements ITypeConverter<KernelArgument> {
        @Override
        public KernelArgument convert(String text) {
            try {
                return KernelArgument.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }

    @Override
    public Integer call() throws IOException {
        Emulation.Launch launch =
                new Emulation.Launch(Files.readString(file), entry, grid, block, sharedBytes, arguments);
        Options options = Options.DEFAULT.withSeed(seed).withCopies(copies).withSchedule(schedule);
        Emulation emulation = Emulation.run(launch, options);
        System.out.print(emulation.report());
        emulation.writeOutputs();
        return ExitCode.OK.code();
    }
}
