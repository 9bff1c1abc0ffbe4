package org.quern.corpus.run;

/// Told how far a run is, from several threads.
@FunctionalInterface
public interface CorpusProgress {
    /// @param what is being done, such as `reading`
    /// @param pages so far
    /// @param bytes of the files so far
    /// @param totalBytes of all files; 0 if unknown
    void update(String what, long pages, long bytes, long totalBytes);
}
