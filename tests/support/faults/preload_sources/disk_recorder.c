/* Records what a process writes to the files whose path begins with RECORDER_PREFIX: every write with its data, every
   truncation, sync and removal, in one order, to RECORDER_LOG. A record is one header and the data; see disk.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct header {
    char op;
    char name[31];
    int64_t offset, length, nanoseconds;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int sink = -1;

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

static const char *recorded(const char *path) {
    const char *prefix = getenv("RECORDER_PREFIX");
    return prefix && !strncmp(path, prefix, strlen(prefix)) ? path + strlen(prefix) : NULL;
}

static int name_of(int fd, char *name) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    const char *rest = recorded(path);
    if (!rest) return 0;
    snprintf(name, 31, "%s", rest);
    return 1;
}

static void record(char op, const char *name, int64_t offset, const void *data, int64_t length) {
    struct header header = {.op = op, .offset = offset, .length = length};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    header.nanoseconds = now.tv_sec * 1000000000LL + now.tv_nsec;
    strncpy(header.name, name, sizeof header.name - 1);
    ssize_t (*put)(int, const void *, size_t) = REAL("write", ssize_t (*)(int, const void *, size_t));
    if (sink < 0) sink = open(getenv("RECORDER_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (put(sink, &header, sizeof header) < 0 || (data && put(sink, data, length) < 0)) abort();
}

static ssize_t put_at(const char *real, int fd, const void *data, size_t length, off_t offset) {
    char name[31];
    ssize_t (*put)(int, const void *, size_t, off_t) = REAL(real, ssize_t (*)(int, const void *, size_t, off_t));
    if (!name_of(fd, name)) return put(fd, data, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = put(fd, data, length, offset);
    if (done > 0) record('w', name, offset, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return put_at("pwrite", fd, data, length, offset); }
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    return put_at("pwrite64", fd, data, length, offset);
}

static int cut(const char *real, int fd, off_t length) {
    char name[31];
    int (*cut_to)(int, off_t) = REAL(real, int (*)(int, off_t));
    if (!name_of(fd, name)) return cut_to(fd, length);
    pthread_mutex_lock(&lock);
    int result = cut_to(fd, length);
    if (!result) record('t', name, length, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t length) { return cut("ftruncate", fd, length); }
int ftruncate64(int fd, off_t length) { return cut("ftruncate64", fd, length); }

static int settle(const char *real, int fd) {
    char name[31];
    int (*sync_file)(int) = REAL(real, int (*)(int));
    if (!name_of(fd, name)) return sync_file(fd);
    pthread_mutex_lock(&lock);
    int result = sync_file(fd);
    if (!result) record('s', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) { return settle("fsync", fd); }
int fdatasync(int fd) { return settle("fdatasync", fd); }

int unlink(const char *path) {
    int (*remove_file)(const char *) = REAL("unlink", int (*)(const char *));
    const char *name = recorded(path);
    if (!name) return remove_file(path);
    pthread_mutex_lock(&lock);
    int result = remove_file(path);
    if (!result) record('u', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}
