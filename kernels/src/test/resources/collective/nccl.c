/*
 * A stand-in for libnccl.so.2: ranks are threads of one process and data are on the host. Its calls never block: a
 * call is done, by whoever comes last, when all ranks have made it, and until then it is "in progress".
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RANKS 8
#define CALLS 256
#define ID_BYTES 128

enum { SUCCESS = 0, INTERNAL_ERROR = 3, INVALID_ARGUMENT = 4, IN_PROGRESS = 7 };
enum kind { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, REDUCE, BROADCAST };

typedef struct {
    char internal[ID_BYTES];
} unique_id;

struct config {
    size_t size;
    unsigned magic;
    unsigned version;
    int blocking;
};

struct call {
    enum kind kind;
    const uint8_t *send;
    uint8_t *receive;
    size_t count;
    int type;
    int root;
};

struct group {
    char id[ID_BYTES];
    int joined;
    int made[RANKS];
    int done;
    struct call calls[RANKS][CALLS];
};

struct communicator {
    struct group *group;
    int rank;
    int world;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct group groups[32];
static struct communicator communicators[128];
static int group_count;
static int communicator_count;
static int id_count;

/* What tests look at and set. */
int stub_aborts;
int stub_destroys;
int stub_grouped;
int stub_error; /* what every communicator is said to suffer from */

int ncclGetVersion(int *version) {
    *version = 23007;
    return SUCCESS;
}

const char *ncclGetErrorString(int status) {
    return status == INTERNAL_ERROR ? "internal error" : "some error";
}

const char *ncclGetLastError(void *communicator) {
    (void)communicator;
    return "a cable is loose\n";
}

int ncclGetUniqueId(unique_id *id) {
    memset(id, 7, sizeof *id);
    pthread_mutex_lock(&lock);
    id->internal[0] = (char)++id_count;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

int ncclCommInitRankConfig(struct communicator **out, int world, unique_id id, int rank, struct config *config) {
    if (config->size != sizeof *config || config->magic != 0xcafebeefu || config->version != 21400 ||
        config->blocking != 0 || rank >= world || world > RANKS) {
        return INVALID_ARGUMENT;
    }
    pthread_mutex_lock(&lock);
    struct group *group = NULL;
    for (int i = 0; i < group_count && group == NULL; i++) {
        group = memcmp(groups[i].id, id.internal, ID_BYTES) == 0 ? &groups[i] : NULL;
    }
    if (group == NULL) {
        group = &groups[group_count++];
        memcpy(group->id, id.internal, ID_BYTES);
    }
    group->joined++;
    *out = &communicators[communicator_count++];
    **out = (struct communicator){group, rank, world};
    pthread_mutex_unlock(&lock);
    return IN_PROGRESS;
}

static float read_element(const void *data, int type, size_t i) {
    if (type == 7) {
        return ((const float *)data)[i];
    }
    uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Exact for what the tests sum. */
static void write_element(void *data, int type, size_t i, float value) {
    if (type == 7) {
        ((float *)data)[i] = value;
    } else {
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
    }
}

static void perform(struct group *group, int world, int number) {
    struct call *first = &group->calls[0][number];
    size_t width = first->type == 7 ? 4 : first->type == 9 ? 2 : 1;
    if (first->kind == ALL_GATHER || first->kind == BROADCAST) {
        for (int from = 0; from < world; from++) {
            if (first->kind == BROADCAST && from != first->root) {
                continue;
            }
            for (int to = 0; to < world; to++) {
                size_t offset = first->kind == ALL_GATHER ? (size_t)from * first->count * width : 0;
                memmove(group->calls[to][number].receive + offset, group->calls[from][number].send,
                        first->count * width);
            }
        }
        return;
    }
    size_t count = first->kind == REDUCE_SCATTER ? first->count * (size_t)world : first->count;
    for (size_t i = 0; i < count; i++) {
        float sum = 0;
        for (int rank = 0; rank < world; rank++) {
            sum += read_element(group->calls[rank][number].send, first->type, i);
        }
        for (int rank = 0; rank < world; rank++) {
            struct call *call = &group->calls[rank][number];
            if (first->kind == ALL_REDUCE || (first->kind == REDUCE && rank == first->root)) {
                write_element(call->receive, first->type, i, sum);
            } else if (first->kind == REDUCE_SCATTER && i / first->count == (size_t)rank) {
                write_element(call->receive, first->type, i % first->count, sum);
            }
        }
    }
}

int ncclCommGetAsyncError(struct communicator *communicator, int *error) {
    struct group *group = communicator->group;
    pthread_mutex_lock(&lock);
    int world = communicator->world;
    int made = group->made[0];
    for (int rank = 1; rank < world; rank++) {
        made = group->made[rank] < made ? group->made[rank] : made;
    }
    while (group->done < made) {
        perform(group, world, group->done++);
    }
    *error = stub_error != 0                                                             ? stub_error
             : group->joined < world || group->done < group->made[communicator->rank] ? IN_PROGRESS
                                                                                         : SUCCESS;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

static int make(struct communicator *communicator, struct call call) {
    pthread_mutex_lock(&lock);
    struct group *group = communicator->group;
    group->calls[communicator->rank][group->made[communicator->rank]++] = call;
    pthread_mutex_unlock(&lock);
    return IN_PROGRESS;
}

int ncclAllReduce(const void *send, void *receive, size_t count, int type, int operation,
                  struct communicator *communicator, void *stream) {
    (void)stream;
    return operation != 0 ? INVALID_ARGUMENT
                          : make(communicator, (struct call){ALL_REDUCE, send, receive, count, type, 0});
}

int ncclReduceScatter(const void *send, void *receive, size_t count, int type, int operation,
                      struct communicator *communicator, void *stream) {
    (void)stream;
    return operation != 0 ? INVALID_ARGUMENT
                          : make(communicator, (struct call){REDUCE_SCATTER, send, receive, count, type, 0});
}

int ncclAllGather(const void *send, void *receive, size_t count, int type, struct communicator *communicator,
                  void *stream) {
    (void)stream;
    return make(communicator, (struct call){ALL_GATHER, send, receive, count, type, 0});
}

int ncclReduce(const void *send, void *receive, size_t count, int type, int operation, int root,
               struct communicator *communicator, void *stream) {
    (void)stream;
    return operation != 0 ? INVALID_ARGUMENT
                          : make(communicator, (struct call){REDUCE, send, receive, count, type, root});
}

int ncclBroadcast(const void *send, void *receive, size_t count, int type, int root, struct communicator *communicator,
                  void *stream) {
    (void)stream;
    return make(communicator, (struct call){BROADCAST, send, receive, count, type, root});
}

int ncclGroupStart(void) {
    pthread_mutex_lock(&lock);
    stub_grouped++;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

int ncclGroupEnd(void) {
    return IN_PROGRESS;
}

int ncclCommFinalize(struct communicator *communicator) {
    (void)communicator;
    return IN_PROGRESS;
}

int ncclCommDestroy(struct communicator *communicator) {
    (void)communicator;
    pthread_mutex_lock(&lock);
    stub_destroys++;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

int ncclCommAbort(struct communicator *communicator) {
    (void)communicator;
    pthread_mutex_lock(&lock);
    stub_aborts++;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}
