/* A libnvidia-ml.so.1 for tests: its GPUs are the lines of the text file $NVML_STUB_GPUS, read at every call.
 *
 * One line per GPU:   name|uuid|total bytes|used bytes|pids, separated by commas (or nothing)|use in percent
 * (nothing: it does not tell)
 * A line whose name is "lost" is a GPU that has fallen off the bus. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15,
       NOT_SUPPORTED = 3, NOT_FOUND = 6 };

typedef struct { char name[96], uuid[96], pids[256]; unsigned long long total, used; int use; } Device;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } Process;

static Device devices[16];

/* Read the file anew; the number of GPUs, or -1 when there is none. */
static int load(void) {
    const char *path = getenv("NVML_STUB_GPUS");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[1024];
    int count = 0;
    if (!file) return -1;
    while (count < 16 && fgets(line, sizeof line, file)) {
        char *rest = line, *field[6] = {0};
        int n;
        line[strcspn(line, "\n")] = 0;
        for (n = 0; n < 6 && rest; n++) field[n] = strsep(&rest, "|");
        if (n < 5) continue;
        Device *device = &devices[count++];
        snprintf(device->name, sizeof device->name, "%s", field[0]);
        snprintf(device->uuid, sizeof device->uuid, "%s", field[1]);
        device->total = strtoull(field[2], NULL, 10);
        device->used = strtoull(field[3], NULL, 10);
        snprintf(device->pids, sizeof device->pids, "%s", field[4]);
        device->use = field[5] && *field[5] ? atoi(field[5]) : -1;
    }
    fclose(file);
    return count;
}

static int check(Device *device) {
    int count = load();
    if (count < 0 || device < devices || device >= devices + count) return INVALID_ARGUMENT;
    return strcmp(device->name, "lost") ? SUCCESS : GPU_IS_LOST;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return load() < 0 ? DRIVER_NOT_LOADED : SUCCESS; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return SUCCESS; }

const char *nvmlErrorString(int code) {
    return code == GPU_IS_LOST ? "GPU is lost" : code == DRIVER_NOT_LOADED ? "Driver Not Loaded" : "Unknown Error";
}

int nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)load(); return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    if ((int)index >= load()) return INVALID_ARGUMENT;
    *device = &devices[index];
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Device **device) {
    int count = load();
    for (int index = 0; index < count; index++)
        if (!strcmp(devices[index].uuid, uuid)) { *device = &devices[index]; return check(*device); }
    return NOT_FOUND;
}

int nvmlDeviceGetUtilizationRates(Device *device, unsigned *rates) {
    int status = check(device);
    if (status) return status;
    if (device->use < 0) return NOT_SUPPORTED;
    rates[0] = (unsigned)device->use;
    rates[1] = 0;
    return SUCCESS;
}

int nvmlDeviceGetName(Device *device, char *text, unsigned length) {
    int status = check(device);
    if (!status) snprintf(text, length, "%s", device->name);
    return status;
}

int nvmlDeviceGetUUID(Device *device, char *text, unsigned length) {
    int status = check(device);
    if (!status) snprintf(text, length, "%s", device->uuid);
    return status;
}

int nvmlDeviceGetMemoryInfo(Device *device, Memory *memory) {
    int status = check(device);
    if (!status) *memory = (Memory){device->total, device->total - device->used, device->used};
    return status;
}

int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, Process *processes) {
    int status = check(device);
    unsigned room = *count, found = 0;
    char copy[256], *rest = copy, *pid;
    if (status) return status;
    snprintf(copy, sizeof copy, "%s", device->pids);
    while ((pid = strsep(&rest, ",")))
        if (*pid) {
            if (found < room) processes[found] = (Process){(unsigned)atoi(pid), device->used, ~0u, ~0u};
            found++;
        }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}
