package org.quern.kernels.cuda;

class NormTest extends StreamingFamilyTest {
    NormTest() {
        super("norm");
    }
}
