package org.quern.collective;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/// The functions of NVIDIA's libnccl.so.2 that [NcclCommunicator] needs, in any version from 2.14 on:
/// the first whose communicators need not block. Declared by hand after nccl.h, and found when they are
/// needed.
///
/// Every call that returns a status gives it as it is.
final class NcclLibrary {
    static final String FILE = "libnccl.so.2";
    static final int ID_BYTES = 128;
    static final int SUCCESS = 0;
    static final int IN_PROGRESS = 7;
    static final int UINT8 = 1;
    static final int SUM = 0;

    private static final String ALGORITHM = "NCCL_ALGO";

    /// NCCL_VERSION(2, 14, 0), the version of [#CONFIG].
    private static final int LEAST_VERSION = 21_400;

    private static final int MAGIC = 0xCAFEBEEF;
    private static final StructLayout ID = MemoryLayout.structLayout(MemoryLayout.sequenceLayout(ID_BYTES, JAVA_BYTE));
    /// `ncclConfig_t` as it was first. Its size and version tell the library that later fields are
    /// missing.
    private static final StructLayout CONFIG = MemoryLayout.structLayout(
            JAVA_LONG.withName("size"),
            JAVA_INT.withName("magic"),
            JAVA_INT.withName("version"),
            JAVA_INT.withName("blocking"),
            MemoryLayout.paddingLayout(Integer.BYTES));

    private final SymbolLookup symbols;
    private final MethodHandle getErrorString;
    private final MethodHandle getLastError;
    private final MethodHandle commInitRankConfig;
    private final MethodHandle commGetAsyncError;
    final MethodHandle getUniqueId;
    final MethodHandle commFinalize;
    final MethodHandle commDestroy;
    final MethodHandle commAbort;
    final MethodHandle allReduce;
    final MethodHandle reduceScatter;
    final MethodHandle allGather;
    final MethodHandle reduce;
    final MethodHandle broadcast;
    final MethodHandle groupStart;
    final MethodHandle groupEnd;
    private final int version;

    /// @throws CommunicatorException if the symbols are not those of such a library
    NcclLibrary(SymbolLookup symbols) {
        this.symbols = symbols;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment code = arena.allocate(JAVA_INT);
            int status = (int) function("GetVersion", JAVA_INT, ADDRESS).invokeExact(code);
            version = status == SUCCESS ? code.get(JAVA_INT, 0) : 0;
        } catch (Throwable e) {
            throw e instanceof CommunicatorException known ? known : CollectiveLibrary.unexpected(e);
        }
        if (version < LEAST_VERSION) {
            throw new CommunicatorException("%s is too old: version %d, and Quern needs %s or newer"
                    .formatted(FILE, version, versionName(LEAST_VERSION)));
        }
        getErrorString = function("GetErrorString", ADDRESS, JAVA_INT);
        getLastError = function("GetLastError", ADDRESS, ADDRESS);
        getUniqueId = function("GetUniqueId", JAVA_INT, ADDRESS);
        commInitRankConfig = function("CommInitRankConfig", JAVA_INT, ADDRESS, JAVA_INT, ID, JAVA_INT, ADDRESS);
        commGetAsyncError = function("CommGetAsyncError", JAVA_INT, ADDRESS, ADDRESS);
        commFinalize = function("CommFinalize", JAVA_INT, ADDRESS);
        commDestroy = function("CommDestroy", JAVA_INT, ADDRESS);
        commAbort = function("CommAbort", JAVA_INT, ADDRESS);
        // (send, receive, count, type, [operation, root,] communicator, stream)
        allReduce = function(
                "AllReduce", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG);
        reduceScatter = function(
                "ReduceScatter", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG);
        allGather = function("AllGather", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
        reduce = function(
                "Reduce", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG);
        broadcast = function(
                "Broadcast", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG);
        groupStart = function("GroupStart", JAVA_INT);
        groupEnd = function("GroupEnd", JAVA_INT);
    }

    /// The one that the system's loader finds. It sums around rings, in one order as long as the machines and the
    /// library stay the same, unless the environment's `NCCL_ALGO` asks for what may be faster.
    ///
    /// @throws CommunicatorException if there is none, or it cannot be used
    static NcclLibrary load() {
        setUnlessSet(ALGORITHM, "Ring");
        try {
            return new NcclLibrary(SymbolLookup.libraryLookup(FILE, Arena.global()));
        } catch (IllegalArgumentException e) {
            throw new CommunicatorException(
                    ("no NCCL: %s was not found, which workers on several GPUs need. Install NVIDIA's libnccl2, or name"
                                    + " the folder that has it in LD_LIBRARY_PATH.")
                            .formatted(FILE),
                    e);
        }
    }

    /// Changes this process's own environment, as libraries in C see it.
    private static void setUnlessSet(String name, String value) {
        MethodHandle setenv = Linker.nativeLinker()
                .downcallHandle(
                        Linker.nativeLinker().defaultLookup().findOrThrow("setenv"),
                        FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
        try (Arena arena = Arena.ofConfined()) {
            int _ = (int) setenv.invokeExact(arena.allocateFrom(name), arena.allocateFrom(value), 0);
        } catch (Throwable e) {
            throw CollectiveLibrary.unexpected(e);
        }
    }

    /// For people: how it sums.
    static String algorithm() {
        return ALGORITHM + "=" + System.getenv().getOrDefault(ALGORITHM, "Ring");
    }

    private MethodHandle function(String name, MemoryLayout result, MemoryLayout... arguments) {
        MemorySegment address = symbols.find("nccl" + name)
                .orElseThrow(() -> new CommunicatorException("%s has no nccl%s".formatted(FILE, name)));
        return Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(result, arguments));
    }

    /// As people write it: `2.30.7`.
    String version() {
        return versionName(version);
    }

    private static String versionName(int version) {
        return "%d.%d.%d".formatted(version / 10_000, version / 100 % 100, version % 100);
    }

    static int code(ElementType type) {
        return switch (type) {
            case F32 -> 7;
            case BF16 -> 9;
        };
    }

    /// Begins to make a communicator that never blocks.
    ///
    /// @param communicator where it goes
    int init(MemorySegment communicator, int world, byte[] id, int rank) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment config = arena.allocate(CONFIG);
            config.set(JAVA_LONG, CONFIG.byteOffset(MemoryLayout.PathElement.groupElement("size")), CONFIG.byteSize());
            config.set(JAVA_INT, CONFIG.byteOffset(MemoryLayout.PathElement.groupElement("magic")), MAGIC);
            config.set(JAVA_INT, CONFIG.byteOffset(MemoryLayout.PathElement.groupElement("version")), LEAST_VERSION);
            MemorySegment bytes = arena.allocateFrom(JAVA_BYTE, id);
            return (int) commInitRankConfig.invokeExact(communicator, world, bytes, rank, config);
        } catch (Throwable e) {
            throw CollectiveLibrary.unexpected(e);
        }
    }

    /// How the communicator is: success, in progress, or the error that ended it.
    ///
    /// @param status memory of an int
    int asyncError(MemorySegment communicator, MemorySegment status) {
        try {
            int outcome = (int) commGetAsyncError.invokeExact(communicator, status);
            return outcome == SUCCESS ? status.get(JAVA_INT, 0) : outcome;
        } catch (Throwable e) {
            throw CollectiveLibrary.unexpected(e);
        }
    }

    /// What a status means, and what the library says of the last failure.
    String describe(int status) {
        try {
            String meaning = text((MemorySegment) getErrorString.invokeExact(status));
            String detail = text((MemorySegment) getLastError.invokeExact(MemorySegment.NULL));
            return "%s (%d)%s%s".formatted(meaning, status, detail.isEmpty() ? "" : ": ", detail);
        } catch (Throwable e) {
            throw CollectiveLibrary.unexpected(e);
        }
    }

    private static String text(MemorySegment text) {
        return text.equals(MemorySegment.NULL)
                ? ""
                : text.reinterpret(Integer.MAX_VALUE).getString(0).strip();
    }
}
