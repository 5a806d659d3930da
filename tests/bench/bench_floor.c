/* bench_floor lines FILE: reads the file in blocks and finds its line ends; bench_floor inflate FILE: inflates every
 * deflated member of a zip file and throws the bytes away. Prints `SECONDS COUNT`. What no reader of the same input can
 * go below. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK (1u << 20)

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t count_lines(int fd)
{
    static char block[BLOCK];
    uint64_t lines = 0;
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) > 0) {
        const char *at = block, *end = block + got;
        while ((at = memchr(at, '\n', (size_t)(end - at)))) {
            lines++;
            at++;
        }
    }
    return lines;
}

static uint32_t le(const unsigned char *at, int bytes)
{
    uint32_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static uint64_t inflate_member(const unsigned char *at, size_t len)
{
    static unsigned char out[BLOCK];
    z_stream z = {.avail_in = (uInt)len};
    memcpy(&z.next_in, &at, sizeof at); /* zlib's pointer is not const unless asked; it does not write */
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return 0;
    int code;
    do {
        z.next_out = out;
        z.avail_out = sizeof out;
        code = inflate(&z, Z_NO_FLUSH);
    } while (code == Z_OK);
    uint64_t total = z.total_out;
    inflateEnd(&z);
    return total;
}

/* Walks the central directory (APPNOTE 4.3.12); a benchmark reads only files it made itself, so zip64 is left out. */
static uint64_t inflate_all(const unsigned char *file, size_t size)
{
    uint64_t bytes = 0;
    size_t end = size - 22;
    while (end > 0 && memcmp(file + end, "PK\5\6", 4) != 0)
        end--;
    size_t at = le(file + end + 16, 4);
    while (at + 46 <= size && memcmp(file + at, "PK\1\2", 4) == 0) {
        size_t local = le(file + at + 42, 4);
        size_t data = local + 30 + le(file + local + 26, 2) + le(file + local + 28, 2);
        if (le(file + at + 10, 2) == 8)
            bytes += inflate_member(file + data, le(file + at + 20, 4));
        at += 46 + le(file + at + 28, 2) + le(file + at + 30, 2) + le(file + at + 32, 2);
    }
    return bytes;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_floor lines|inflate FILE\n");
        return 2;
    }
    struct stat about;
    int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        perror(argv[2]);
        return 2;
    }
    uint64_t count;
    double start = now_s();
    if (strcmp(argv[1], "lines") == 0) {
        count = count_lines(fd);
    } else {
        const unsigned char *file = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        count = file == MAP_FAILED ? 0 : inflate_all(file, (size_t)about.st_size);
    }
    printf("%.4f %llu\n", now_s() - start, (unsigned long long)count);
    return 0;
}
