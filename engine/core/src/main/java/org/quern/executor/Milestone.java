package org.quern.executor;

import java.util.List;
import java.util.function.Consumer;
import org.quern.graph.Schedule;

/// What is to happen when a run of a program has written a state for the last time, while the run goes on.
///
/// @param state its name
/// @param reached called by the thread that runs the program, in the order in which states become final, with
///     what waits until the device is that far
public record Milestone(String state, Consumer<Runnable> reached) {

    /// Those that are reached with a node.
    static List<Milestone> after(int node, Schedule schedule, List<Milestone> milestones) {
        return milestones.stream()
                .filter(milestone -> schedule.finalAfter(milestone.state()) == node)
                .toList();
    }
}
