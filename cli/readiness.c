#include "readiness.h"

#include "http_client.h"
#include "server_address.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REST_MS    400
#define CONNECT_MS 150

struct readiness {
    const struct settings *settings;
    struct http_client *http;
};

enum err readiness_new(struct readiness **out, const struct settings *settings, struct fault *why)
{
    char base[2 * SERVER_ADDRESS_MAX], rest[SERVER_ADDRESS_MAX];
    struct readiness *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory");
    self->settings = settings;
    server_address_rest(settings, rest);
    snprintf(base, sizeof base, "%s%.400s", rest, settings->api.prefix);
    enum err err = http_client_new(&self->http, base, why);
    if (err != ERR_OK) {
        readiness_destroy(out);
        return err;
    }
    http_client_limit(self->http, REST_MS);
    return ERR_OK;
}

void readiness_destroy(struct readiness **self_p)
{
    if (*self_p)
        http_client_destroy(&(*self_p)->http);
    free(*self_p);
    *self_p = NULL;
}

static bool connects(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool done = connect(fd, address->ai_addr, address->ai_addrlen) == 0;
    if (!done && errno == EINPROGRESS) {
        struct pollfd waiting = {.fd = fd, .events = POLLOUT};
        int error = 0;
        socklen_t len = sizeof error;
        done =
            poll(&waiting, 1, CONNECT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
    }
    close(fd);
    return done;
}

static bool websocket_listens(const struct settings *settings)
{
    char host[SERVER_ADDRESS_MAX], port[8];
    server_address_host(settings->chat_workflows.websocket.host, host);
    char *bare = host[0] == '[' ? host + 1 : host;
    bare[strcspn(bare, "]")] = '\0';
    snprintf(port, sizeof port, "%u", settings->chat_workflows.websocket.port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (getaddrinfo(bare, port, &hints, &found) != 0)
        return false;
    bool listens = false;
    for (const struct addrinfo *at = found; at && !listens; at = at->ai_next)
        listens = connects(at);
    freeaddrinfo(found);
    return listens;
}

bool readiness_look(struct readiness *self)
{
    struct http_reply reply;
    enum err err = http_client_get(self->http, "/health/ready", &reply, NULL);
    http_reply_fini(&reply);
    return err == ERR_OK && (!self->settings->chat_workflows.enabled || websocket_listens(self->settings));
}
