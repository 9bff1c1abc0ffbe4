/* Making, joining and leaving a region. */
#define _GNU_SOURCE
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEAST_PART_BYTES 64u
#define MOST_SLOT_BYTES (1ull << 30)
#define SPINS 100

__attribute__((format(printf, 2, 3))) static void fail(char *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, QUERN_ERROR_BYTES, format, arguments);
    va_end(arguments);
}

size_t slots_offset(int32_t world) {
    size_t bytes = sizeof(struct region) + (size_t)world * sizeof(struct member);
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static size_t parts_of_rank(int32_t world) {
    return BUFFERS * ((size_t)world + 1);
}

static uint8_t *part(const quern_group *group, int32_t rank, int32_t number, uint64_t step) {
    size_t index = (size_t)rank * parts_of_rank(group->world) +
                   (size_t)(step % BUFFERS) * ((size_t)group->world + 1) + (size_t)number;
    return (uint8_t *)group->region + slots_offset(group->world) + index * group->part_bytes;
}

uint8_t *given_slot(const quern_group *group, int32_t from, int32_t to, uint64_t step) {
    return part(group, from, to, step);
}

uint8_t *summed_slot(const quern_group *group, int32_t rank, uint64_t step) {
    return part(group, rank, group->world, step);
}

static uint64_t region_bytes(int32_t world, uint64_t part_bytes) {
    return slots_offset(world) + (uint64_t)world * parts_of_rank(world) * part_bytes;
}

int32_t quern_region_create(int32_t world, uint64_t epoch, uint64_t slot_bytes, char *error) {
    if (world < 2 || world > QUERN_MOST_RANKS || slot_bytes > MOST_SLOT_BYTES) {
        fail(error, "shared memory is for 2 to %d workers and slots of at most %llu bytes: got %d and %" PRIu64,
             QUERN_MOST_RANKS, MOST_SLOT_BYTES, world, slot_bytes);
        return -1;
    }
    uint64_t part_bytes = slot_bytes / (uint64_t)world / LEAST_PART_BYTES * LEAST_PART_BYTES;
    part_bytes = part_bytes < LEAST_PART_BYTES ? LEAST_PART_BYTES : part_bytes;
    struct region head = {.magic = MAGIC,
                          .abi = ABI_VERSION,
                          .world = world,
                          .epoch = epoch,
                          .part_bytes = part_bytes,
                          .bytes = region_bytes(world, part_bytes)};
    int descriptor = memfd_create("quern-collective", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) {
        fail(error, "shared memory cannot be made: memfd_create: %s", strerror(errno));
        return -1;
    }
    /* All of its memory now, rather than a signal when there is none; and nobody changes its size. */
    int status = posix_fallocate(descriptor, 0, (off_t)head.bytes);
    if (status != 0 || pwrite(descriptor, &head, sizeof head, 0) != (ssize_t)sizeof head ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        fail(error, "%" PRIu64 " bytes of shared memory for %d workers cannot be had: %s", head.bytes, world,
             strerror(status != 0 ? status : errno));
        close(descriptor);
        return -1;
    }
    return descriptor;
}

void quern_region_close(int32_t descriptor) {
    close(descriptor);
}

/* Whether the file is a region for this group; if not, says what it is. */
static bool is_right(const char *name, int descriptor, int32_t world, uint64_t epoch, struct region *head,
                     char *error) {
    off_t bytes = lseek(descriptor, 0, SEEK_END);
    if (pread(descriptor, head, sizeof *head, 0) != (ssize_t)sizeof *head ||
        head->magic != MAGIC) {
        fail(error, "%s is no shared memory of Quern", name);
    } else if (head->abi != ABI_VERSION) {
        fail(error, "%s is of another version of Quern: %u, and this one is %u", name, head->abi, ABI_VERSION);
    } else if (head->world != world || head->epoch != epoch) {
        fail(error, "%s is for %d workers and epoch %" PRIu64 ": this worker is one of %d, in epoch %" PRIu64, name,
             head->world, head->epoch, world, epoch);
    } else if (head->part_bytes < LEAST_PART_BYTES || head->part_bytes > MOST_SLOT_BYTES ||
               head->part_bytes % LEAST_PART_BYTES != 0 || head->bytes != region_bytes(world, head->part_bytes) ||
               (uint64_t)bytes != head->bytes) {
        fail(error, "%s is damaged: its size is not what it says", name);
    } else {
        return true;
    }
    return false;
}

quern_group *quern_join(const char *name, int32_t rank, int32_t world, uint64_t epoch, int64_t timeout_ms,
                        char *error) {
    if (world < 2 || world > QUERN_MOST_RANKS || rank < 0 || rank >= world || timeout_ms <= 0) {
        fail(error, "there is no worker %d of %d", rank, world);
        return NULL;
    }
    int descriptor = open(name, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) {
        fail(error, "shared memory %s cannot be opened: %s. The process that made it must be there still", name,
             strerror(errno));
        return NULL;
    }
    struct region head;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = rank, .l_len = 1};
    quern_group *group = NULL;
    if (!is_right(name, descriptor, world, epoch, &head, error)) {
        goto failed;
    }
    if (fcntl(descriptor, F_OFD_SETLK, &lock) != 0) {
        fail(error, "there is a worker %d in %s already", rank, name);
        goto failed;
    }
    group = aligned_alloc(64, (sizeof *group + 63) / 64 * 64);
    if (group == NULL) {
        fail(error, "there is no memory for a worker");
        goto failed;
    }
    void *memory = mmap(NULL, head.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, 0);
    if (memory == MAP_FAILED) {
        fail(error, "%" PRIu64 " bytes of shared memory cannot be mapped: %s", head.bytes, strerror(errno));
        goto failed;
    }
    memset(group, 0, sizeof *group);
    group->region = memory;
    group->me = &group->region->members[rank];
    group->descriptor = descriptor;
    group->rank = rank;
    group->world = world;
    group->part_bytes = head.part_bytes;
    group->bytes = head.bytes;
    group->timeout_ms = timeout_ms;
    /* Who spins where there are fewer processors than ranks keeps others from working. */
    group->spins = sysconf(_SC_NPROCESSORS_ONLN) >= world ? SPINS : 0;
    uint32_t expected = ABSENT;
    group->me->pid = (int32_t)getpid();
    if (!atomic_compare_exchange_strong(&group->me->state, &expected, JOINED)) {
        fail(error, "there was a worker %d in %s before: a new attempt needs new shared memory", rank, name);
        munmap(memory, head.bytes);
        goto failed;
    }
    return group;
failed:
    free(group);
    close(descriptor);
    return NULL;
}

void quern_abort(quern_group *group, const char *reason) {
    abort_group(group, "%s", reason);
}

void quern_leave(quern_group *group) {
    uint32_t joined = JOINED;
    atomic_compare_exchange_strong(&group->me->state, &joined, LEFT);
    advance(group, &group->me->given, atomic_load(&group->me->given)); /* wakes who waits for this rank */
    munmap(group->region, group->bytes);
    close(group->descriptor);
    free(group);
}
