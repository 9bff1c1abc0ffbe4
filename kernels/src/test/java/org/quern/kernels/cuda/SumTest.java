package org.quern.kernels.cuda;

class SumTest extends StreamingFamilyTest {
    SumTest() {
        super("sum");
    }
}
