// A stand-in for libcuda.so.1: writes each call with what matters of its arguments to the file $CALLS, if set, and returns what
// $RETURNS says ("cuMemAlloc_v2=2 cuInit=100"), else success. Device memory is host memory. It runs no kernels.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long address;

static int result(const char *name) {
    const char *list = getenv("RETURNS");
    size_t length = strlen(name);
    for (const char *at = list; at && (at = strstr(at, name)); at += length) {
        if (at[length] == '=' && (at == list || at[-1] == ' ')) {
            return atoi(at + length + 1);
        }
    }
    return 0;
}

static int number(const char *name, int otherwise) {
    const char *value = getenv(name);
    return value ? atoi(value) : otherwise;
}

// Every call goes through here.
#define CALL(name, format, ...)                                         \
    do {                                                                \
        const char *log = getenv("CALLS");                              \
        if (log) {                                                      \
            FILE *calls = fopen(log, "a");                              \
            fprintf(calls, "%s" format "\n", name, ##__VA_ARGS__);      \
            fclose(calls);                                              \
        }                                                               \
        int status = result(name);                                      \
        if (status) {                                                   \
            return status;                                              \
        }                                                               \
    } while (0)

static uintptr_t handles = 0x1000;

int cuInit(unsigned flags) { CALL("cuInit", ""); return 0; }
int cuDriverGetVersion(int *version) { *version = number("VERSION", 12020); return 0; }
int cuDeviceGetCount(int *count) { *count = number("COUNT", 2); return 0; }
int cuDeviceGet(int *device, int ordinal) { CALL("cuDeviceGet", " %d", ordinal); *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "Stub %d", device); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 1ull << 34; return 0; }

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    switch (attribute) {
        case 75: *value = number("MAJOR", 9); break;
        case 76: *value = 0; break;
        case 97: *value = 232448; break;
        default: *value = 1000 + attribute;
    }
    return 0;
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
    CALL("cuDevicePrimaryCtxRetain", " %d", device);
    *context = (void *)(uintptr_t)(0x100 + device);
    return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) { CALL("cuDevicePrimaryCtxRelease_v2", " %d", device); return 0; }
int cuCtxSetCurrent(void *context) { return result("cuCtxSetCurrent"); }
int cuCtxSynchronize(void) { CALL("cuCtxSynchronize", ""); return 0; }
int cuDeviceCanAccessPeer(int *can, int device, int peer) { *can = number("PEER", 1); return 0; }
int cuCtxEnablePeerAccess(void *peer, unsigned flags) { CALL("cuCtxEnablePeerAccess", " %p", peer); return 0; }

int cuMemGetInfo_v2(size_t *free, size_t *total) { *free = 12345678; *total = 1ull << 34; return 0; }
int cuMemAlloc_v2(address *memory, size_t bytes) {
    CALL("cuMemAlloc_v2", " %zu", bytes);
    *memory = (address)(uintptr_t)aligned_alloc(256, (bytes + 255) / 256 * 256);
    return 0;
}
int cuMemFree_v2(address memory) { CALL("cuMemFree_v2", ""); free((void *)(uintptr_t)memory); return 0; }
int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
    CALL("cuMemHostAlloc", " %zu", bytes);
    *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
    return 0;
}
int cuMemFreeHost(void *memory) { CALL("cuMemFreeHost", ""); free(memory); return 0; }
int cuMemcpyHtoDAsync_v2(address target, const void *source, size_t bytes, void *stream) {
    CALL("cuMemcpyHtoDAsync_v2", " %zu", bytes);
    memcpy((void *)(uintptr_t)target, source, bytes);
    return 0;
}
int cuMemcpyDtoHAsync_v2(void *target, address source, size_t bytes, void *stream) {
    CALL("cuMemcpyDtoHAsync_v2", " %zu", bytes);
    memcpy(target, (void *)(uintptr_t)source, bytes);
    return 0;
}
int cuMemcpyAsync(address target, address source, size_t bytes, void *stream) {
    CALL("cuMemcpyAsync", " %zu", bytes);
    memcpy((void *)(uintptr_t)target, (void *)(uintptr_t)source, bytes);
    return 0;
}
int cuMemsetD8Async(address target, unsigned char value, size_t bytes, void *stream) {
    CALL("cuMemsetD8Async", " %d %zu", value, bytes);
    memset((void *)(uintptr_t)target, value, bytes);
    return 0;
}

typedef struct { char reserved[64]; } handle;
int cuIpcGetMemHandle(handle *out, address memory) {
    CALL("cuIpcGetMemHandle", "");
    memset(out, 7, sizeof *out);
    memcpy(out->reserved, &memory, sizeof memory);
    return 0;
}
int cuIpcOpenMemHandle_v2(address *memory, handle in, unsigned flags) {
    CALL("cuIpcOpenMemHandle_v2", " %d", in.reserved[63]);
    memcpy(memory, in.reserved, sizeof *memory);
    return 0;
}
int cuIpcCloseMemHandle(address memory) { CALL("cuIpcCloseMemHandle", ""); return 0; }

int cuStreamCreate(void **stream, unsigned flags) {
    CALL("cuStreamCreate", " %u", flags);
    *stream = (void *)handles++;
    return 0;
}
int cuStreamDestroy_v2(void *stream) { CALL("cuStreamDestroy_v2", ""); return 0; }
int cuStreamSynchronize(void *stream) { CALL("cuStreamSynchronize", ""); return 0; }
int cuStreamWaitEvent(void *stream, void *event, unsigned flags) { CALL("cuStreamWaitEvent", ""); return 0; }
int cuStreamBeginCapture_v2(void *stream, int mode) { CALL("cuStreamBeginCapture_v2", " %d", mode); return 0; }
int cuStreamEndCapture(void *stream, void **graph) {
    CALL("cuStreamEndCapture", "");
    *graph = (void *)handles++;
    return 0;
}
int cuGraphInstantiateWithFlags(void **instance, void *graph, unsigned long long flags) {
    CALL("cuGraphInstantiateWithFlags", "");
    *instance = (void *)handles++;
    return 0;
}
int cuGraphDestroy(void *graph) { CALL("cuGraphDestroy", ""); return 0; }
int cuGraphExecDestroy(void *instance) { CALL("cuGraphExecDestroy", ""); return 0; }
int cuGraphLaunch(void *instance, void *stream) { CALL("cuGraphLaunch", ""); return 0; }

int cuEventCreate(void **event, unsigned flags) { CALL("cuEventCreate", ""); *event = (void *)handles++; return 0; }
int cuEventDestroy_v2(void *event) { CALL("cuEventDestroy_v2", ""); return 0; }
int cuEventRecord(void *event, void *stream) { CALL("cuEventRecord", ""); return 0; }
int cuEventQuery(void *event) { CALL("cuEventQuery", ""); return 0; }
int cuEventSynchronize(void *event) { CALL("cuEventSynchronize", ""); return 0; }
int cuEventElapsedTime(float *time, void *start, void *end) { *time = 1.5f; return 0; }

int cuModuleLoadData(void **module, const void *image) {
    CALL("cuModuleLoadData", " %.3s", (const char *)image + 1);
    *module = (void *)handles++;
    return 0;
}
int cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *options, void **values) {
    for (unsigned i = 0; i < count; i++) {
        if (options[i] == 5) {
            strcpy(values[i], getenv("JIT_LOG") ? getenv("JIT_LOG") : "");
        }
    }
    CALL("cuModuleLoadDataEx", " %zu", strlen(image));
    *module = (void *)handles++;
    return 0;
}
int cuModuleUnload(void *module) { CALL("cuModuleUnload", ""); return 0; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
    CALL("cuModuleGetFunction", " %s", name);
    *function = (void *)(uintptr_t)0xF00;
    return 0;
}
int cuFuncGetAttribute(int *value, int attribute, void *function) { *value = 448; return 0; }
int cuFuncSetAttribute(void *function, int attribute, int value) {
    CALL("cuFuncSetAttribute", " %d %d", attribute, value);
    return 0;
}
// Kernels here have one address, one 64-bit and one 32-bit parameter.
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra) {
    CALL("cuLaunchKernel", " %p (%u %u %u) (%u %u %u) %u: %d %lld 0x%x", function, gx, gy, gz, bx, by, bz, shared,
         *(address *)parameters[0] != 0, *(long long *)parameters[1], *(unsigned *)parameters[2]);
    return 0;
}

struct attribute { int id; int pad; union { char bytes[64]; int number; } value; };
struct configuration { unsigned grid[3], block[3], shared; void *stream; struct attribute *attributes; unsigned count; };
int cuLaunchKernelEx(const struct configuration *config, void *function, void **parameters, void **extra) {
    CALL("cuLaunchKernelEx", " %p (%u %u %u) (%u %u %u) %u: %d %lld 0x%x, on a stream %d, %u attribute: %d is %d", function,
         config->grid[0], config->grid[1], config->grid[2], config->block[0], config->block[1], config->block[2],
         config->shared, *(address *)parameters[0] != 0, *(long long *)parameters[1], *(unsigned *)parameters[2],
         config->stream != 0, config->count, config->attributes->id, config->attributes->value.number);
    return 0;
}

int cuGetErrorName(int status, const char **name) {
    switch (status) {
        case 2: *name = "CUDA_ERROR_OUT_OF_MEMORY"; return 0;
        case 200: *name = "CUDA_ERROR_INVALID_IMAGE"; return 0;
        case 222: *name = "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"; return 0;
        case 700: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; return 0;
        case 701: *name = "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"; return 0;
        case 803: *name = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; return 0;
        case 900: *name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"; return 0;
        default: return 1;
    }
}
int cuGetErrorString(int status, const char **meaning) { *meaning = "what it means"; return 0; }
