package org.quern.train;

/// Told how far the work before the first step is: training a tokenizer, turning text into tokens.
@FunctionalInterface
public interface Preparation {
    /// @param what is being done, such as `tokenizing`
    void update(String what, long done, long total);
}
