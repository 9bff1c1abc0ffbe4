package org.quern.gpu;

/// A device refused or failed. The message says what was asked, the limit and the value, and what to do.
public class GpuException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public GpuException(String message) {
        super(message);
    }

    public GpuException(String message, Throwable cause) {
        super(message, cause);
    }
}
