package org.quern.kernels.cuda;

class CrossEntropyTest extends KernelFamilyTest {
    CrossEntropyTest() {
        super("cross-entropy");
    }
}
