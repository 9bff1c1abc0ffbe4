package org.quern.executor;

import org.quern.graph.MemoryPlan;
import org.quern.graph.Schedule;

/// A graph that is ready to run on a device. The programs of one executor share its states and its arena; one
/// of them runs at a time, and tensors in the arena do not outlive a run. After its first run, a run allocates
/// nothing.
public interface Program {
    void run();

    Schedule schedule();

    MemoryPlan memoryPlan();
}
