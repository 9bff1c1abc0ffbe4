/// How fast the GPU's kernels are: what is timed, on which sizes, against which ceilings. `quern bench kernels` runs
/// it.
package org.quern.kernels.bench;
