/*
 * Collective operations between processes of one host, through shared memory.
 *
 * A region of memory has no name in any file system: the process that creates it holds a file descriptor, others reach
 * it as /proc/PID/fd/FD, and the kernel frees it with the last process that uses it. Every function that can fail
 * writes a sentence of at most QUERN_ERROR_BYTES, its end included, to `error`, and returns -1 or NULL.
 *
 * A group is one rank's membership. Its functions are for one thread at a time, but for quern_abort.
 */
#ifndef QUERN_COLLECTIVE_H
#define QUERN_COLLECTIVE_H

#include <stdint.h>

#define QUERN_API __attribute__((visibility("default")))
#define QUERN_ERROR_BYTES 1024
#define QUERN_MOST_RANKS 256

/* Element types. */
#define QUERN_F32 0
#define QUERN_BF16 1

typedef struct quern_group quern_group;

/*
 * Makes a region for `world` ranks. `slot_bytes` is what a rank hands to the others in one step. Returns the file
 * descriptor, to be closed once all ranks have joined.
 */
QUERN_API int32_t quern_region_create(int32_t world, uint64_t epoch, uint64_t slot_bytes, char *error);
QUERN_API void quern_region_close(int32_t descriptor);

/* Makes this process rank `rank`. A rank that keeps another waiting for `timeout_ms` ends the group. */
QUERN_API quern_group *quern_join(const char *region, int32_t rank, int32_t world, uint64_t epoch, int64_t timeout_ms,
                                  char *error);

/* `bounds` are world + 1 element numbers: rank r has [bounds[r], bounds[r + 1]). Sums as org.quern.collective says. */
QUERN_API int32_t quern_all_reduce(quern_group *group, void *data, int64_t count, int32_t type, char *error);
QUERN_API int32_t quern_reduce_scatter(quern_group *group, void *data, const int64_t *bounds, int32_t type,
                                       char *error);
QUERN_API int32_t quern_all_gather(quern_group *group, void *data, const int64_t *bounds, int32_t type, char *error);
QUERN_API int32_t quern_broadcast(quern_group *group, void *data, int64_t bytes, int32_t root, char *error);
QUERN_API int32_t quern_barrier(quern_group *group, char *error);

/* Ends the calls of all ranks. For any thread. */
QUERN_API void quern_abort(quern_group *group, const char *reason);

/* Leaves the group and frees it. */
QUERN_API void quern_leave(quern_group *group);

#endif
