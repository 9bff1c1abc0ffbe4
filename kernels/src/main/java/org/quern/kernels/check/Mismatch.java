package org.quern.kernels.check;

/// A kernel's result is not the reference's.
public final class Mismatch extends RuntimeException {
    private static final long serialVersionUID = 1;

    public Mismatch(String message) {
        super(message);
    }
}
