#include "ports/listener.h"

#include "endpoint.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG       256
#define IDLE_SECONDS  60 /* then a silent peer is asked whether it is still there, */
#define PROBE_SECONDS 10 /* so often, */
#define PROBES_MAX    6  /* and given up after so many */
#define PORT_TEXT_MAX 8
#define ANY_HOST      "*"

static enum err listen_at(int *out, const struct sockaddr *to, socklen_t len, struct fault *why)
{
    int one = 1, zero = 0;
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fault_errno(why, "a socket");
    if (to->sa_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (to->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, to, len) == 0 && listen(fd, BACKLOG) == 0) {
        *out = fd;
        return ERR_OK;
    }
    enum err err = fault_set(why, errno == EADDRINUSE ? ERR_EXISTS : err_from_errno(errno), "%s", strerror(errno));
    close(fd);
    return err;
}

/* ---- ipc ---- */

static enum err listen_ipc(int *out, const char *path, struct fault *why)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path)
        return fault_set(why, ERR_TOO_LARGE, "the path is too long");
    memcpy(to.sun_path, path, strlen(path) + 1);
    unlink(path); /* of a dead process: the record's lock says that no other broker lives (endpoint.h: no other file) */
    return listen_at(out, (const struct sockaddr *)&to, sizeof to, why);
}

/* ---- tcp ---- */

/* Digits only: what strtoul() and getaddrinfo() make of the rest, and of larger numbers, is another port. */
static bool is_port(const char *text)
{
    size_t len = strspn(text, "0123456789");
    unsigned long port = len > 0 && len < PORT_TEXT_MAX && text[len] == '\0' ? strtoul(text, NULL, 10) : 0;
    return port > 0 && port <= UINT16_MAX;
}

/* "HOST:PORT" with or without brackets. */
static enum err split(const char *text, char host[ENDPOINT_TEXT_MAX], char port[PORT_TEXT_MAX], struct fault *why)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    bool brackets = len > 1 && text[0] == '[' && text[len - 1] == ']';
    if (!colon || len >= ENDPOINT_TEXT_MAX)
        return fault_set(why, ERR_INVALID, "must be HOST:PORT");
    if (!is_port(colon + 1))
        return fault_set(why, ERR_INVALID, "the port must be a number from 1 to %d", UINT16_MAX);
    snprintf(host, ENDPOINT_TEXT_MAX, "%.*s", (int)(brackets ? len - 2 : len), text + brackets);
    snprintf(port, PORT_TEXT_MAX, "%s", colon + 1);
    return ERR_OK;
}

static socklen_t size_of(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* The first IPv4 address of an interface; false: there is none of that name. */
static bool find_interface(const char *name, const char *port, struct sockaddr_in *out)
{
    struct ifaddrs *all, *at;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return false;
    for (at = all; at && !found; at = at->ifa_next) {
        found = at->ifa_addr && at->ifa_addr->sa_family == AF_INET && strcmp(at->ifa_name, name) == 0;
        if (found)
            memcpy(out, at->ifa_addr, sizeof *out);
    }
    freeifaddrs(all);
    out->sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    return found;
}

static enum err listen_tcp(int *out, const char *text, struct fault *why)
{
    char host[ENDPOINT_TEXT_MAX], port[PORT_TEXT_MAX];
    struct sockaddr_in interface;
    struct addrinfo *found = NULL;
    enum err err = split(text, host, port, why);
    if (err != ERR_OK)
        return err;
    if (find_interface(host, port, &interface))
        return listen_at(out, (const struct sockaddr *)&interface, sizeof interface, why);
    bool any = strcmp(host, ANY_HOST) == 0;
    /* As the other end: libzmq speaks IPv6 only to an address in brackets. */
    const struct addrinfo hints = {.ai_family = strchr(host, ':') ? AF_INET6 : AF_INET,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int reason = getaddrinfo(any ? NULL : host, port, &hints, &found);
    if (reason != 0)
        return fault_set(why, ERR_NOT_FOUND, "%s", gai_strerror(reason));
    err = listen_at(out, found->ai_addr, size_of(found->ai_addr), why);
    freeaddrinfo(found);
    return err;
}

static const char *ipc_path(const char *address)
{
    return strncmp(address, "ipc://", 6) == 0 ? address + 6 : NULL;
}

enum err listener_open(int *fd, const char *address, struct fault *why)
{
    const char *path = ipc_path(address);
    return path ? listen_ipc(fd, path, why) : listen_tcp(fd, address + strlen("tcp://"), why);
}

/* Small frames leave at once, and a peer whose machine is gone does not keep its socket for ever. */
static void prepare(int fd)
{
    int one = 1, idle = IDLE_SECONDS, between = PROBE_SECONDS, probes = PROBES_MAX;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails for ipc, which needs none of it */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

int listener_accept(int fd)
{
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer >= 0)
        prepare(peer);
    return peer;
}

void listener_close(int fd, const char *address)
{
    const char *path = ipc_path(address);
    if (fd < 0)
        return;
    close(fd);
    if (path)
        unlink(path);
}
