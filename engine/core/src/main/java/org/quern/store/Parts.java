package org.quern.store;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;

/// Work on the parts of something large, several at once.
final class Parts {
    private Parts() {}

    interface Work {
        /// @param index of the part, from 0
        void part(int index, long offset, long bytes) throws IOException;
    }

    /// Does all of it. After a failure no further part is begun, and those under way are waited for: they use the
    /// caller's memory.
    static void each(ExecutorService threads, long size, long partBytes, Work work) throws IOException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        CompletableFuture<?>[] parts = LongStream.range(0, Math.ceilDiv(size, partBytes))
                .mapToObj(part -> CompletableFuture.runAsync(
                        () -> {
                            if (failure.get() == null) {
                                long offset = part * partBytes;
                                try {
                                    work.part((int) part, offset, Math.min(partBytes, size - offset));
                                } catch (IOException | RuntimeException | Error e) {
                                    failure.compareAndSet(null, e);
                                }
                            }
                        },
                        threads))
                .toArray(CompletableFuture<?>[]::new);
        CompletableFuture.allOf(parts).join();
        switch (failure.get()) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(failure.get());
        }
    }
}
