// A stand-in for libcublas.so.12, beside driver.c: the products are plain loops over the host memory that driver.c hands
// out, column-major as cuBLAS has it. What is not asked for as the tests expect it is refused (7, invalid value).
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int cublasCreate_v2(void **handle) {
    *handle = calloc(2, sizeof(void *));
    return 0;
}
int cublasDestroy_v2(void *handle) { free(handle); return 0; }
// Fails as often as $STREAM_FAILURES says (14, internal error).
int cublasSetStream_v2(void *handle, void *stream) {
    static int calls;
    const char *failures = getenv("STREAM_FAILURES");
    if (failures && calls++ < atoi(failures)) {
        return 14;
    }
    ((void **)handle)[0] = stream;
    ((void **)handle)[1] = NULL;
    return 0;
}
int cublasSetWorkspace_v2(void *handle, void *workspace, size_t bytes) {
    if ((uintptr_t)workspace % 256 || bytes != 32 << 20) {
        return 7;
    }
    ((void **)handle)[1] = workspace;
    return 0;
}

static float load(const uint16_t *memory, long index) {
    uint32_t bits = (uint32_t)memory[index] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float element(const uint16_t *matrix, int transposed, int ld, int row, int column) {
    return transposed ? load(matrix, column + (long)row * ld) : load(matrix, row + (long)column * ld);
}

int cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const uint16_t *a, int type_a,
                 int lda, const uint16_t *b, int type_b, int ldb, const float *beta, void *c, int type_c, int ldc,
                 int compute, int algorithm) {
    int known = ((void **)handle)[0] && ((void **)handle)[1] && type_a == 14 && type_b == 14
                && (type_c == 14 || type_c == 0) && compute == 68 && algorithm == -1
                && lda >= (ta ? k : m) && ldb >= (tb ? n : k) && ldc >= m;
    if (!known) {
        return 7;
    }
    for (int column = 0; column < n; column++) {
        for (int row = 0; row < m; row++) {
            float sum = 0;
            for (int i = 0; i < k; i++) {
                sum += element(a, ta, lda, row, i) * element(b, tb, ldb, i, column);
            }
            sum *= *alpha;
            long at = row + (long)column * ldc;
            if (type_c == 0) {
                float *out = c;
                out[at] = sum + (*beta ? *beta * out[at] : 0);
            } else {
                uint16_t *out = c;
                sum += *beta ? *beta * load(out, at) : 0;
                uint32_t bits;
                memcpy(&bits, &sum, sizeof bits);
                out[at] = bits >> 16; // the tests' sums have few bits
            }
        }
    }
    return 0;
}
