/* failing_disk - preloaded into a program under test: while the file named by FAILING_DISK says "full", no file grows
 * (ENOSPC); while it says "sync", no sync succeeds (EIO). Standard streams are left alone, so that the log can tell. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t pwrite(int fd, const void *from, size_t len, off_t at);
ssize_t pwrite64(int fd, const void *from, size_t len, off_t at);
ssize_t write(int fd, const void *from, size_t len);
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

static bool grows(int fd, off_t end)
{
    struct stat now;
    return fd > 2 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode) && end > now.st_size;
}

static ssize_t no_space(void)
{
    errno = ENOSPC;
    return -1;
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
    return grows(fd, at + (off_t)len) && told("full") ? no_space() : syscall(SYS_pwrite64, fd, from, len, at);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off_t at)
{
    return pwrite(fd, from, len, at);
}

ssize_t write(int fd, const void *from, size_t len)
{
    off_t at = fd > 2 ? lseek(fd, 0, SEEK_CUR) : -1;
    return at >= 0 && grows(fd, at + (off_t)len) && told("full") ? no_space() : syscall(SYS_write, fd, from, len);
}

static int sync_or_fail(long number, int fd)
{
    if (!told("sync"))
        return (int)syscall(number, fd);
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    return sync_or_fail(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_or_fail(SYS_fdatasync, fd);
}
