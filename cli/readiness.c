#include "readiness.h"

#include "endpoint.h"
#include "http_client.h"
#include "server_address.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
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

static bool connects(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool done = connect(fd, address, len) == 0;
    if (!done && errno == EINPROGRESS) {
        struct pollfd waiting = {.fd = fd, .events = POLLOUT};
        int error = 0;
        socklen_t size = sizeof error;
        done = poll(&waiting, 1, CONNECT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
               error == 0;
    }
    close(fd);
    return done;
}

static bool port_listens(const char *listen_host, unsigned number)
{
    char host[SERVER_ADDRESS_MAX], port[8];
    server_address_host(listen_host, host);
    char *bare = host[0] == '[' ? host + 1 : host;
    bare[strcspn(bare, "]")] = '\0';
    snprintf(port, sizeof port, "%u", number);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (getaddrinfo(bare, port, &hints, &found) != 0)
        return false;
    bool listens = false;
    for (const struct addrinfo *at = found; at && !listens; at = at->ai_next)
        listens = connects(at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return listens;
}

static bool websocket_listens(const struct settings *settings)
{
    return port_listens(settings->chat_workflows.websocket.host, settings->chat_workflows.websocket.port);
}

/* Writes the path of the broker's socket; an address that is no path of this machine counts as nobody's. */
static bool broker_listens(const struct settings *settings, char path[ENDPOINT_TEXT_MAX])
{
    static const char scheme[] = "ipc://";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct fault why;
    if (endpoint_address(settings, ENDPOINT_REQUESTS, path, &why) != ERR_OK ||
        strncmp(path, scheme, sizeof scheme - 1) != 0 || strlen(path) - (sizeof scheme - 1) >= sizeof address.sun_path)
        return false;
    memmove(path, path + sizeof scheme - 1, strlen(path) - (sizeof scheme - 1) + 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connects((const struct sockaddr *)&address, sizeof address);
}

bool readiness_taken(const struct settings *settings, struct fault *why)
{
    char path[ENDPOINT_TEXT_MAX];
    const char *host = settings->app.host, *ws_host = settings->chat_workflows.websocket.host;
    unsigned port = settings->app.port, ws_port = settings->chat_workflows.websocket.port;
    if (port_listens(host, port))
        fault_set(why, ERR_UNAVAILABLE, "another program listens on %s:%u (app.host, app.port)", host, port);
    else if (settings->chat_workflows.enabled && websocket_listens(settings))
        fault_set(why, ERR_UNAVAILABLE,
                  "another program listens on %s:%u (chat_workflows.websocket.host, chat_workflows.websocket.port)",
                  ws_host, ws_port);
    else if (broker_listens(settings, path))
        fault_set(why, ERR_UNAVAILABLE, "another broker listens on %s (wire.run_dir)", path);
    else
        return false;
    return true;
}

bool readiness_look(struct readiness *self)
{
    struct http_reply reply;
    enum err err = http_client_get(self->http, "/health/ready", &reply, NULL);
    http_reply_fini(&reply);
    return err == ERR_OK && (!self->settings->chat_workflows.enabled || websocket_listens(self->settings));
}
