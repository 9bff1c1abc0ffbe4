package org.quern.gpu;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/// A GPU that keeps count of what was opened on it.
abstract class OwningGpu implements Gpu {
    /// In the order of their creation.
    private final Set<Owned<?>> open = new LinkedHashSet<>();

    private volatile boolean closed;

    /// For messages: `cuda:0`.
    abstract String name();

    /// Prepares this thread for calls.
    abstract void enter();

    /// Gives the device back, after all that was opened on it.
    abstract void release();

    /// Makes the device ready for a call of this thread.
    ///
    /// @throws GpuException if it is closed
    final void use() {
        if (closed) {
            throw new GpuException(name() + " is closed");
        }
        enter();
    }

    final synchronized <T extends Owned<?>> T add(T owned) {
        open.add(owned);
        return owned;
    }

    final synchronized void remove(Owned<?> owned) {
        open.remove(owned);
    }

    /// What is open, the oldest first.
    final synchronized List<Owned<?>> open() {
        return new ArrayList<>(open);
    }

    @Override
    public final void close() {
        if (closed) {
            return;
        }
        List<Owned<?>> left = open().reversed();
        GpuException failure = left.isEmpty()
                ? null
                : new GpuException("%s was closed before %s"
                        .formatted(name(), left.stream().map(Owned::describe).collect(Collectors.joining(", "))));
        for (Owned<?> owned : left) {
            try {
                owned.close();
            } catch (GpuException e) {
                failure.addSuppressed(e);
            }
        }
        closed = true;
        try {
            release();
        } catch (GpuException e) {
            if (failure == null) {
                throw e;
            }
            failure.addSuppressed(e);
        }
        if (failure != null) {
            throw failure;
        }
    }
}
