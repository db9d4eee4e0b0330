/* Replaces functions of the C library (LD_PRELOAD): makes the disk fail and the clock jump, and
 * records the order of writes, syncs and responses.
 *
 * FAULTS_CONTROL names a file of three 64-bit numbers, read at each call: seconds to add to the
 * wall clock, and the errno with which writing and syncing a database or its WAL fails, or 0.
 * FAULTS_RECORD names a file that gets a line for each mark (mark-<32 hexadecimal digits>) written
 * to a WAL, each successful sync of a WAL, and each mark about to be sent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control { volatile int64_t clock_seconds, write_errno, sync_errno; };

static struct control none, *control = &none;
static int record = -1;
static const char MARK[] = "mark-";
enum { MARK_LENGTH = 5 + 32 };

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_CONTROL");
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor >= 0) {
        void *mapped = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, descriptor, 0);
        if (mapped != MAP_FAILED)
            control = mapped;
        close(descriptor);
    }
    path = getenv("FAULTS_RECORD");
    if (path)
        record = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(const char *what, int length)
{
    char line[128];
    int size = snprintf(line, sizeof line, "%.*s\n", length, what);
    if (record >= 0)
        syscall(SYS_write, record, line, (size_t)size);
}

/* 'l' for a write-ahead log, 'd' for a database, 0 for anything else. */
static char kind_of(int descriptor)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 4)
        return 0;
    path[length] = 0;
    if (strstr(path, ".db-wal"))
        return 'l';
    return strcmp(path + length - 3, ".db") == 0 ? 'd' : 0;
}

static void note_marks(const char *what, const void *content, size_t size)
{
    const char *at = content, *end = at + size;
    while (record >= 0 && at) {
        char line[64];
        at = memmem(at, (size_t)(end - at), MARK, sizeof MARK - 1);
        if (!at || end - at < MARK_LENGTH)
            return;
        note(line, snprintf(line, sizeof line, "%s %.*s", what, MARK_LENGTH, at));
        at += MARK_LENGTH;
    }
}

static int fails_to_write(int descriptor, const void *content, size_t size)
{
    if (!control->write_errno && record < 0)
        return 0;
    char kind = kind_of(descriptor);
    if (kind && control->write_errno) {
        errno = (int)control->write_errno;
        return 1;
    }
    if (kind == 'l')
        note_marks("wrote", content, size);
    return 0;
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) \
        real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t pwrite(int descriptor, const void *content, size_t size, off_t offset)
{
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return fails_to_write(descriptor, content, size) ? -1 : real(descriptor, content, size, offset);
}

ssize_t pwrite64(int descriptor, const void *content, size_t size, off64_t offset)
{
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return fails_to_write(descriptor, content, size) ? -1 : real(descriptor, content, size, offset);
}

ssize_t write(int descriptor, const void *content, size_t size)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    note_marks("answered", content, size);
    return fails_to_write(descriptor, content, size) ? -1 : real(descriptor, content, size);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    for (int part = 0; part < count; part++)
        note_marks("answered", parts[part].iov_base, parts[part].iov_len);
    return real(descriptor, parts, count);
}

ssize_t send(int descriptor, const void *content, size_t size, int flags)
{
    REAL(ssize_t, "send", int, const void *, size_t, int);
    note_marks("answered", content, size);
    return real(descriptor, content, size, flags);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    REAL(ssize_t, "sendmsg", int, const struct msghdr *, int);
    for (size_t part = 0; part < message->msg_iovlen; part++)
        note_marks("answered", message->msg_iov[part].iov_base, message->msg_iov[part].iov_len);
    return real(descriptor, message, flags);
}

static int synced(int descriptor, int result)
{
    if (record >= 0 && result == 0 && kind_of(descriptor) == 'l')
        note("synced", 6);
    return result;
}

static int fails_to_sync(int descriptor)
{
    if (!control->sync_errno || !kind_of(descriptor))
        return 0;
    errno = (int)control->sync_errno;
    return 1;
}

int fsync(int descriptor)
{
    REAL(int, "fsync", int);
    return fails_to_sync(descriptor) ? -1 : synced(descriptor, real(descriptor));
}

int fdatasync(int descriptor)
{
    REAL(int, "fdatasync", int);
    return fails_to_sync(descriptor) ? -1 : synced(descriptor, real(descriptor));
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    long result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += control->clock_seconds;
    return (int)result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (seconds)
        *seconds = precise.tv_sec;
    return precise.tv_sec;
}
