/* bench_fanout_floor SOCKETS EVENTS BYTES: listens on a free loopback port (printed), answers SOCKETS handshakes, waits
 * for a line on standard input and then writes EVENTS ready-made WebSocket frames of BYTES payload to every socket, as
 * fast as the kernel takes them, in one thread. No routing, no queue, no record: the limit of any server on this
 * machine. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE (64u << 10) /* bytes per write: large enough that the call does not count */

static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02{}";

struct peer {
    int fd;
    size_t sent;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void greet(int fd)
{
    char request[2048];
    size_t len = 0;
    while (len < 4 || memcmp(request + len - 4, "\r\n\r\n", 4) != 0) {
        ssize_t got = read(fd, request + len, sizeof request - len);
        if (got <= 0)
            fail("handshake");
        len += (size_t)got;
    }
    if (write(fd, answer, sizeof answer - 1) != (ssize_t)sizeof answer - 1)
        fail("answer");
}

static unsigned char *make_stream(size_t events, size_t bytes, size_t *len)
{
    size_t frame = bytes + 4;
    unsigned char *stream = malloc(events * frame);
    if (!stream)
        fail("memory");
    for (size_t i = 0; i < events; i++) {
        unsigned char *at = stream + i * frame;
        at[0] = 0x81;
        at[1] = 126;
        at[2] = (unsigned char)(bytes >> 8);
        at[3] = (unsigned char)bytes;
        memset(at + 4, 'x', bytes);
    }
    *len = events * frame;
    return stream;
}

/* true when the peer has everything. */
static int push(struct peer *peer, const unsigned char *stream, size_t len)
{
    while (peer->sent < len) {
        size_t piece = len - peer->sent < AT_ONCE ? len - peer->sent : AT_ONCE;
        ssize_t put = send(peer->fd, stream + peer->sent, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno == EAGAIN)
            return 0;
        if (put < 0)
            fail("send");
        peer->sent += (size_t)put;
    }
    return 1;
}

static void push_all(struct peer *peers, size_t count, const unsigned char *stream, size_t len)
{
    struct epoll_event ready[256];
    int poller = epoll_create1(EPOLL_CLOEXEC);
    size_t left = count;
    for (size_t i = 0; i < count; i++)
        epoll_ctl(poller, EPOLL_CTL_ADD, peers[i].fd, &(struct epoll_event){.events = EPOLLOUT, .data.ptr = &peers[i]});
    while (left > 0) {
        int n = epoll_wait(poller, ready, 256, 30000);
        if (n <= 0)
            fail("stalled");
        for (int i = 0; i < n; i++) {
            struct peer *peer = ready[i].data.ptr;
            if (push(peer, stream, len)) {
                epoll_ctl(poller, EPOLL_CTL_DEL, peer->fd, NULL);
                left--;
            }
        }
    }
    close(poller);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    size_t count = strtoul(argv[1], NULL, 10), events = strtoul(argv[2], NULL, 10), bytes = strtoul(argv[3], NULL, 10),
           len;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4096) != 0)
        fail("listen");
    getsockname(listener, (struct sockaddr *)&at, &at_len);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    struct peer *peers = calloc(count, sizeof *peers);
    unsigned char *stream = make_stream(events, bytes, &len);
    for (size_t i = 0; peers && i < count; i++) {
        peers[i].fd = accept(listener, NULL, NULL);
        if (peers[i].fd < 0)
            fail("accept");
        greet(peers[i].fd);
    }
    char line[16];
    if (!peers || !fgets(line, sizeof line, stdin))
        return 1;
    push_all(peers, count, stream, len);
    if (!fgets(line, sizeof line, stdin)) /* the readers are done: end of input */
        return 0;
    return 0;
}
