package org.quern.collective;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;
import org.quern.gpu.EmulatedGpu;
import org.quern.gpu.GpuEvent;
import org.quern.gpu.GpuStream;
import org.quern.gpu.StubLibrary;

/// The library of `src/test/resources/collective/nccl.c` in place of NCCL. What its ranks sum is on the host.
public final class StubNccl implements AutoCloseable {
    final SymbolLookup symbols;
    final NcclLibrary library;
    private final EmulatedGpu gpu = new EmulatedGpu();
    private final Arena arena = Arena.ofShared();

    /// Compiles it, or skips the test where there is no C compiler.
    public StubNccl(Path folder) throws Exception {
        // Not by the name of the real one, which would not be loaded beside it.
        Path file = StubLibrary.compile(folder, "/collective/nccl.c", "libstub.so");
        symbols = SymbolLookup.libraryLookup(file, Arena.ofAuto());
        library = new NcclLibrary(symbols);
    }

    /// One of its variables `stub_...`.
    public int counter(String name) {
        return symbols.findOrThrow("stub_" + name).reinterpret(Integer.BYTES).get(ValueLayout.JAVA_INT, 0);
    }

    public byte[] newId() {
        return NcclCommunicator.newId(library);
    }

    /// @param id of [#newId]
    public Communicator join(byte[] id, int rank, int world, Duration limit, Supplier<Optional<String>> trouble) {
        // A stream that stands for one on which the stub's work is done.
        GpuStream stream = gpu.stream();
        GpuEvent event = gpu.event();
        NcclCommunicator.Queue queue = new NcclCommunicator.Queue(stream, 0, event, arena.allocate(4, 4), () -> {
            event.close();
            stream.close();
        });
        return new NcclCommunicator(library, id, rank, world, queue, limit, trouble);
    }

    @Override
    public void close() {
        gpu.close();
        arena.close();
    }
}
