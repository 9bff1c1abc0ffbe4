package org.quern.corpus.run;

import java.util.List;

/// Has tasks done by processes that share the run's folder, on this machine or others.
@FunctionalInterface
public interface TaskRunner {
    /// What [CorpusTask#run(String)] makes of each task, in their order. A task may be done more than once,
    /// also at the same time.
    List<String> run(List<String> tasks);
}
