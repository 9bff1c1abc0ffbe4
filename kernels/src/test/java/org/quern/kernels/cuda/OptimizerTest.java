package org.quern.kernels.cuda;

class OptimizerTest extends StreamingFamilyTest {
    OptimizerTest() {
        super("optimizer");
    }
}
