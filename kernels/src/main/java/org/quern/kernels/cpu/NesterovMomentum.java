package org.quern.kernels.cpu;

import static org.quern.kernels.cpu.Buffers.address;
import static org.quern.kernels.cpu.Native.BYTES;
import static org.quern.kernels.cpu.Native.LANES;
import static org.quern.kernels.cpu.Native.get;
import static org.quern.kernels.cpu.Native.load;
import static org.quern.kernels.cpu.Native.put;
import static org.quern.kernels.cpu.Native.store;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Muon's momentum with Nesterov's look-ahead (Jordan et al., 2024), as `torch.optim.Muon` does it.
///
/// With g = gradient * factor: buffer += (1 - momentum) * (g - buffer); update = g + momentum * (buffer - g).
public final class NesterovMomentum extends Elementwise {
    private final MemorySegment gradient;
    private final MemorySegment buffer;
    private final MemorySegment clip;
    private final MemorySegment update;
    private final double momentum;

    /// @param gradient [count]
    /// @param buffer [count]; changed
    /// @param clip [2], read when run: norm, factor, see [ClipFactor]
    /// @param update [count]; may be `gradient`
    public NesterovMomentum(
            MemorySegment gradient,
            MemorySegment buffer,
            MemorySegment clip,
            MemorySegment update,
            long count,
            double momentum) {
        super(count);
        this.gradient = Buffers.floats(gradient, count);
        this.buffer = Buffers.floats(buffer, count);
        this.clip = Buffers.floats(clip, 2);
        this.update = Buffers.floats(update, count);
        this.momentum = momentum;
    }

    @Override
    void block(long offset, int count) {
        long gradient = address(this.gradient) + offset;
        long buffer = address(this.buffer) + offset;
        long update = address(this.update) + offset;
        float factor = get(address(clip) + 4);
        float share = (float) (1 - momentum);
        float ahead = (float) momentum;
        int i = 0;
        long at = 0;
        for (; i <= count - LANES; i += LANES, at += BYTES) {
            FloatVector g = load(gradient + at).mul(factor);
            FloatVector b = load(buffer + at);
            b = g.sub(b).mul(share).add(b);
            store(b, buffer + at);
            store(b.sub(g).mul(ahead).add(g), update + at);
        }
        for (; i < count; i++, at += Float.BYTES) {
            float g = get(gradient + at) * factor;
            float b = get(buffer + at);
            b = (g - b) * share + b;
            put(buffer + at, b);
            put(update + at, (b - g) * ahead + g);
        }
    }
}
