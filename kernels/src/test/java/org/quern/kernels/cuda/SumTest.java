package org.quern.kernels.cuda;

class SumTest extends KernelFamilyTest {
    SumTest() {
        super("sum");
    }
}
