/// How fast the GPU's kernels are: what is timed, on which sizes, against which ceilings (`quern bench kernels`), which
/// plan of a product is fastest (`quern kernels tune`), and what a model says without a GPU, from what the emulator
/// counts (`quern kernels table`).
package org.quern.kernels.bench;
