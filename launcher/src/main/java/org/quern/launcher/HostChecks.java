package org.quern.launcher;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What Linux gives to this process, and what to do where it is too little for training with several workers.
final class HostChecks {
    private static final double GIB = 1L << 30;
    private static final double MB = 1e6;

    /// Less shared memory than this is too little for workers and NCCL.
    private static final long ENOUGH_SHARED = 1L << 30;

    /// Bytes that are written to see how fast the disk is.
    private static final int PROBE = 64 << 20;

    /// A checkpoint of a small model takes long on a disk that is slower, in bytes a second.
    private static final double SLOW_DISK = 100e6;

    /// Reading the time takes longer where the processor's own counter is not used, in nanoseconds.
    private static final long SLOW_CLOCK = 500;

    private static final Pattern LOCKED = Pattern.compile("Max locked memory +(\\S+)");

    private HostChecks() {}

    /// Where workers of one machine share memory.
    static String sharedMemory(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return "none: there is no " + folder;
        }
        long free = Files.getFileStore(folder).getUsableSpace();
        String size = String.format(Locale.ROOT, "%.2f GiB free in %s", free / GIB, folder);
        return free >= ENOUGH_SHARED
                ? size
                : size + ": little for several workers; in a container use --ipc=host or --shm-size=1g";
    }

    /// How much memory may be pinned, from the text of `/proc/self/limits`.
    static String lockedMemory(String limits) {
        Matcher line = LOCKED.matcher(limits);
        if (!line.find()) {
            return "unknown";
        }
        return line.group(1).equals("unlimited")
                ? "unlimited"
                : "%s bytes: NCCL over InfiniBand needs more; ulimit -l unlimited, in a container --ulimit memlock=-1"
                        .formatted(line.group(1));
    }

    /// The speed of writing to the disk of a folder, until the data is there.
    ///
    /// @return empty if the folder cannot be written to
    static Optional<String> diskSpeed(Path folder) {
        Path file = folder.resolve(".quern-doctor-" + ProcessHandle.current().pid());
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
            ByteBuffer block = ByteBuffer.allocateDirect(1 << 20);
            long began = System.nanoTime();
            for (int written = 0; written < PROBE; written += block.capacity()) {
                block.clear();
                while (block.hasRemaining()) {
                    channel.write(block);
                }
            }
            channel.force(true);
            double speed = PROBE / ((System.nanoTime() - began) / 1e9);
            return Optional.of("%.0f MB/s, written and flushed%s"
                    .formatted(speed / MB, speed < SLOW_DISK ? ": slow, checkpoints will take long" : ""));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /// What it costs to read the time, by which steps are timed.
    static String clock() {
        int calls = 100_000;
        long began = System.nanoTime();
        for (int i = 0; i < calls; i++) {
            System.nanoTime();
        }
        long each = (System.nanoTime() - began) / calls;
        String source = read(Path.of("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
                .map(text -> " (" + text.strip() + ")")
                .orElse("");
        return "%d ns to read%s%s"
                .formatted(each, source, each > SLOW_CLOCK ? ": slow, the kernel does not use the processor's" : "");
    }

    static Optional<String> read(Path file) {
        try {
            return Optional.of(Files.readString(file));
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
