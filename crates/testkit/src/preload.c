/* Fails chosen calls of a process as a broken disk, a limit of the system or a wrong clock would.
 *
 * FAULT_CALL names the call and FAULT_ERRNO its error; the first FAULT_AFTER calls are left alone.
 * A call on a file is chosen by a part of its path, FAULT_PATH. Each fault adds a byte to
 * FAULT_LOG. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_long seen;

static long number(const char *name) {
    const char *value = getenv(name);
    return value ? atol(value) : 0;
}

static int is_meant(const char *call) {
    const char *meant = getenv("FAULT_CALL");
    return meant && strcmp(meant, call) == 0;
}

static int is_on_meant_file(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, getenv("FAULT_PATH")) != NULL;
}

static int strikes(void) {
    if (atomic_fetch_add(&seen, 1) < number("FAULT_AFTER"))
        return 0;
    int log = syscall(SYS_openat, AT_FDCWD, getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    syscall(SYS_write, log, "!", 1);
    syscall(SYS_close, log);
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (is_meant("write") && is_on_meant_file(fd) && strikes()) {
        errno = number("FAULT_ERRNO");
        return -1;
    }
    return syscall(SYS_write, fd, bytes, count);
}

ssize_t read(int fd, void *bytes, size_t count) {
    if (is_meant("read") && is_on_meant_file(fd) && strikes()) {
        errno = number("FAULT_ERRNO");
        return -1;
    }
    return syscall(SYS_read, fd, bytes, count);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *with) {
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (is_meant("pthread_create") && strikes())
        return number("FAULT_ERRNO");
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, how, run, with);
}

/* The wall clock jumps by FAULT_SECONDS. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME && is_meant("clock_gettime") && strikes())
        now->tv_sec += number("FAULT_SECONDS");
    return done;
}
