package org.quern.kernels.cuda;

class PointwiseTest extends KernelFamilyTest {
    PointwiseTest() {
        super("pointwise");
    }
}
