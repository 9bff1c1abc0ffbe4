package org.quern.kernels.cuda;

import java.util.Locale;

/// What the elements of a tensor on a GPU are.
public enum ElementType {
    BF16(2),
    F32(4);

    private final int bytes;

    ElementType(int bytes) {
        this.bytes = bytes;
    }

    public int bytes() {
        return bytes;
    }

    /// As templates call it: `bf16`.
    String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
