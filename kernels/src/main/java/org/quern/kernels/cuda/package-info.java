/// The GPU's kernels: one class a family, bound to buffers and sizes, launched on a stream. The PTX is in
/// `src/main/ptx`.
///
/// Kernels for `sm_80` run on every GPU since. Matrix products ([org.quern.kernels.cuda.MatMul]) and attention
/// ([org.quern.kernels.cuda.Attention]) have twins for `sm_90a`, which compute the same up to the order of sums:
/// [org.quern.kernels.cuda.WarpgroupMatMul], with [org.quern.kernels.cuda.Fp8MatMul] for floats of 8 bits, and
/// [org.quern.kernels.cuda.WarpgroupAttention], whose gradient
/// [org.quern.kernels.cuda.FusedAttentionGradient] computes in one pass.
package org.quern.kernels.cuda;
