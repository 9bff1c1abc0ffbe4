package org.quern.kernels.cuda;

class EmbeddingTest extends KernelFamilyTest {
    EmbeddingTest() {
        super("embedding");
    }
}
