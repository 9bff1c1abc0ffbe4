/* What the parts of the library share: the region's layout, and how ranks wait for each other. */
#ifndef QUERN_GROUP_H
#define QUERN_GROUP_H

#include "collective.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define MAGIC 0x31474e4c4c4f4351ull
#define ABI_VERSION 1u
#define LINE 128 /* two cache lines: processors fetch them in pairs */
#define PAGE 4096u
/* Steps under way at once: while one is summed, the next is handed over and the last is taken. */
#define BUFFERS 2u
/* Floats that are summed at once, in the first-level cache. */
#define BLOCK 1024
#define TREE_DEPTH 10 /* of QUERN_MOST_RANKS, and one */

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics must work between processes");

enum operation { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, BROADCAST, BARRIER };

/* What a rank asks for; must be the same in all. */
struct call {
    _Atomic uint64_t sequence; /* from 1; written last */
    int64_t count;             /* elements, or bytes of a broadcast */
    uint64_t parts;            /* hash of the bounds */
    int32_t operation;
    int32_t type;
    int32_t root;
};

enum state { ABSENT, JOINED, LEFT };

struct member {
    alignas(LINE) _Atomic uint32_t state;
    int32_t pid;
    _Atomic int64_t heartbeat;    /* milliseconds, while it waits */
    _Atomic uint32_t waiting_for; /* rank + 1, or 0 */
    /* By the lowest bit of the sequence: nobody is more than one call ahead. */
    alignas(LINE) struct call calls[2];
    /* Steps of all calls so far: handed over by this rank, summed by it, taken by it. */
    alignas(LINE) _Atomic uint64_t given;
    alignas(LINE) _Atomic uint64_t summed;
    alignas(LINE) _Atomic uint64_t taken;
};

enum abort_state { RUNNING, ABORTING, ABORTED };

struct region {
    uint64_t magic;
    uint32_t abi;
    int32_t world;
    uint64_t epoch;
    uint64_t part_bytes; /* what a rank hands to one other in a step */
    uint64_t bytes;
    alignas(LINE) _Atomic uint32_t abort;
    char reason[QUERN_ERROR_BYTES];
    alignas(LINE) _Atomic uint32_t event; /* counts up when something has changed and somebody sleeps */
    _Atomic uint32_t sleepers;
    struct member members[];
    /* From the next page on, for each rank and buffer: a part for each rank, and the part that it has summed. */
};

struct quern_group {
    struct region *region;
    struct member *me;
    int descriptor;
    int32_t rank;
    int32_t world;
    size_t part_bytes;
    uint64_t bytes;
    uint64_t sequence;
    uint64_t steps;
    int64_t timeout_ms;
    int spins;
    alignas(64) float scratch[TREE_DEPTH][BLOCK];
};

size_t slots_offset(int32_t world);
uint8_t *given_slot(const quern_group *group, int32_t from, int32_t to, uint64_t step);
uint8_t *summed_slot(const quern_group *group, int32_t rank, uint64_t step);

/* Publishes this rank's progress. */
void advance(quern_group *group, _Atomic uint64_t *counter, uint64_t value);

/* Waits until a counter of `rank` is at least `value`. False if the group was aborted. */
bool await(quern_group *group, int32_t rank, const _Atomic uint64_t *counter, uint64_t value);

bool is_aborted(const quern_group *group);
__attribute__((format(printf, 2, 3))) void abort_group(quern_group *group, const char *format, ...);
void copy_reason(const quern_group *group, char *error);
void describe_call(const struct call *call, char *text, size_t bytes);

/* Sums n elements of all ranks, by the tree, into `to` and, unless it is NULL, `copy`. */
void sum(quern_group *group, const void *const *sources, int32_t type, void *to, void *copy, size_t n);

#endif
