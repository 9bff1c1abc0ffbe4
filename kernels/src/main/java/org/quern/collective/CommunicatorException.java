package org.quern.collective;

/// A call of a [Communicator] that could not end. The message says which call, and which worker it was.
public final class CommunicatorException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public CommunicatorException(String message) {
        super(message);
    }

    public CommunicatorException(String message, Throwable cause) {
        super(message, cause);
    }
}
