package org.quern.executor;

/// Is told how long operations took.
public interface OperationListener {
    /// @param start nanoseconds on the executor's clock
    /// @param nanos until it was done
    void on(Operation operation, long start, long nanos);
}
