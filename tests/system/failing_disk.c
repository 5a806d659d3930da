/* failing_disk - preloaded into a program under test: while the file named by FAILING_DISK says "full", files grow only
 * by what the program has given back since (ENOSPC); while it says "sync", no sync succeeds (EIO); while it says
 * "write", no write at a place does (EIO). Standard streams are left alone, and a log is only added to, so that it can
 * tell. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t pwrite(int fd, const void *from, size_t len, off_t at);
ssize_t pwrite64(int fd, const void *from, size_t len, off_t at);
ssize_t write(int fd, const void *from, size_t len);
int ftruncate(int fd, off_t len);
int posix_fallocate(int fd, off_t at, off_t len);
int fsync(int fd);
int fdatasync(int fd);

static bool told(const char *word)
{
    char text[16] = "";
    const char *name = getenv("FAILING_DISK");
    int kept = errno, fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) < 0)
            text[0] = '\0';
        close(fd);
    }
    errno = kept;
    return strncmp(text, word, strlen(word)) == 0;
}

static _Atomic off_t given_back;

/* By how much a file would grow; negative: shrink. */
static off_t growth(int fd, off_t end)
{
    struct stat now;
    return fd > 2 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode) ? end - now.st_size : 0;
}

/* No room for a file that would have this end? */
static bool refused(int fd, off_t end)
{
    off_t more = growth(fd, end);
    if (more <= 0 || !told("full"))
        return false;
    if (atomic_fetch_sub(&given_back, more) >= more)
        return false;
    atomic_fetch_add(&given_back, more);
    return true;
}

static ssize_t fail_with(int reason)
{
    errno = reason;
    return -1;
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
    if (told("write"))
        return fail_with(EIO);
    return refused(fd, at + (off_t)len) ? fail_with(ENOSPC) : syscall(SYS_pwrite64, fd, from, len, at);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off_t at)
{
    return pwrite(fd, from, len, at);
}

ssize_t write(int fd, const void *from, size_t len)
{
    off_t at = fd > 2 ? lseek(fd, 0, SEEK_CUR) : -1;
    return at >= 0 && refused(fd, at + (off_t)len) ? fail_with(ENOSPC) : syscall(SYS_write, fd, from, len);
}

int ftruncate(int fd, off_t len)
{
    off_t more = growth(fd, len);
    if (more < 0 && told("full"))
        atomic_fetch_sub(&given_back, more);
    return (int)syscall(SYS_ftruncate, fd, len);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
    if (refused(fd, at + len))
        return ENOSPC;
    return syscall(SYS_fallocate, fd, 0, at, len) == 0 ? 0 : errno;
}

static int sync_or_fail(long number, int fd)
{
    return told("sync") ? (int)fail_with(EIO) : (int)syscall(number, fd);
}

int fsync(int fd)
{
    return sync_or_fail(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_or_fail(SYS_fdatasync, fd);
}
