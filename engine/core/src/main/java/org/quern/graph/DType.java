package org.quern.graph;

/// The element types of tensors.
public enum DType {
    F32(4),
    BF16(2),
    I32(4),
    /// 4 bits of exponent, 3 behind the point.
    E4M3(1),
    /// 5 bits of exponent, 2 behind the point.
    E5M2(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    public int bytes() {
        return bytes;
    }
}
