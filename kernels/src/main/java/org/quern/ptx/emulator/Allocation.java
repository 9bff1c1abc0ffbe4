package org.quern.ptx.emulator;

/// A range of global memory, in pages that come into being when they are first written.
final class Allocation {
    final long address;
    final long bytes;
    private final Page[] pages;

    Allocation(long address, long bytes) {
        this.address = address;
        this.bytes = bytes;
        pages = new Page[Math.toIntExact((bytes + Page.BYTES - 1) >>> Page.BITS)];
    }

    boolean contains(long start, long length) {
        return start >= address && start + length <= address + bytes;
    }

    /// The page at an offset; null if nothing was ever written to it.
    Page page(long offset) {
        return pages[(int) (offset >>> Page.BITS)];
    }

    Page pageToWrite(long offset) {
        int index = (int) (offset >>> Page.BITS);
        if (pages[index] == null) {
            pages[index] = new Page();
        }
        return pages[index];
    }

    void forgetAccesses() {
        for (Page page : pages) {
            if (page != null) {
                page.forgetAccesses();
            }
        }
    }
}
