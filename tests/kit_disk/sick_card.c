/* A sick card, for one process: interposes on the calls by which files below a directory are written.
 *
 *   SICK_CARD_DIR      the directory
 *   SICK_CARD_CONTROL  a file with one line, read at each call; missing or empty: the card is well
 *
 *   stall DEADLINE     fsync and fdatasync hang until DEADLINE (seconds of CLOCK_MONOTONIC) or until the line changes
 *   fail ERRNO         every write, sync, truncate, rename, removal and open for writing fails with ERRNO
 *   full               as on a full card: what would grow a file fails with ENOSPC, until something is removed
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum kind { WELL, STALL, FAIL, FULL };
struct order { enum kind kind; double deadline; int error; };

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static long long room; /* bytes freed since the card became full */

static struct order ask(void)
{
    struct order order = { WELL, 0, 0 };
    char line[64] = "";
    const char *path = getenv("SICK_CARD_CONTROL");
    int saved = errno, fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        if (syscall(SYS_read, fd, line, sizeof line - 1) < 0)
            line[0] = 0;
        syscall(SYS_close, fd);
    }
    if (sscanf(line, "stall %lf", &order.deadline) == 1)
        order.kind = STALL;
    else if (sscanf(line, "fail %d", &order.error) == 1)
        order.kind = FAIL;
    else if (!strncmp(line, "full", 4))
        order.kind = FULL;
    if (order.kind != FULL) {
        pthread_mutex_lock(&guard);
        room = 0;
        pthread_mutex_unlock(&guard);
    }
    errno = saved;
    return order;
}

static int below(const char *path)
{
    const char *dir = getenv("SICK_CARD_DIR");
    return dir && path && !strncmp(path, dir, strlen(dir));
}

static int ours(int fd)
{
    char link[64], path[PATH_MAX];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0)
        return 0;
    path[length] = 0;
    return below(path);
}

static int refuse(int error) { errno = error; return -1; }

/* 0, or -1 with errno: may this file become `end` bytes long? */
static int grow(int fd, long long end)
{
    if (!ours(fd))
        return 0;
    struct order order = ask();
    if (order.kind == FAIL)
        return refuse(order.error);
    if (order.kind != FULL)
        return 0;
    struct stat now;
    if (fstat(fd, &now) || end <= now.st_size)
        return 0;
    pthread_mutex_lock(&guard);
    int fits = end - now.st_size <= room;
    if (fits)
        room -= end - now.st_size;
    pthread_mutex_unlock(&guard);
    return fits ? 0 : refuse(ENOSPC);
}

static long long place(int fd)
{
    struct stat now;
    if (fcntl(fd, F_GETFL) & O_APPEND)
        return fstat(fd, &now) ? 0 : now.st_size;
    long long at = lseek(fd, 0, SEEK_CUR);
    return at < 0 ? 0 : at;
}

static int settle(int fd)
{
    struct order order;
    while (ours(fd) && (order = ask()).kind == STALL) {
        struct timespec now, tick = { 0, 10000000 };
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec + now.tv_nsec / 1e9 >= order.deadline)
            return 0;
        nanosleep(&tick, NULL);
    }
    return ours(fd) && order.kind == FAIL ? refuse(order.error) : 0;
}

static int forbid(const char *path)
{
    if (!below(path))
        return 0;
    struct order order = ask();
    return order.kind == FAIL ? refuse(order.error) : 0;
}

int fsync(int fd) { return settle(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return settle(fd) ? -1 : REAL(fdatasync)(fd); }

ssize_t write(int fd, const void *data, size_t size)
{
    return grow(fd, ours(fd) ? place(fd) + (long long)size : 0) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return grow(fd, at + (long long)size) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return grow(fd, at + (long long)size) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

int ftruncate(int fd, off_t size) { return grow(fd, size) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return grow(fd, size) ? -1 : REAL(ftruncate64)(fd, size); }
int posix_fallocate(int fd, off_t at, off_t size) { return grow(fd, at + size) ? errno : REAL(posix_fallocate)(fd, at, size); }
int posix_fallocate64(int fd, off64_t at, off64_t size) { return grow(fd, at + size) ? errno : REAL(posix_fallocate64)(fd, at, size); }

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); \
        va_end(rest); \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && forbid(path)) \
            return -1; \
        return REAL(name)(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

int rename(const char *from, const char *to) { return forbid(to) ? -1 : REAL(rename)(from, to); }

int unlink(const char *path)
{
    struct stat before;
    if (forbid(path))
        return -1;
    int known = below(path) && !stat(path, &before);
    int result = REAL(unlink)(path);
    if (!result && known) {
        pthread_mutex_lock(&guard);
        room += (long long)before.st_blocks * 512;
        pthread_mutex_unlock(&guard);
    }
    return result;
}

#define FREE(name, type) \
    int name(const char *path, struct type *found) \
    { \
        int result = REAL(name)(path, found); \
        if (!result && below(path) && ask().kind == FULL) { \
            pthread_mutex_lock(&guard); \
            found->f_bavail = found->f_bfree = (fsblkcnt_t)(room / (long long)found->f_frsize); \
            pthread_mutex_unlock(&guard); \
        } \
        return result; \
    }
FREE(statvfs, statvfs)
FREE(statvfs64, statvfs64)
