/// Worker processes: which one this is, starting them, watching them, and several machines as one job.
package org.quern.launcher.cluster;
