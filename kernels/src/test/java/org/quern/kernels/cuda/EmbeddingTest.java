package org.quern.kernels.cuda;

class EmbeddingTest extends StreamingFamilyTest {
    EmbeddingTest() {
        super("embedding");
    }
}
