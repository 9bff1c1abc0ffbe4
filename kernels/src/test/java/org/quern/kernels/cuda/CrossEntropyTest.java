package org.quern.kernels.cuda;

class CrossEntropyTest extends StreamingFamilyTest {
    CrossEntropyTest() {
        super("cross-entropy");
    }
}
