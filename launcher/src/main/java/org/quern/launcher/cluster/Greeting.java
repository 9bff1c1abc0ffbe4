package org.quern.launcher.cluster;

/// What two launchers say before they work together.
sealed interface Greeting {
    /// The first words of the one that comes.
    ///
    /// @param node which machine it is
    /// @param nodes how many it thinks there are
    /// @param workers how many it starts
    /// @param version of Quern
    /// @param config the configuration as it was resolved
    record Hello(int node, int nodes, int workers, String version, String config) implements Greeting {}

    /// It is in.
    record Welcome() implements Greeting {}

    /// It is not.
    ///
    /// @param mayRetry whether the reason may go away
    record Refused(String reason, boolean mayRetry) implements Greeting {}
}
