package org.quern.kernels.cuda;

import java.util.Locale;

/// Kinds of floats of 8 bits.
public enum Fp8Type {
    /// 3 bits behind the point, up to 448: for activations and weights.
    E4M3,
    /// 2 bits behind the point, up to 57,344: for gradients, whose sizes differ more.
    E5M2;

    /// As templates call it: `e4m3`.
    String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
