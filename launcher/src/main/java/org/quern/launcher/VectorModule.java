package org.quern.launcher;

import jdk.internal.module.Modules;

/// Loads the Vector API.
///
/// The module is not in the boot layer without `--add-modules=jdk.incubator.vector`, with which the JVM prints
/// a warning at each start and has no module graph in its AOT cache. So it is loaded in the way in which the
/// JVM loads `java.instrument` when an agent arrives: into a layer of its own, by the boot loader, with all
/// intrinsics.
final class VectorModule {
    private VectorModule() {}

    /// Must come before the first use of a class that uses the Vector API.
    static void load() {
        Modules.loadModule("jdk.incubator.vector");
    }
}
