/// The GPU's kernels: one class a family, bound to buffers and sizes, launched on a stream. The PTX is in
/// `src/main/ptx`.
package org.quern.kernels.cuda;
