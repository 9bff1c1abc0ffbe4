package org.quern.collective;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.net.URL;
import java.nio.file.Path;
import java.util.Optional;
import org.quern.gpu.IoReason;
import org.quern.gpu.ShippedLibrary;

/// The functions of `src/main/native/collective.h`, in the library that the build compiled.
///
/// They are called through the foreign-function API: it needs no glue in C nor headers of the JDK to
/// build, the tests in C call the same functions, and a call costs nanoseconds where an operation takes
/// microseconds.
final class CollectiveLibrary {
    static final int ERROR_BYTES = 1024;

    private static final String FILE = "libquern_collective.so";
    /// Empty where it cannot be used.
    private static final Optional<CollectiveLibrary> INSTANCE;

    private static final String PROBLEM;

    static {
        Optional<CollectiveLibrary> instance = Optional.empty();
        String problem = "";
        URL resource = CollectiveLibrary.class.getResource("/native/" + FILE);
        if (resource == null) {
            problem = "this build of Quern has no shared memory between workers, as there was no C compiler: install"
                    + " gcc and libc6-dev (Debian, Ubuntu) and build it again, or let the workers talk by TCP";
        } else {
            try {
                CollectiveLibrary[] loaded = new CollectiveLibrary[1];
                ShippedLibrary.use(resource, "quern-collective", FILE, file -> loaded[0] = new CollectiveLibrary(file));
                instance = Optional.of(loaded[0]);
            } catch (IOException e) {
                problem = "%s cannot be extracted: %s".formatted(FILE, IoReason.of(e));
            } catch (IllegalArgumentException e) {
                problem = "%s cannot be loaded: %s".formatted(FILE, e.getMessage());
            }
        }
        INSTANCE = instance;
        PROBLEM = problem;
    }

    final MethodHandle regionCreate;
    final MethodHandle regionClose;
    final MethodHandle join;
    final MethodHandle allReduce;
    final MethodHandle reduceScatter;
    final MethodHandle allGather;
    final MethodHandle broadcast;
    final MethodHandle barrier;
    final MethodHandle abort;
    final MethodHandle leave;

    private CollectiveLibrary(Path file) {
        SymbolLookup symbols = SymbolLookup.libraryLookup(file, Arena.global());
        regionCreate = function(symbols, "region_create", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, ADDRESS);
        regionClose = procedure(symbols, "region_close", JAVA_INT);
        join = function(symbols, "join", ADDRESS, ADDRESS, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, ADDRESS);
        allReduce = function(symbols, "all_reduce", JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS);
        reduceScatter = function(symbols, "reduce_scatter", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS);
        allGather = function(symbols, "all_gather", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS);
        broadcast = function(symbols, "broadcast", JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS);
        barrier = function(symbols, "barrier", JAVA_INT, ADDRESS, ADDRESS);
        abort = procedure(symbols, "abort", ADDRESS, ADDRESS);
        leave = procedure(symbols, "leave", ADDRESS);
    }

    private static MethodHandle function(
            SymbolLookup symbols, String name, MemoryLayout result, MemoryLayout... arguments) {
        return Linker.nativeLinker()
                .downcallHandle(symbols.findOrThrow("quern_" + name), FunctionDescriptor.of(result, arguments));
    }

    private static MethodHandle procedure(SymbolLookup symbols, String name, MemoryLayout... arguments) {
        return Linker.nativeLinker()
                .downcallHandle(symbols.findOrThrow("quern_" + name), FunctionDescriptor.ofVoid(arguments));
    }

    /// @throws CommunicatorException if it cannot be used, saying why and what to do
    static CollectiveLibrary get() {
        return INSTANCE.orElseThrow(() -> new CommunicatorException(PROBLEM));
    }

    /// Why it cannot be used, if so.
    static Optional<String> problem() {
        return INSTANCE.isPresent() ? Optional.empty() : Optional.of(PROBLEM);
    }

    /// The sentence that a function wrote.
    static CommunicatorException failure(MemorySegment error) {
        return new CommunicatorException(error.getString(0));
    }

    /// What a method handle throws is a mistake in this package.
    static IllegalStateException unexpected(Throwable e) {
        return new IllegalStateException(e);
    }
}
