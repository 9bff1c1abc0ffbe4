package org.quern.kernels.cuda;

class OptimizerTest extends KernelFamilyTest {
    OptimizerTest() {
        super("optimizer");
    }
}
