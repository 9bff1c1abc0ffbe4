package org.quern.kernels.cuda;

class NormTest extends KernelFamilyTest {
    NormTest() {
        super("norm");
    }
}
