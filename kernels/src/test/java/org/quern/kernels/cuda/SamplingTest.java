package org.quern.kernels.cuda;

class SamplingTest extends StreamingFamilyTest {
    SamplingTest() {
        super("sampling");
    }
}
