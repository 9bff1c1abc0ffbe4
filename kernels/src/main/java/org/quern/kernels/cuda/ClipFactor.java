package org.quern.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import org.quern.gpu.DeviceMemory;
import org.quern.gpu.GpuException;
import org.quern.gpu.Launch;
import org.quern.gpu.Launch.Dim;
import org.quern.ptx.KernelVariant;

/// The norm of all gradients together and the factor that clips it, as `torch.nn.utils.clip_grad_norm_` does:
/// norm = sqrt(sum of all sums), factor = min(1, maxNorm / (norm + 1e-6)). A norm that is not finite stays
/// so, for the caller to see.
public final class ClipFactor {
    private static final KernelVariant VARIANT = KernelVariant.of("clip_factor.sm_80");
    /// Sums that one launch adds up.
    private static final int MOST = 64;

    private ClipFactor() {}

    /// @param sums sums of squares, fp32 [1] each
    /// @param out fp32 [2]: norm, factor
    public static GpuKernel of(KernelLibrary library, List<DeviceMemory> sums, DeviceMemory out, double maxNorm) {
        Streaming streaming = new Streaming("clip factor", library);
        if (sums.isEmpty()) {
            throw new GpuException("clip factor: needs at least 1 sum of squares: got none");
        }
        sums.forEach(sum -> streaming.buffer("sum", sum, Float.BYTES, 1));
        streaming.buffer("out", out, Float.BYTES, 2);
        List<Launch> launches = new ArrayList<>();
        for (int from = 0; from < sums.size(); from += MOST) {
            int count = Math.min(MOST, sums.size() - from);
            boolean last = from + count == sums.size();
            List<Object> arguments = new ArrayList<>();
            for (int i = 0; i < MOST; i++) {
                arguments.add(i < count ? sums.get(from + i) : Long.valueOf(0));
            }
            arguments.add(from == 0 ? Long.valueOf(0) : out);
            arguments.add(count);
            arguments.add(out);
            if (last) {
                arguments.add((float) maxNorm);
            }
            launches.add(new Launch(
                    streaming.function(VARIANT, last ? "finish" : "add"),
                    Dim.of(1),
                    Dim.of(Streaming.WARP),
                    0,
                    arguments.toArray()));
        }
        return stream -> {
            for (int i = 0; i < launches.size(); i++) {
                stream.launch(launches.get(i));
            }
        };
    }

    /// All that ship.
    public static List<KernelVariant> variants() {
        return List.of(VARIANT);
    }
}
