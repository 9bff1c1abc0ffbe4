/*
 * A stand-in for libnccl.so.2: ranks are threads or processes of one machine, and data are in memory that the host
 * reads, as those of the driver of gpu/driver.c are. Ranks meet in a file beside the library. Calls never block: a
 * call that a rank has made is "in progress" until all ranks have made theirs of the same number, and then each rank
 * computes its own result, in the order of the ranks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RANKS 8
#define AHEAD 4
#define QUEUE 256
#define SLOT_BYTES (1 << 20)
#define ID_BYTES 128

enum { SUCCESS = 0, SYSTEM_ERROR = 2, INTERNAL_ERROR = 3, INVALID_ARGUMENT = 4, IN_PROGRESS = 7 };
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

/* What all ranks see. */
struct group {
    _Atomic int joined;
    /* Calls handed over and calls that are done, by rank. */
    _Atomic uint64_t given[RANKS];
    _Atomic uint64_t done[RANKS];
    uint8_t slots[RANKS][AHEAD][SLOT_BYTES];
};

struct call {
    enum kind kind;
    const uint8_t *send;
    uint8_t *receive;
    size_t count;
    int type;
    int root;
};

struct communicator {
    struct group *group;
    int rank;
    int world;
    uint64_t made;
    struct call calls[QUEUE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int id_count;

/* What tests look at and set. */
int stub_aborts;
int stub_destroys;
int stub_grouped;
int stub_error; /* what every communicator is said to suffer from */

/* Says in the file $NCCL_CALLS, if there is one, what is asked for. */
static void note(const char *name, size_t count) {
    const char *path = getenv("NCCL_CALLS");
    if (path != NULL) {
        FILE *file = fopen(path, "a");
        fprintf(file, "%s %zu\n", name, count);
        fclose(file);
    }
}

/* Ends the process once, in the rank and with the number of the call that $NCCL_DIE says: "RANK CALL FILE". The file
 * is there from then on. */
static void die_where_told(int rank, uint64_t number) {
    const char *where = getenv("NCCL_DIE");
    int of;
    unsigned long long at;
    char path[256];
    if (where != NULL && sscanf(where, "%d %llu %255s", &of, &at, path) == 3 && of == rank && at == number &&
        open(path, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0) {
        raise(SIGKILL);
    }
}

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
    memset(id, 0, sizeof *id);
    Dl_info self;
    dladdr(&lock, &self);
    pthread_mutex_lock(&lock);
    snprintf(id->internal, ID_BYTES, "%s-%d-%d", self.dli_fname, (int)getpid(), ++id_count);
    pthread_mutex_unlock(&lock);
    int file = open(id->internal, O_RDWR | O_CREAT | O_EXCL, 0600);
    int status = file < 0 || ftruncate(file, sizeof(struct group)) != 0 ? SYSTEM_ERROR : SUCCESS;
    close(file);
    return status;
}

int ncclCommInitRankConfig(struct communicator **out, int world, unique_id id, int rank, struct config *config) {
    if (config->size != sizeof *config || config->magic != 0xcafebeefu || config->version != 21400 ||
        config->blocking != 0 || rank >= world || world > RANKS) {
        return INVALID_ARGUMENT;
    }
    note("init", (size_t)rank);
    int file = open(id.internal, O_RDWR);
    struct group *group =
        file < 0 ? MAP_FAILED : mmap(NULL, sizeof *group, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (group == MAP_FAILED) {
        return SYSTEM_ERROR;
    }
    *out = calloc(1, sizeof **out);
    (*out)->group = group;
    (*out)->rank = rank;
    (*out)->world = world;
    if (++group->joined == world) {
        unlink(id.internal);
    }
    return IN_PROGRESS;
}

static size_t width(int type) {
    return type == 7 ? 4 : type == 9 ? 2 : 1;
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

static uint8_t *slot(struct communicator *own, int rank, uint64_t number) {
    return own->group->slots[rank][number % AHEAD];
}

static void sum(struct communicator *own, uint64_t number, const struct call *call, size_t from) {
    for (size_t i = 0; i < call->count; i++) {
        float total = read_element(slot(own, 0, number), call->type, from + i);
        for (int rank = 1; rank < own->world; rank++) {
            total += read_element(slot(own, rank, number), call->type, from + i);
        }
        write_element(call->receive, call->type, i, total);
    }
}

static void perform(struct communicator *own, uint64_t number) {
    struct call *call = &own->calls[number % QUEUE];
    size_t bytes = call->count * width(call->type);
    switch (call->kind) {
        case ALL_REDUCE: sum(own, number, call, 0); break;
        case REDUCE_SCATTER: sum(own, number, call, (size_t)own->rank * call->count); break;
        case REDUCE:
            if (own->rank == call->root) {
                sum(own, number, call, 0);
            }
            break;
        case ALL_GATHER:
            for (int rank = 0; rank < own->world; rank++) {
                memcpy(call->receive + (size_t)rank * bytes, slot(own, rank, number), bytes);
            }
            break;
        case BROADCAST: memcpy(call->receive, slot(own, call->root, number), bytes); break;
    }
}

static uint64_t least(struct communicator *own, _Atomic uint64_t *counters) {
    uint64_t least = counters[0];
    for (int rank = 1; rank < own->world; rank++) {
        uint64_t count = counters[rank];
        least = count < least ? count : least;
    }
    return least;
}

/* Hands over what was made, and does what all have handed over. */
static void progress(struct communicator *own) {
    struct group *group = own->group;
    while (group->given[own->rank] < own->made && group->given[own->rank] < least(own, group->done) + AHEAD) {
        uint64_t number = group->given[own->rank];
        struct call *call = &own->calls[number % QUEUE];
        size_t parts = call->kind == REDUCE_SCATTER ? (size_t)own->world : 1;
        memcpy(slot(own, own->rank, number), call->send, parts * call->count * width(call->type));
        group->given[own->rank]++;
    }
    while (group->done[own->rank] < least(own, group->given)) {
        perform(own, group->done[own->rank]);
        group->done[own->rank]++;
    }
}

int ncclCommGetAsyncError(struct communicator *own, int *error) {
    if (own->group->joined < own->world) {
        *error = IN_PROGRESS;
    } else {
        uint64_t before;
        do {
            before = own->group->done[own->rank];
            progress(own);
        } while (own->group->done[own->rank] != before);
        *error = before < own->made ? IN_PROGRESS : SUCCESS;
    }
    *error = stub_error != 0 ? stub_error : *error;
    return SUCCESS;
}

static int make(const char *name, struct communicator *own, struct call call) {
    note(name, call.count);
    die_where_told(own->rank, own->made);
    size_t parts = call.kind == REDUCE_SCATTER || call.kind == ALL_GATHER ? (size_t)own->world : 1;
    if (parts * call.count * width(call.type) > SLOT_BYTES) {
        return INVALID_ARGUMENT;
    }
    own->calls[own->made++ % QUEUE] = call;
    return IN_PROGRESS;
}

int ncclAllReduce(const void *send, void *receive, size_t count, int type, int operation, struct communicator *own,
                  void *stream) {
    (void)stream;
    return operation != 0 ? INVALID_ARGUMENT
                          : make("allReduce", own, (struct call){ALL_REDUCE, send, receive, count, type, 0});
}

int ncclReduceScatter(const void *send, void *receive, size_t count, int type, int operation, struct communicator *own,
                      void *stream) {
    (void)stream;
    return operation != 0 ? INVALID_ARGUMENT
                          : make("reduceScatter", own, (struct call){REDUCE_SCATTER, send, receive, count, type, 0});
}

int ncclAllGather(const void *send, void *receive, size_t count, int type, struct communicator *own, void *stream) {
    (void)stream;
    return make("allGather", own, (struct call){ALL_GATHER, send, receive, count, type, 0});
}

int ncclReduce(const void *send, void *receive, size_t count, int type, int operation, int root,
               struct communicator *own, void *stream) {
    (void)stream;
    return operation != 0 ? INVALID_ARGUMENT
                          : make("reduce", own, (struct call){REDUCE, send, receive, count, type, root});
}

int ncclBroadcast(const void *send, void *receive, size_t count, int type, int root, struct communicator *own,
                  void *stream) {
    (void)stream;
    return make("broadcast", own, (struct call){BROADCAST, send, receive, count, type, root});
}

static void count(int *counter) {
    pthread_mutex_lock(&lock);
    ++*counter;
    pthread_mutex_unlock(&lock);
}

int ncclGroupStart(void) {
    count(&stub_grouped);
    return SUCCESS;
}

int ncclGroupEnd(void) {
    return IN_PROGRESS;
}

int ncclCommFinalize(struct communicator *own) {
    (void)own;
    return IN_PROGRESS;
}

static int end(struct communicator *own, int *counter) {
    count(counter);
    munmap(own->group, sizeof *own->group);
    free(own);
    return SUCCESS;
}

int ncclCommDestroy(struct communicator *own) {
    note("destroy", (size_t)own->rank);
    return end(own, &stub_destroys);
}

int ncclCommAbort(struct communicator *own) {
    note("abort", (size_t)own->rank);
    return end(own, &stub_aborts);
}
