/* What the compiled scanner asks of the operating system: open, status, read, advise. Linux.
 *
 * Opening is confined to the archive by the kernel (openat2, Linux 5.6); where that is not to be had, the open file
 * itself is asked where it is, as LocalStore.open does. Nothing here is ever written to.
 */
#ifndef DICOM_PIPELINE_SYSTEM_H
#define DICOM_PIPELINE_SYSTEM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int open_and_ask(int root, const char *path, const char *prefix, size_t prefix_length)
{
    char link[64], place[4096];
    int file = openat(root, path, OPEN_FLAGS);
    if (file < 0)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, place, sizeof place);
    if (length < (ssize_t)prefix_length || length == (ssize_t)sizeof place || memcmp(place, prefix, prefix_length)) {
        close(file);
        return -1;
    }
    return file;
}

/* Open a file below the directory `root`, whose real path with a slash behind it is `prefix`; -1 if that fails. */
static int open_beneath(int root, const char *path, const char *prefix, size_t prefix_length)
{
#ifdef SYS_openat2
    /* linux/openat2.h is younger than the kernels whose headers some systems build with. */
    struct { uint64_t flags, mode, resolve; } how = {OPEN_FLAGS, 0, 0x08 /* BENEATH */ | 0x02 /* NO_MAGICLINKS */};
    int file = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    if (file >= 0 || (errno != ENOSYS && errno != EPERM))
        return file;
#endif
    return open_and_ask(root, path, prefix, prefix_length);
}

/* Ask an open file for size (bytes) and time of modification (nanoseconds since 1970); -1 if it is no regular file. */
static int regular_status(int file, long long *size, long long *modified)
{
    struct stat found;
    if (fstat(file, &found) || !S_ISREG(found.st_mode))
        return -1;
    *size = (long long)found.st_size;
    *modified = (long long)found.st_mtim.tv_sec * 1000000000LL + found.st_mtim.tv_nsec;
    return 0;
}

/* Read what the page cache holds, without waiting for a disk; -1 if it holds nothing or cannot tell. */
static long read_cached(int file, unsigned char *into, size_t length, long long offset)
{
#ifdef RWF_NOWAIT
    struct iovec one = {into, length};
    return (long)preadv2(file, &one, 1, (off_t)offset, RWF_NOWAIT);
#else
    (void)file; (void)into; (void)length; (void)offset;
    return -1;
#endif
}

/* Read up to `length` bytes, fewer only where the file ends; -1 on an error. */
static long read_fully(int file, unsigned char *into, size_t length, long long offset)
{
    size_t done = 0;
    while (done < length) {
        ssize_t count = pread(file, into + done, length - done, (off_t)(offset + (long long)done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (long)done;
}

#endif
