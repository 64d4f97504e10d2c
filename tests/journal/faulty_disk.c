/* Stands between a process and its disk: counts what is done to files whose path holds a mark, and
   kills the process or fails at the n-th. Built by kill_kit.py and loaded with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { COUNT, KILL, FAIL_ONCE, FAIL_ALWAYS, SHORT };

static const char *mark;
static int mode, error;
static long count, at;

void disk_arm(const char *path_part, int new_mode, long n, int new_error) {
    mark = strdup(path_part); mode = new_mode; at = n; error = new_error; count = 0;
}
long disk_count(void) { return count; }

static int strikes(const char *path) {
    if (!mark || !strstr(path, mark)) return 0;
    long now = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (mode == KILL && now == at) kill(getpid(), SIGKILL);
    return (now == at && mode != COUNT) || (now > at && mode == FAIL_ALWAYS);
}
static int strikes_fd(int fd) {
    char link[64], path[PATH_MAX];
    if (!mark) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strikes(path);
}
#define REAL(name) static typeof(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define FAIL do { errno = error; return -1; } while (0)
#define WRITE(name, offset_t) \
    ssize_t name(int fd, const void *data, size_t size, offset_t offset) { \
        REAL(name); \
        if (strikes_fd(fd)) { if (mode == SHORT) return real(fd, data, size / 2, offset); FAIL; } \
        return real(fd, data, size, offset); }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)
ssize_t write(int fd, const void *data, size_t size) {
    REAL(write); if (strikes_fd(fd) && mode != SHORT) FAIL; return real(fd, data, size); }
int fdatasync(int fd) { REAL(fdatasync); if (strikes_fd(fd) && mode != SHORT) FAIL; return real(fd); }
int fsync(int fd) { REAL(fsync); if (strikes_fd(fd) && mode != SHORT) FAIL; return real(fd); }
int ftruncate(int fd, off_t n) {
    REAL(ftruncate); if (strikes_fd(fd) && mode != SHORT) FAIL; return real(fd, n); }
int ftruncate64(int fd, off64_t n) {
    REAL(ftruncate64); if (strikes_fd(fd) && mode != SHORT) FAIL; return real(fd, n); }
int unlink(const char *path) { REAL(unlink); if (strikes(path) && mode != SHORT) FAIL; return real(path); }
