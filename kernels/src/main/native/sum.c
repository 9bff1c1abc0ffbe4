/* The sum over ranks: a balanced tree, in fp32, rounded once. */
#include "group.h"

#include <string.h>

/* The loops are compiled for wider vectors too, and the loader chooses. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORS
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define INDEPENDENT _Pragma("GCC ivdep") /* a result may lie where one of its terms does, not elsewhere */
#else
#define INDEPENDENT
#endif

VECTORS static void add(float *to, const float *a, const float *b, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        to[i] = a[i] + b[i];
    }
}

VECTORS static void add_twice(float *to, float *copy, const float *a, const float *b, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        float value = a[i] + b[i];
        to[i] = value;
        copy[i] = value;
    }
}

VECTORS static void widen(float *to, const uint16_t *from, size_t n) {
    uint32_t *bits = (uint32_t *)(void *)to;
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        bits[i] = (uint32_t)from[i] << 16;
    }
}

/* To the nearest, ties to even; what is not a number stays so. */
VECTORS static void add_rounded(uint16_t *to, const float *a, const float *b, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        float value = a[i] + b[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
        uint32_t quiet = bits >> 16 | 0x40u;
        to[i] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}

/* The largest power of two below n. */
static int32_t left_of(int32_t n) {
    int32_t left = 1;
    while (left * 2 < n) {
        left *= 2;
    }
    return left;
}

/* The sum of ranks [first, first + ranks) of n <= BLOCK elements: where it lies, in `scratch` or at its source. */
static const float *tree(const void *const *sources, int32_t type, int32_t first, int32_t ranks, size_t at, size_t n,
                         float (*scratch)[BLOCK]) {
    if (ranks == 1) {
        if (type == QUERN_F32) {
            return (const float *)sources[first] + at;
        }
        widen(scratch[0], (const uint16_t *)sources[first] + at, n);
        return scratch[0];
    }
    int32_t left = left_of(ranks);
    const float *a = tree(sources, type, first, left, at, n, scratch);
    const float *b = tree(sources, type, first + left, ranks - left, at, n, scratch + 1);
    add(scratch[0], a, b, n);
    return scratch[0];
}

void sum(quern_group *group, const void *const *sources, int32_t type, void *to, void *copy, size_t n) {
    int32_t left = left_of(group->world);
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t length = n - at < BLOCK ? n - at : BLOCK;
        const float *a = tree(sources, type, 0, left, at, length, group->scratch);
        const float *b = tree(sources, type, left, group->world - left, at, length, group->scratch + 1);
        if (type == QUERN_BF16) {
            add_rounded((uint16_t *)to + at, a, b, length);
            if (copy != NULL) {
                memcpy((uint16_t *)copy + at, (uint16_t *)to + at, length * sizeof(uint16_t));
            }
        } else if (copy != NULL) {
            add_twice((float *)to + at, (float *)copy + at, a, b, length);
        } else {
            add((float *)to + at, a, b, length);
        }
    }
}
