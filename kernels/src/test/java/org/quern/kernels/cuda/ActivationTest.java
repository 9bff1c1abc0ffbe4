package org.quern.kernels.cuda;

class ActivationTest extends KernelFamilyTest {
    ActivationTest() {
        super("activation");
    }
}
