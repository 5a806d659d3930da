/* bench_fanout_readers HOST PORT PATH SOCKETS EVENTS: opens WebSockets, prints `ready` once each has its `connected`
 * frame, then counts frames until every socket has EVENTS more, and prints SECONDS DELIVERIES P50_US P99_US CPU_SECONDS
 * Latency is from the number behind "sent_us": in a payload (CLOCK_MONOTONIC, same machine) to its reading here, over
 * every 16th frame. One thread, epoll, no library: the reader must not be what is measured. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER     (256u << 10) /* one for all sockets: what is left of a frame is kept per socket */
#define LEFT_MAX   (128u << 10)
#define SAMPLES    (1u << 20)
#define SILENCE_MS 30000 /* without any byte for this long the run has failed */

struct reader {
    int fd;
    int upgraded; /* the HTTP answer has been skipped */
    uint64_t frames;
    unsigned char *left;
    size_t left_len;
};

static uint32_t samples[SAMPLES];
static size_t sample_count;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_fanout_readers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_socket(struct reader *self, const struct sockaddr_in *to, const char *host, const char *path)
{
    char request[512];
    int one = 1;
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || connect(self->fd, (const struct sockaddr *)to, sizeof *to) != 0)
        fail("connect");
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                       path, host);
    if (write(self->fd, request, (size_t)len) != len)
        fail("write");
}

static void sample(const unsigned char *payload, size_t len, int64_t now)
{
    const char *at = memmem(payload, len, "\"sent_us\":", 10);
    if (at && sample_count < SAMPLES)
        samples[sample_count++] = (uint32_t)(now - strtoll(at + 10, NULL, 10));
}

/* Length of the whole frame at `at` (RFC 6455 5.2, unmasked), or 0 when its head is not there yet. */
static size_t frame_size(const unsigned char *at, size_t len, size_t *head)
{
    if (len < 2)
        return 0;
    uint64_t size = at[1] & 127;
    *head = size == 126 ? 4 : size == 127 ? 10 : 2;
    if (len < *head)
        return 0;
    if (*head > 2) {
        size = 0;
        for (size_t i = 2; i < *head; i++)
            size = size << 8 | at[i];
    }
    return *head + (size_t)size;
}

static size_t skip_http(struct reader *self, const unsigned char *at, size_t len)
{
    const unsigned char *end = memmem(at, len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (len < 12 || memcmp(at + 9, "101", 3) != 0) {
        fprintf(stderr, "bench_fanout_readers: refused: %.60s\n", (const char *)at);
        exit(1);
    }
    self->upgraded = 1;
    return (size_t)(end - at) + 4;
}

/* Consumes whole frames; returns how many bytes. */
static size_t consume(struct reader *self, const unsigned char *at, size_t len)
{
    size_t used = self->upgraded ? 0 : skip_http(self, at, len);
    int64_t now = now_us();
    while (self->upgraded) {
        size_t head = 0, size = frame_size(at + used, len - used, &head);
        if (size == 0 || size > len - used)
            break;
        if ((at[used] & 15) == 1 && ++self->frames % 16 == 0)
            sample(at + used + head, size - head, now);
        used += size;
    }
    return used;
}

static void readable(struct reader *self)
{
    static unsigned char buffer[BUFFER + LEFT_MAX];
    memcpy(buffer, self->left, self->left_len);
    ssize_t got = recv(self->fd, buffer + self->left_len, BUFFER, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("a socket was closed");
    size_t len = self->left_len + (size_t)got, used = consume(self, buffer, len);
    self->left_len = len - used;
    if (self->left_len > LEFT_MAX)
        fail("frame too large");
    if (self->left_len && !self->left && !(self->left = malloc(LEFT_MAX)))
        fail("memory");
    memcpy(self->left, buffer + used, self->left_len);
}

/* Until every socket has `target` frames. */
static void read_until(int poller, struct reader *all, size_t count, uint64_t target, int64_t *first_us)
{
    struct epoll_event ready[256];
    size_t done = 0;
    for (size_t i = 0; i < count; i++)
        done += all[i].frames >= target;
    while (done < count) {
        int n = epoll_wait(poller, ready, 256, SILENCE_MS);
        if (n <= 0)
            fail("silence");
        if (*first_us == 0)
            *first_us = now_us();
        for (int i = 0; i < n; i++) {
            struct reader *self = ready[i].data.ptr;
            int had = self->frames >= target;
            readable(self);
            done += !had && self->frames >= target;
        }
    }
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    size_t count = strtoul(argv[4], NULL, 10);
    uint64_t events = strtoull(argv[5], NULL, 10);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &to.sin_addr);
    struct reader *all = calloc(count, sizeof *all);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    int64_t first = 1;
    if (!all || poller < 0)
        fail("start");
    for (size_t i = 0; i < count; i++) {
        open_socket(&all[i], &to, argv[1], argv[3]);
        epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &all[i]});
    }
    read_until(poller, all, count, 1, &first);
    printf("ready\n");
    fflush(stdout);
    first = 0;
    read_until(poller, all, count, 1 + events, &first);
    double seconds = (double)(now_us() - first) / 1e6;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    qsort(samples, sample_count, sizeof *samples, by_value);
    printf("%.4f %llu %u %u %.2f\n", seconds, (unsigned long long)(count * events),
           sample_count ? samples[sample_count / 2] : 0, sample_count ? samples[sample_count * 99 / 100] : 0,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}
