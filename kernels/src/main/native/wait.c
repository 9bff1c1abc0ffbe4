/* How ranks wait for each other, and how they learn that waiting is in vain. */
#define _GNU_SOURCE
#include "group.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define YIELDS 50
#define SLEEP_NS 5000000L /* between two looks whether the others are alive */
#define HEARTBEAT_LIMIT_MS 1000

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void wake(struct region *region) {
    atomic_fetch_add(&region->event, 1);
    syscall(SYS_futex, &region->event, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void advance(quern_group *group, _Atomic uint64_t *counter, uint64_t value) {
    atomic_store_explicit(counter, value, memory_order_release);
    /* A sleeper counts itself before it looks for the last time. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&group->region->sleepers, memory_order_relaxed) != 0) {
        wake(group->region);
    }
}

bool is_aborted(const quern_group *group) {
    return atomic_load_explicit(&group->region->abort, memory_order_acquire) != RUNNING;
}

void abort_group(quern_group *group, const char *format, ...) {
    struct region *region = group->region;
    uint32_t expected = RUNNING;
    if (!atomic_compare_exchange_strong(&region->abort, &expected, ABORTING)) {
        return; /* the first reason counts */
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(region->reason, sizeof region->reason, format, arguments);
    va_end(arguments);
    atomic_store(&region->abort, ABORTED);
    wake(region);
}

void copy_reason(const quern_group *group, char *error) {
    int64_t began = now_ms();
    while (atomic_load(&group->region->abort) == ABORTING && now_ms() - began < 100) {
        sched_yield();
    }
    if (atomic_load(&group->region->abort) == ABORTED) {
        memcpy(error, group->region->reason, QUERN_ERROR_BYTES);
        error[QUERN_ERROR_BYTES - 1] = 0;
    } else {
        snprintf(error, QUERN_ERROR_BYTES, "a worker died while it ended the calls of all");
    }
}

void describe_call(const struct call *call, char *text, size_t bytes) {
    static const char *const names[] = {"allReduce", "reduceScatter", "allGather", "broadcast", "barrier"};
    const char *type = call->type == QUERN_F32 ? "F32" : "BF16";
    switch (call->operation) {
    case BARRIER:
        snprintf(text, bytes, "barrier");
        break;
    case BROADCAST:
        snprintf(text, bytes, "broadcast of %" PRId64 " bytes from worker %d", call->count, call->root);
        break;
    case ALL_REDUCE:
        snprintf(text, bytes, "allReduce of %" PRId64 " %s", call->count, type);
        break;
    default:
        snprintf(text, bytes, "%s of %" PRId64 " %s in parts %08x", names[call->operation], call->count, type,
                 (unsigned)(call->parts & 0xffffffffu));
    }
}

/* Every rank has a lock on the byte of its number, which the kernel frees when the process ends, however it does. */
static bool is_dead(const quern_group *group, int32_t rank) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = rank, .l_len = 1};
    return fcntl(group->descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

/* What the system says of a process, if it can be asked: between containers it cannot. */
static const char *process_state(int32_t pid) {
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return "";
    }
    ssize_t bytes = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    text[bytes > 0 ? bytes : 0] = 0;
    const char *after = strrchr(text, ')');
    if (after == NULL || after[1] == 0) {
        return "";
    }
    switch (after[2]) {
    case 'T':
    case 't':
        return ", stopped by a signal";
    case 'D':
        return ", waiting for a disk or a device";
    case 'R':
        return ", computing";
    default:
        return ", asleep";
    }
}

/* Who keeps everybody waiting: the one that waits for nobody, or has stopped doing so. */
static int32_t culprit(const quern_group *group, int32_t rank) {
    int64_t now = now_ms();
    int64_t limit = group->timeout_ms / 2 < HEARTBEAT_LIMIT_MS ? group->timeout_ms / 2 : HEARTBEAT_LIMIT_MS;
    for (int32_t i = 0; i < group->world; i++) {
        const struct member *member = &group->region->members[rank];
        uint32_t next = atomic_load(&member->waiting_for);
        if (next == 0 || next > (uint32_t)group->world || now - atomic_load(&member->heartbeat) > limit) {
            break;
        }
        rank = (int32_t)next - 1;
    }
    return rank;
}

static void time_out(quern_group *group, int32_t waited_for) {
    int32_t rank = culprit(group, waited_for);
    const struct member *member = &group->region->members[rank];
    double seconds = (double)group->timeout_ms / 1000;
    char own[128];
    describe_call(&group->me->calls[group->sequence & 1], own, sizeof own);
    if (atomic_load(&member->state) == ABSENT) {
        abort_group(group, "worker %d did not start within %.1f s: worker %d waits for it in call %" PRIu64 ", %s",
                    rank, seconds, group->rank, group->sequence, own);
        return;
    }
    uint64_t even = atomic_load(&member->calls[0].sequence);
    uint64_t odd = atomic_load(&member->calls[1].sequence);
    uint64_t last = even > odd ? even : odd;
    char its[128];
    describe_call(&member->calls[last & 1], its, sizeof its);
    abort_group(group,
                "worker %d (process %d%s) has kept the others waiting for %.1f s: worker %d is in call %" PRIu64
                ", %s; the last call of worker %d was call %" PRIu64 "%s%s",
                rank, member->pid, process_state(member->pid), seconds, group->rank, group->sequence, own, rank, last,
                last == 0 ? "" : ", ", last == 0 ? "" : its);
}

/* Ends the group if the other has left or died before the counter got there. */
static void look_after(quern_group *group, int32_t rank, const _Atomic uint64_t *counter, uint64_t value) {
    const struct member *member = &group->region->members[rank];
    uint32_t state = atomic_load(&member->state);
    bool dead = state == JOINED && is_dead(group, rank);
    if (state != LEFT && !dead) {
        return;
    }
    if (atomic_load(counter) >= value) {
        return; /* its last deed */
    }
    char text[128];
    describe_call(&group->me->calls[group->sequence & 1], text, sizeof text);
    /* One that leaves frees its lock last. */
    abort_group(group, "worker %d (process %d) %s: worker %d waits for it in call %" PRIu64 ", %s", rank, member->pid,
                atomic_load(&member->state) == LEFT ? "has left" : "died", group->rank, group->sequence, text);
}

static void sleep_until_change(struct region *region, const _Atomic uint64_t *counter, uint64_t value) {
    struct timespec limit = {0, SLEEP_NS};
    atomic_fetch_add(&region->sleepers, 1);
    uint32_t event = atomic_load(&region->event);
    if (atomic_load(counter) < value && atomic_load(&region->abort) == RUNNING) {
        syscall(SYS_futex, &region->event, FUTEX_WAIT, event, &limit, NULL, 0);
    }
    atomic_fetch_sub(&region->sleepers, 1);
}

bool await(quern_group *group, int32_t rank, const _Atomic uint64_t *counter, uint64_t value) {
    if (atomic_load_explicit(counter, memory_order_acquire) >= value) {
        return true;
    }
    for (int i = 0; i < group->spins; i++) {
        if (atomic_load_explicit(counter, memory_order_acquire) >= value) {
            return true;
        }
        pause_briefly();
    }
    int64_t began = now_ms();
    atomic_store(&group->me->heartbeat, began);
    atomic_store(&group->me->waiting_for, (uint32_t)rank + 1);
    bool reached = false;
    for (int i = 0; !is_aborted(group); i++) {
        reached = atomic_load(counter) >= value;
        if (reached) {
            break;
        }
        if (i < YIELDS) {
            sched_yield();
            continue;
        }
        sleep_until_change(group->region, counter, value);
        int64_t now = now_ms();
        atomic_store(&group->me->heartbeat, now);
        look_after(group, rank, counter, value);
        if (now - began > group->timeout_ms && atomic_load(counter) < value) {
            time_out(group, rank);
        }
    }
    atomic_store(&group->me->waiting_for, 0);
    return reached;
}
