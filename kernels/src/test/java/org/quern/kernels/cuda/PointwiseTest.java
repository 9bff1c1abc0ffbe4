package org.quern.kernels.cuda;

class PointwiseTest extends StreamingFamilyTest {
    PointwiseTest() {
        super("pointwise");
    }
}
