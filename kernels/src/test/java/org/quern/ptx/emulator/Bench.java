package org.quern.ptx.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.syntax.PtxModule;
import org.quern.ptx.syntax.PtxParser;

/// An emulator for snippets of PTX.
///
/// On a device of architecture 90 the snippet is for `sm_90a`. A snippet finds registers `p<8>`, `h<8>`,
/// `r<40>`, `f<40>`, `rd<16>` and `d<8>`, its arguments (64 bits each) in
/// `a0`, `a1` and so on, `tid` = `%tid.x`, and dynamic shared memory `dyn`.
final class Bench {
    final Emulator emulator;
    private final boolean hopper;
    private Dim grid = Dim.of(1);
    private Dim block = Dim.of(32);
    private int sharedBytes = 4096;
    private String declarations = "";
    private String directives = "";
    private boolean programmatic;

    Bench(Options options) {
        emulator = new Emulator(options);
        hopper = options.device().architecture() >= 90;
    }

    Bench() {
        this(Options.DEFAULT);
    }

    Bench grid(int x) {
        grid = Dim.of(x);
        return this;
    }

    Bench block(int threads) {
        block = Dim.of(threads);
        return this;
    }

    Bench block(Dim threads) {
        block = threads;
        return this;
    }

    Bench shared(int bytes) {
        sharedBytes = bytes;
        return this;
    }

    /// Variables of the module.
    Bench declare(String variables) {
        declarations = variables;
        return this;
    }

    /// Performance directives of the entry.
    Bench directives(String text) {
        directives = text;
        return this;
    }

    /// How it launches from now on.
    Bench programmatic(boolean whether) {
        programmatic = whether;
        return this;
    }

    long ints(int... values) {
        return upload(MemorySegment.ofArray(values));
    }

    long floats(float... values) {
        return upload(MemorySegment.ofArray(values));
    }

    long shorts(short... values) {
        return upload(MemorySegment.ofArray(values));
    }

    long longs(long... values) {
        return upload(MemorySegment.ofArray(values));
    }

    private long upload(MemorySegment values) {
        long address = emulator.allocate(values.byteSize());
        emulator.write(address, values);
        return address;
    }

    /// Undefined memory.
    long output(long bytes) {
        return emulator.allocate(bytes);
    }

    int[] readInts(long address, int count) {
        MemorySegment copy = Arena.ofAuto().allocate(4L * count, 4);
        emulator.read(address, copy);
        return copy.toArray(ValueLayout.JAVA_INT);
    }

    float[] readFloats(long address, int count) {
        MemorySegment copy = Arena.ofAuto().allocate(4L * count, 4);
        emulator.read(address, copy);
        return copy.toArray(ValueLayout.JAVA_FLOAT);
    }

    static String module(String declarations, String directives, String body, int parameters) {
        return module(".version 8.0\n.target sm_80", declarations, directives, body, parameters);
    }

    private static String module(String target, String declarations, String directives, String body, int parameters) {
        StringBuilder text = new StringBuilder(target)
                .append("\n.address_size 64\n")
                .append(".extern .shared .align 1024 .b8 dyn[];\n")
                .append(declarations)
                .append("\n.visible .entry snippet(");
        for (int i = 0; i < parameters; i++) {
            text.append(i == 0 ? "" : ", ").append(".param .u64 p_").append(i);
        }
        text.append(") ")
                .append(directives)
                .append("\n{\n.reg .pred p<8>; .reg .b16 h<8>; .reg .b32 r<40>, tid; .reg .f32 f<40>;")
                .append(" .reg .b64 rd<16>, a<8>; .reg .f64 d<8>;\nmov.u32 tid, %tid.x;\n");
        for (int i = 0; i < parameters; i++) {
            text.append("ld.param.u64 a%d, [p_%d];\n".formatted(i, i));
        }
        return text.append(body).append("\n}\n").toString();
    }

    Statistics run(String body, long... arguments) {
        String target = hopper ? ".version 8.1\n.target sm_90a" : ".version 8.0\n.target sm_80";
        PtxModule module = PtxParser.parse(module(target, declarations, directives, body, arguments.length));
        MemorySegment segment = MemorySegment.ofArray(arguments.length == 0 ? new long[1] : arguments);
        return emulator.launch(
                module,
                module.entries().getFirst(),
                new LaunchConfiguration(grid, block, sharedBytes, programmatic),
                segment);
    }

    /// Runs a snippet that must fault.
    EmulatorFault fault(EmulatorFault.Kind kind, String body, long... arguments) {
        EmulatorFault fault = catchThrowableOfType(EmulatorFault.class, () -> run(body, arguments));
        assertThat(fault).as("a fault of kind %s", kind).isNotNull();
        assertThat(fault.kind()).as(fault.getMessage()).isEqualTo(kind);
        return fault;
    }
}
