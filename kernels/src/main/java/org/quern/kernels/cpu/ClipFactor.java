package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.put;

import java.lang.foreign.MemorySegment;
import java.util.List;

/// The norm of all gradients together and the factor that clips it, as `torch.nn.utils.clip_grad_norm_` does:
/// norm = sqrt(sum of all sums), factor = min(1, maxNorm / (norm + 1e-6)). A norm that is not finite stays
/// so, for the caller to see.
public final class ClipFactor implements Kernel {
    private final List<MemorySegment> sums;
    private final MemorySegment out;
    private final double maxNorm;

    /// @param sums sums of squares, [1] each
    /// @param out [2]: norm, factor
    public ClipFactor(List<MemorySegment> sums, MemorySegment out, double maxNorm) {
        this.sums = List.copyOf(sums);
        this.sums.forEach(sum -> Buffers.floats(sum, 1));
        this.out = Buffers.floats(out, 2);
        this.maxNorm = maxNorm;
    }

    @Override
    public int tasks(int phase) {
        return 1;
    }

    @Override
    public void run(int phase, int task) {
        double total = 0;
        for (int i = 0; i < sums.size(); i++) {
            total += get(address(sums.get(i)));
        }
        double norm = Math.sqrt(total);
        put(address(out), (float) norm);
        put(address(out) + Float.BYTES, (float) Math.min(1, maxNorm / (norm + 1e-6)));
    }
}
