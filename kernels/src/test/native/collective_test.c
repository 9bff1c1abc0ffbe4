/* Tests of the collective library, with processes as ranks. Prints what fails; the exit status is 0 if nothing does. */
#define _GNU_SOURCE
#include "collective.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 60000
#define IMPATIENT_MS 3000 /* enough to start in */

static int failures;

#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            failures++;                                                                                                \
            printf("%s:%d: ", __func__, __LINE__);                                                                     \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
        }                                                                                                              \
    } while (0)

struct world {
    int ranks;
    uint64_t slot_bytes;
    int64_t timeout_ms;
};

typedef void body(quern_group *group, int rank, const struct world *world);

static pid_t children[QUERN_MOST_RANKS];
static int ready[2]; /* a pipe from a rank to the parent */

/* Runs `body` in a process a rank. The parent may do something meanwhile. */
static void run(const struct world *world, body *body, void (*meanwhile)(const struct world *)) {
    char error[QUERN_ERROR_BYTES];
    char name[64];
    int descriptor = quern_region_create(world->ranks, 7, world->slot_bytes, error);
    CHECK(descriptor >= 0, "%s", error);
    snprintf(name, sizeof name, "/proc/%d/fd/%d", getpid(), descriptor);
    fflush(stdout);
    for (int rank = 0; rank < world->ranks; rank++) {
        children[rank] = fork();
        if (children[rank] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            failures = 0;
            quern_group *group = quern_join(name, rank, world->ranks, 7, world->timeout_ms, error);
            CHECK(group != NULL, "%s", error);
            if (group != NULL) {
                body(group, rank, world);
                quern_leave(group);
            }
            fflush(stdout);
            exit(failures == 0 ? 0 : 1);
        }
    }
    if (meanwhile != NULL) {
        meanwhile(world);
    }
    for (int rank = 0; rank < world->ranks; rank++) {
        int status;
        waitpid(children[rank], &status, 0);
        CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), "rank %d of %d ended with %d", rank,
              world->ranks, status);
    }
    quern_region_close(descriptor);
}

/* What rank r has at index i: of many magnitudes, so that the order of a sum shows. */
static float term(int rank, int64_t i) {
    uint32_t x = (uint32_t)(i * 2654435761u) ^ (uint32_t)(rank + 1) * 40503u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    float value = (float)(int32_t)x * 0x1p-31f;
    return value * (float)(1 << (x & 15));
}

static float from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Rounds by comparing the two neighbours, not as the library does it. */
static uint16_t to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t down = (uint16_t)(bits >> 16);
    uint16_t up = (uint16_t)(down + 1);
    double below = (double)value - from_bf16(down);
    double above = (double)from_bf16(up) - value;
    below = below < 0 ? -below : below;
    above = above < 0 ? -above : above;
    return below < above || (below == above && down % 2 == 0) ? down : up;
}

static float terms(int32_t type, int first, int ranks, int64_t i) {
    if (ranks == 1) {
        return type == QUERN_F32 ? term(first, i) : from_bf16(to_bf16(term(first, i)));
    }
    int left = 1;
    while (2 * left < ranks) {
        left *= 2;
    }
    return terms(type, first, left, i) + terms(type, first + left, ranks - left, i);
}

static size_t bytes_of(int32_t type, int64_t count) {
    return (size_t)count * (type == QUERN_F32 ? 4 : 2);
}

static void put(void *data, int32_t type, int64_t i, float value) {
    if (type == QUERN_F32) {
        ((float *)data)[i] = value;
    } else {
        ((uint16_t *)data)[i] = to_bf16(value);
    }
}

static void *own_data(int32_t type, int64_t count, int rank) {
    void *data = malloc(bytes_of(type, count) + 1);
    for (int64_t i = 0; i < count; i++) {
        put(data, type, i, term(rank, i));
    }
    return data;
}

static void check_sums(const void *data, int32_t type, int64_t from, int64_t to, int ranks, const char *what) {
    for (int64_t i = from; i < to; i++) {
        uint32_t right = 0;
        put(&right, type, 0, terms(type, 0, ranks, i));
        if (memcmp((const uint8_t *)data + bytes_of(type, i), &right, bytes_of(type, 1)) != 0) {
            CHECK(false, "%s of type %d, %d ranks: element %ld is wrong", what, type, ranks, (long)i);
            return;
        }
    }
}

/* Unequal parts, the first and some others empty. */
static void uneven(int64_t *bounds, int ranks, int64_t count) {
    bounds[0] = 0;
    for (int rank = 1; rank < ranks; rank++) {
        bounds[rank] = rank == 1 ? 0 : rank % 2 == 0 ? count * rank / (ranks + 2) : bounds[rank - 1];
    }
    bounds[ranks] = count;
}

static void sums_are_exact(quern_group *group, int rank, const struct world *world) {
    static const int64_t counts[] = {0, 1, 3, 127, 129, 4096, 20011};
    char error[QUERN_ERROR_BYTES] = "";
    int ranks = world->ranks;
    for (int32_t type = QUERN_F32; type <= QUERN_BF16; type++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            int64_t count = counts[c];
            int64_t bounds[QUERN_MOST_RANKS + 1];
            uneven(bounds, ranks, count);
            void *data = own_data(type, count, rank);
            CHECK(quern_all_reduce(group, data, count, type, error) == 0, "%s", error);
            check_sums(data, type, 0, count, ranks, "all-reduce");
            free(data);

            data = own_data(type, count, rank);
            CHECK(quern_reduce_scatter(group, data, bounds, type, error) == 0, "%s", error);
            check_sums(data, type, bounds[rank], bounds[rank + 1], ranks, "reduce-scatter");
            /* Together they are an all-reduce. */
            CHECK(quern_all_gather(group, data, bounds, type, error) == 0, "%s", error);
            check_sums(data, type, 0, count, ranks, "all-gather");
            free(data);

            int root = (int)c % ranks;
            data = own_data(type, count, rank);
            void *roots = own_data(type, count, root);
            CHECK(quern_broadcast(group, data, (int64_t)bytes_of(type, count), root, error) == 0, "%s", error);
            CHECK(memcmp(data, roots, bytes_of(type, count)) == 0, "broadcast of %ld from %d", (long)count, root);
            free(data);
            free(roots);
            CHECK(quern_barrier(group, error) == 0, "%s", error);
        }
    }
}

static void keeps_special_values(quern_group *group, int rank, const struct world *world) {
    char error[QUERN_ERROR_BYTES] = "";
    uint16_t data[4] = {0x7f81, 0x7f7f, 0xff80, 0x0001}; /* not a number, the largest, - infinity, the smallest */
    CHECK(quern_all_reduce(group, data, 4, QUERN_BF16, error) == 0, "%s", error);
    CHECK((data[0] & 0x7fff) > 0x7f80 && data[1] == 0x7f80 && data[2] == 0xff80 && data[3] == (uint16_t)world->ranks,
          "rank %d: %04x %04x %04x %04x", rank, data[0], data[1], data[2], data[3]);
}

static void expect(int status, const char *error, const char *text) {
    CHECK(status == -1 && strstr(error, text) != NULL, "status %d, \"%s\" and not \"%s\"", status, error, text);
}

/* The group may end while a slow rank is in this call still. */
static void come_together(quern_group *group) {
    char error[QUERN_ERROR_BYTES];
    quern_barrier(group, error);
}

static void mismatch_ends_all(quern_group *group, int rank, const struct world *world) {
    char error[QUERN_ERROR_BYTES] = "";
    float data[8] = {0};
    come_together(group);
    int status = rank == world->ranks - 1 ? quern_all_reduce(group, data, 8, QUERN_F32, error)
                                          : quern_all_reduce(group, data, 7, QUERN_F32, error);
    expect(status, error, "do not match: call 2 is allReduce of ");
    expect(status, error, "allReduce of 8 F32 in worker");
    expect(quern_barrier(group, error), error, "do not match");
}

static void abort_ends_all(quern_group *group, int rank, const struct world *world) {
    char error[QUERN_ERROR_BYTES] = "";
    if (rank == world->ranks - 1) {
        quern_abort(group, "out of tea");
        quern_abort(group, "a later reason");
    }
    expect(quern_barrier(group, error), error, "out of tea");
}

static void leaving_ends_all(quern_group *group, int rank, const struct world *world) {
    char error[QUERN_ERROR_BYTES] = "";
    come_together(group);
    if (rank != world->ranks - 1) {
        expect(quern_barrier(group, error), error, "has left");
    }
}

static void last_rank_pauses(quern_group *group, int rank, const struct world *world) {
    char error[QUERN_ERROR_BYTES] = "";
    char text[64];
    come_together(group);
    if (rank == world->ranks - 1) {
        CHECK(write(ready[1], "", 1) == 1, "pipe");
        pause();
    }
    snprintf(text, sizeof text, "worker %d (process ", world->ranks - 1);
    int status = quern_barrier(group, error);
    expect(status, error, text);
    expect(status, error, world->timeout_ms == TIMEOUT_MS ? "died" : "asleep) has kept the others waiting");
    expect(status, error, "call 2");
}

static void kill_last(const struct world *world) {
    char byte;
    CHECK(read(ready[0], &byte, 1) == 1, "pipe");
    kill(children[world->ranks - 1], SIGKILL);
}

static void kill_last_late(const struct world *world) {
    for (int rank = 0; rank < world->ranks - 1; rank++) {
        siginfo_t info;
        waitid(P_PID, (id_t)children[rank], &info, WEXITED | WNOWAIT);
    }
    kill(children[world->ranks - 1], SIGKILL);
}

static void refuses_what_is_wrong(void) {
    char error[QUERN_ERROR_BYTES] = "";
    char name[64];
    expect(quern_region_create(1, 0, 4096, error), error, "for 2 to 256 workers");
    int descriptor = quern_region_create(2, 3, 4096, error);
    snprintf(name, sizeof name, "/proc/%d/fd/%d", getpid(), descriptor);
    CHECK(quern_join(name, 2, 2, 3, TIMEOUT_MS, error) == NULL, "joined");
    expect(-1, error, "no worker 2 of 2");
    CHECK(quern_join(name, 0, 3, 3, TIMEOUT_MS, error) == NULL, "joined");
    expect(-1, error, "is for 2 workers and epoch 3");
    CHECK(quern_join(name, 0, 2, 4, TIMEOUT_MS, error) == NULL, "joined");
    expect(-1, error, "in epoch 4");
    CHECK(quern_join("/dev/null", 0, 2, 3, TIMEOUT_MS, error) == NULL, "joined");
    expect(-1, error, "no shared memory of Quern");
    CHECK(quern_join("/nowhere", 0, 2, 3, TIMEOUT_MS, error) == NULL, "joined");
    expect(-1, error, "cannot be opened");
    quern_group *group = quern_join(name, 0, 2, 3, TIMEOUT_MS, error);
    CHECK(quern_join(name, 0, 2, 3, TIMEOUT_MS, error) == NULL, "joined");
    expect(-1, error, "a worker 0 in");
    quern_leave(group);
    CHECK(quern_join(name, 0, 2, 3, TIMEOUT_MS, error) == NULL, "joined");
    expect(-1, error, "there was a worker 0");
    quern_region_close(descriptor);
}

int main(void) {
    CHECK(pipe(ready) == 0, "pipe");
    static const uint64_t slots[] = {64, 1000, 1 << 16};
    for (int ranks = 2; ranks <= 5; ranks++) {
        for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
            struct world world = {ranks, slots[i], TIMEOUT_MS};
            run(&world, sums_are_exact, NULL);
        }
        struct world world = {ranks, 4096, TIMEOUT_MS};
        run(&world, keeps_special_values, NULL);
        run(&world, mismatch_ends_all, NULL);
        run(&world, abort_ends_all, NULL);
        run(&world, leaving_ends_all, NULL);
        run(&world, last_rank_pauses, kill_last);
    }
    struct world impatient = {3, 4096, IMPATIENT_MS};
    run(&impatient, last_rank_pauses, kill_last_late);
    refuses_what_is_wrong();
    printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
