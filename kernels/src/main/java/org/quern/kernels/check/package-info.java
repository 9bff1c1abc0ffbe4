/// What every GPU kernel must compute: cases with inputs, double-precision references and tolerances, run by the
/// tests on the emulator and by `quern kernels check` on a GPU.
package org.quern.kernels.check;
