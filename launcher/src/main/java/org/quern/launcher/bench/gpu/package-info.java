/// `quern bench gpu`: all figures of a GPU in a given time, by the other verbs, each in a process of its own.
package org.quern.launcher.bench.gpu;
