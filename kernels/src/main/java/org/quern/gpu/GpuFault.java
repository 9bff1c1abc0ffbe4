package org.quern.gpu;

import java.util.Optional;

/// A device failed at its work, was lost, or has no memory left. The same work may succeed another time.
public final class GpuFault extends GpuException {
    private static final long serialVersionUID = 1;

    /// What happened.
    public enum Kind {
        OUT_OF_MEMORY,
        FAILED
    }

    private final Kind kind;
    private final String work;

    public GpuFault(Kind kind, String message) {
        super(message);
        this.kind = kind;
        work = null;
    }

    private GpuFault(GpuFault cause, String work) {
        super(cause.getMessage(), cause);
        kind = cause.kind;
        this.work = work;
    }

    /// The same fault with what it happened at, unless that is known.
    public GpuFault at(String work) {
        return this.work == null ? new GpuFault(this, work) : this;
    }

    public Kind kind() {
        return kind;
    }

    /// What it happened at: an operation, or what the memory was for. A device often does not say.
    public Optional<String> work() {
        return Optional.ofNullable(work);
    }
}
