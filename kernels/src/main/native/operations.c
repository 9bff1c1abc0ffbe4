/*
 * The operations: every rank sums its part of the data, and takes the other parts from those that summed them.
 *
 * The parts go through slots, in steps: a rank hands over what the others need for their parts, sums its own part from
 * what the others have handed over, and takes what they have summed, of three successive steps at a time, so that
 * nobody waits as long as all keep pace. The counters of steps run on from call to call.
 */
#include "group.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A call under way. */
struct transfer {
    quern_group *group;
    uint8_t *data;
    int64_t bounds[QUERN_MOST_RANKS + 1];
    int64_t step_elements;
    size_t element_bytes;
    int32_t type;
    bool reduce;
    bool gather;
};

static struct member *member(const quern_group *group, int32_t rank) {
    return &group->region->members[rank];
}

/* Which elements of a rank's part belong to a step. */
static int64_t segment(const struct transfer *transfer, int32_t rank, int64_t step, int64_t *elements) {
    int64_t from = transfer->bounds[rank] + step * transfer->step_elements;
    int64_t left = transfer->bounds[rank + 1] - from;
    *elements = left < 0 ? 0 : left < transfer->step_elements ? left : transfer->step_elements;
    return from;
}

/* Whether a slot of step `step` may be written: its reader is done with the step that had it before. */
static bool await_free(quern_group *group, int32_t reader, const _Atomic uint64_t *counter, uint64_t step) {
    return step < BUFFERS || await(group, reader, counter, step + 1 - BUFFERS);
}

static bool give(const struct transfer *transfer, int64_t step) {
    quern_group *group = transfer->group;
    uint64_t number = group->steps + (uint64_t)step;
    for (int32_t i = 1; i < group->world; i++) {
        int32_t to = (group->rank + i) % group->world;
        int64_t elements;
        int64_t from = segment(transfer, to, step, &elements);
        if (elements == 0) {
            continue;
        }
        if (!await_free(group, to, &member(group, to)->summed, number)) {
            return false;
        }
        memcpy(given_slot(group, group->rank, to, number), transfer->data + (size_t)from * transfer->element_bytes,
               (size_t)elements * transfer->element_bytes);
    }
    advance(group, &group->me->given, number + 1);
    return true;
}

static bool sum_part(const struct transfer *transfer, int64_t step) {
    quern_group *group = transfer->group;
    uint64_t number = group->steps + (uint64_t)step;
    int64_t elements;
    int64_t from = segment(transfer, group->rank, step, &elements);
    if (elements > 0) {
        uint8_t *own = transfer->data + (size_t)from * transfer->element_bytes;
        uint8_t *shown = transfer->gather ? summed_slot(group, group->rank, number) : NULL;
        const void *sources[QUERN_MOST_RANKS];
        for (int32_t rank = 0; rank < group->world; rank++) {
            sources[rank] = own;
            if (rank == group->rank) {
                continue;
            }
            if (transfer->gather && !await_free(group, rank, &member(group, rank)->taken, number)) {
                return false;
            }
            if (transfer->reduce) {
                if (!await(group, rank, &member(group, rank)->given, number + 1)) {
                    return false;
                }
                sources[rank] = given_slot(group, rank, group->rank, number);
            }
        }
        if (transfer->reduce) {
            sum(group, sources, transfer->type, own, shown, (size_t)elements);
        } else {
            memcpy(shown, own, (size_t)elements * transfer->element_bytes);
        }
    }
    advance(group, &group->me->summed, number + 1);
    return true;
}

static bool take(const struct transfer *transfer, int64_t step) {
    quern_group *group = transfer->group;
    uint64_t number = group->steps + (uint64_t)step;
    for (int32_t i = 1; i < group->world; i++) {
        int32_t rank = (group->rank + i) % group->world;
        int64_t elements;
        int64_t to = segment(transfer, rank, step, &elements);
        if (elements == 0) {
            continue;
        }
        if (!await(group, rank, &member(group, rank)->summed, number + 1)) {
            return false;
        }
        memcpy(transfer->data + (size_t)to * transfer->element_bytes, summed_slot(group, rank, number),
               (size_t)elements * transfer->element_bytes);
    }
    advance(group, &group->me->taken, number + 1);
    return true;
}

static bool run(struct transfer *transfer) {
    quern_group *group = transfer->group;
    transfer->step_elements = (int64_t)(group->part_bytes / transfer->element_bytes);
    int64_t longest = 0;
    for (int32_t rank = 0; rank < group->world; rank++) {
        int64_t part = transfer->bounds[rank + 1] - transfer->bounds[rank];
        longest = part > longest ? part : longest;
    }
    int64_t steps = (longest + transfer->step_elements - 1) / transfer->step_elements;
    for (int64_t step = 0; step < steps + 2; step++) {
        if (is_aborted(group) || (transfer->reduce && step < steps && !give(transfer, step)) ||
            (step >= 1 && step <= steps && !sum_part(transfer, step - 1)) ||
            (transfer->gather && step >= 2 && !take(transfer, step - 2))) {
            return false;
        }
    }
    group->steps += (uint64_t)steps;
    advance(group, &group->me->given, group->steps);
    advance(group, &group->me->summed, group->steps);
    advance(group, &group->me->taken, group->steps);
    return true;
}

static bool is_same(const struct call *a, const struct call *b) {
    return a->operation == b->operation && a->type == b->type && a->count == b->count && a->root == b->root &&
           a->parts == b->parts;
}

/* Says what this rank is about to do, and waits until all have said the same. */
static bool enter(quern_group *group, enum operation operation, int64_t count, int32_t type, int32_t root,
                  uint64_t parts) {
    uint64_t sequence = ++group->sequence;
    struct call *own = &group->me->calls[sequence & 1];
    own->operation = operation;
    own->count = count;
    own->type = type;
    own->root = root;
    own->parts = parts;
    advance(group, &own->sequence, sequence);
    for (int32_t rank = 0; rank < group->world; rank++) {
        const struct call *other = &member(group, rank)->calls[sequence & 1];
        if (rank == group->rank) {
            continue;
        }
        if (is_aborted(group) || !await(group, rank, &other->sequence, sequence)) {
            return false;
        }
        if (!is_same(own, other)) {
            char ours[128];
            char theirs[128];
            describe_call(own, ours, sizeof ours);
            describe_call(other, theirs, sizeof theirs);
            abort_group(group,
                        "the workers' calls do not match: call %" PRIu64 " is %s in worker %d, and %s in worker %d",
                        sequence, ours, group->rank, theirs, rank);
            return false;
        }
    }
    return true;
}

static int32_t outcome(const quern_group *group, bool done, char *error) {
    if (done) {
        return 0;
    }
    copy_reason(group, error);
    return -1;
}

static size_t element_bytes(int32_t type) {
    return type == QUERN_F32 ? sizeof(float) : sizeof(uint16_t);
}

int32_t quern_all_reduce(quern_group *group, void *data, int64_t count, int32_t type, char *error) {
    struct transfer transfer = {.group = group,
                                .data = data,
                                .element_bytes = element_bytes(type),
                                .type = type,
                                .reduce = true,
                                .gather = true};
    int64_t part = (count + group->world - 1) / group->world;
    part = (part + 63) / 64 * 64; /* whole cache lines */
    for (int32_t rank = 0; rank <= group->world; rank++) {
        transfer.bounds[rank] = rank * part < count ? rank * part : count;
    }
    return outcome(group, enter(group, ALL_REDUCE, count, type, 0, 0) && run(&transfer), error);
}

/* FNV-1a. */
static uint64_t hash(const int64_t *bounds, int32_t world) {
    uint64_t value = 0xcbf29ce484222325ull;
    for (int32_t i = 0; i <= world; i++) {
        for (int shift = 0; shift < 64; shift += 8) {
            value = (value ^ ((uint64_t)bounds[i] >> shift & 0xff)) * 0x100000001b3ull;
        }
    }
    return value;
}

static int32_t in_parts(quern_group *group, enum operation operation, void *data, const int64_t *bounds, int32_t type,
                        char *error) {
    struct transfer transfer = {.group = group,
                                .data = data,
                                .element_bytes = element_bytes(type),
                                .type = type,
                                .reduce = operation == REDUCE_SCATTER,
                                .gather = operation == ALL_GATHER};
    memcpy(transfer.bounds, bounds, ((size_t)group->world + 1) * sizeof *bounds);
    uint64_t parts = hash(bounds, group->world);
    return outcome(group, enter(group, operation, bounds[group->world], type, 0, parts) && run(&transfer), error);
}

int32_t quern_reduce_scatter(quern_group *group, void *data, const int64_t *bounds, int32_t type, char *error) {
    return in_parts(group, REDUCE_SCATTER, data, bounds, type, error);
}

int32_t quern_all_gather(quern_group *group, void *data, const int64_t *bounds, int32_t type, char *error) {
    return in_parts(group, ALL_GATHER, data, bounds, type, error);
}

/* An all-gather in which one rank has everything. */
int32_t quern_broadcast(quern_group *group, void *data, int64_t bytes, int32_t root, char *error) {
    struct transfer transfer = {.group = group, .data = data, .element_bytes = 1, .gather = true};
    for (int32_t rank = 0; rank <= group->world; rank++) {
        transfer.bounds[rank] = rank <= root ? 0 : bytes;
    }
    return outcome(group, enter(group, BROADCAST, bytes, 0, root, 0) && run(&transfer), error);
}

int32_t quern_barrier(quern_group *group, char *error) {
    return outcome(group, enter(group, BARRIER, 0, 0, 0, 0), error);
}
