package org.quern.kernels.cuda;

class ActivationTest extends StreamingFamilyTest {
    ActivationTest() {
        super("activation");
    }
}
