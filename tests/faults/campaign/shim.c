/* A disk that fails, and a clock that jumps back, for one process: preloaded before libc, idle until fault_arm is called.
   Calls that write below one folder are counted; from the one that was asked for on they fail, or it is torn. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { IDLE, COUNT, FAIL, TEAR, CLOCK };
static int mode = IDLE, number = 0, writes = 0, wanted = 0, failure = 0, once = 0, jumped = 0;
static char folder[PATH_MAX];

void fault_arm(const char *below, int how, int at, int error, int only_once) {
    snprintf(folder, sizeof folder, "%s", below);
    number = 0, writes = 0, jumped = 0, wanted = at, failure = error, once = only_once, mode = how;
}

/* How many calls were counted; of them, how many were writes, which alone can be torn. */
int fault_count(void) { return number; }
int fault_writes(void) { return writes; }

static int below(const char *path) {
    char whole[PATH_MAX * 2], here[PATH_MAX];
    if (path[0] != '/' && getcwd(here, sizeof here)) {
        snprintf(whole, sizeof whole, "%s/%s", here, path);
        path = whole;
    }
    return strncmp(path, folder, strlen(folder)) == 0;
}

static int of_ours(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return path[0] == '/' && below(path);  /* not a socket, a pipe or an event */
}

/* Say whether this call is to fail. */
static int hit(int ours) {
    if (mode == IDLE || !ours) return 0;
    int mine = __sync_add_and_fetch(&number, 1);
    if (mode == CLOCK && mine == wanted) jumped = 1;
    if (mode != FAIL && mode != TEAR) return 0;
    if (once || mode == TEAR ? mine != wanted : mine < wanted) return 0;
    errno = failure;
    return 1;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    int ours = mode != IDLE && of_ours(fd);
    if (ours) __sync_add_and_fetch(&writes, 1);
    if (hit(ours)) {
        if (mode == TEAR) {
            real(fd, bytes, length / 2);
            if (failure == 0) kill(getpid(), SIGKILL);
            mode = FAIL, once = 0, wanted = 0, errno = failure;  /* the disk stays as it is */
        }
        return -1;
    }
    return real(fd, bytes, length);
}

int fsync(int fd) {
    REAL(fsync);
    return mode != IDLE && mode != TEAR && hit(of_ours(fd)) ? -1 : real(fd);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return mode != IDLE && mode != TEAR && hit(below(to)) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t bits) {
    REAL(mkdir);
    return mode != IDLE && mode != TEAR && hit(below(path)) ? -1 : real(path, bits);
}

#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
#define OPENING(name, before, args) \
    int name(before const char *path, int flags, ...) { \
        REAL(name); \
        mode_t bits = 0; \
        if (flags & (O_CREAT | __O_TMPFILE)) { va_list more; va_start(more, flags); bits = va_arg(more, mode_t); va_end(more); } \
        if (mode != IDLE && mode != TEAR && (flags & WRITES) && hit(below(path))) return -1; \
        return real(args path, flags, bits); \
    }
#define COMMA ,
OPENING(open, , )
OPENING(open64, , )
OPENING(openat, int at COMMA, at COMMA)
OPENING(openat64, int at COMMA, at COMMA)

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int told = real(clock, now);
    if (jumped && clock == CLOCK_REALTIME) now->tv_sec -= 3600;
    return told;
}

time_t time(time_t *place) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}
