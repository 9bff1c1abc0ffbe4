package org.quern.collective;

/// What is summed.
public enum ElementType {
    F32(Float.BYTES),
    BF16(Short.BYTES);

    private final int bytes;

    ElementType(int bytes) {
        this.bytes = bytes;
    }

    public int bytes() {
        return bytes;
    }
}
