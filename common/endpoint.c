#include "endpoint.h"

#include "log.h"
#include "make_folder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define QUEUE_CALLS    10000 /* requests and worker messages waiting per peer; beyond it the sender is told ERR_FULL */
#define QUEUE_EVENTS   4096  /* outside events and taps waiting per peer; beyond it PUB drops at its own end */
#define INTERNAL_BYTES ((size_t)256 << 20) /* answers waiting for a gateway or worker: many of the largest */
#define OUTSIDE_BYTES  ((size_t)1 << 20)   /* and acknowledgements for a publisher: 10,000 and more */
#define INTERNAL_PEERS 4096                /* gateways, workers */
#define OUTSIDE_PEERS  1024                /* publishers: they must not take every descriptor */
#define FEED_BEATS     64                  /* beats that may wait beside a full window */
#define SLACK_BYTES    65536               /* of a frame around the JSON it carries */

enum side { BIND, CONNECT };

static const struct {
    const char *name; /* also the name of its ipc file */
    size_t setting;
    bool internal; /* between our own programs; never `off` */
    int types[2];  /* by side */
} table[] = {
    [ENDPOINT_REQUESTS] = {"requests", offsetof(struct settings, wire.requests), true, {ZMQ_ROUTER, ZMQ_DEALER}},
    [ENDPOINT_FEED] = {"feed", offsetof(struct settings, wire.feed), true, {ZMQ_XPUB, ZMQ_SUB}},
    [ENDPOINT_WORK] = {"work", offsetof(struct settings, wire.work), true, {ZMQ_ROUTER, ZMQ_DEALER}},
    [ENDPOINT_PUBLISH] = {"publish", offsetof(struct settings, wire.publish), false, {ZMQ_SUB, ZMQ_PUB}},
    [ENDPOINT_PUBLISH_ACK] = {"publish_ack",
                              offsetof(struct settings, wire.publish_ack),
                              false,
                              {ZMQ_ROUTER, ZMQ_DEALER}},
    [ENDPOINT_TAP] = {"tap", offsetof(struct settings, wire.tap), false, {ZMQ_XPUB, ZMQ_SUB}},
};

/* "127.0.0.1:5560", "[::1]:5560", "localhost:5560", "lo:5560" */
static bool is_loopback(const char *host_and_port)
{
    char host[ENDPOINT_TEXT_MAX];
    const char *colon = strrchr(host_and_port, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon - host_and_port), host_and_port);
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(host, "localhost") == 0 || strcmp(host, "lo") == 0 || strcmp(host, "[::1]") == 0;
}

enum err endpoint_check(const char *address, bool insecure, struct fault *why)
{
    if (strncmp(address, "ipc://", 6) == 0) {
        const char *path = address + 6;
        if (!path[0] || path[0] == '@')
            return fault_set(why, ERR_INVALID, "%s: needs the path of a file", address);
        if (strlen(path) > ENDPOINT_IPC_MAX)
            return fault_set(why, ERR_INVALID,
                             "%s: the path has %zu bytes, a socket's may have %d; set a shorter "
                             "wire.run_dir",
                             address, strlen(path), ENDPOINT_IPC_MAX);
        return ERR_OK;
    }
    if (strncmp(address, "tcp://", 6) != 0 || !strrchr(address + 6, ':'))
        return fault_set(why, ERR_INVALID, "%s: must be ipc://PATH or tcp://HOST:PORT", address);
    if (!insecure && !is_loopback(address + 6))
        return fault_set(why, ERR_DENIED, "%s: is beyond loopback and not encrypted; wire.insecure: true allows it",
                         address);
    return ERR_OK;
}

enum err endpoint_address(const struct settings *settings, enum endpoint which, char out[ENDPOINT_TEXT_MAX],
                          struct fault *why)
{
    const char *setting;
    memcpy(&setting, (const char *)settings + table[which].setting, sizeof setting);
    out[0] = '\0';
    if (!table[which].internal && strcmp(setting, "off") == 0)
        return ERR_OK;
    enum err err = settings_endpoint(settings, setting, table[which].name, out, ENDPOINT_TEXT_MAX);
    if (err != ERR_OK)
        return fault_set(why, ERR_INVALID, "wire.%s: the address is too long", table[which].name);
    err = endpoint_check(out, settings->wire.insecure, why);
    if (err != ERR_OK)
        fault_prefix(why, "wire.%s: ", table[which].name);
    return err;
}

static enum err check_folder(const char *folder, struct fault *why)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) != 0) {
        enum err err = fault_errno(why, "cannot open run folder %s", folder);
        if (fd >= 0)
            close(fd);
        return err;
    }
    close(fd);
    if (found.st_uid != geteuid())
        return fault_set(why, ERR_DENIED, "run folder %s belongs to user %u, not to user %u who runs this program",
                         folder, found.st_uid, geteuid());
    if (found.st_mode & 077)
        return fault_set(why, ERR_DENIED, "run folder %s has mode %04o and must be 0700: others could speak for us",
                         folder, found.st_mode & 07777);
    return ERR_OK;
}

/* Both sides check the folder: who owns it decides whom they talk to. */
static enum err prepare_ipc(const char *path, enum side side, struct fault *why)
{
    char folder[ENDPOINT_TEXT_MAX];
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    else
        snprintf(folder, sizeof folder, ".");
    enum err err = make_folder(folder, 0700, why);
    if (err == ERR_OK)
        err = check_folder(folder, why);
    struct stat found;
    /* libzmq unlinks what stands in the way of its bind: right for a dead socket, wrong for somebody's file. */
    if (err == ERR_OK && side == BIND && lstat(path, &found) == 0 && !S_ISSOCK(found.st_mode))
        err = fault_set(why, ERR_EXISTS, "%s is in the way and is not a socket", path);
    return err;
}

static int queue_length(const struct settings *settings, enum endpoint which)
{
    switch (which) {
    case ENDPOINT_FEED: return (int)settings->wire.link_window + FEED_BEATS;
    case ENDPOINT_REQUESTS:
    case ENDPOINT_WORK: return QUEUE_CALLS;
    case ENDPOINT_PUBLISH:
    case ENDPOINT_PUBLISH_ACK:
    case ENDPOINT_TAP: return QUEUE_EVENTS;
    }
    return QUEUE_CALLS;
}

const char *endpoint_name(enum endpoint which)
{
    return table[which].name;
}

bool endpoint_is_routed(enum endpoint which)
{
    return table[which].types[BIND] == ZMQ_ROUTER;
}

size_t endpoint_peer_bytes_max(enum endpoint which)
{
    return table[which].internal ? INTERNAL_BYTES : OUTSIDE_BYTES;
}

uint32_t endpoint_peers_max(enum endpoint which)
{
    return table[which].internal ? INTERNAL_PEERS : OUTSIDE_PEERS;
}

/* A batch of the feed has room for an event with its closing progress, which may be as large. */
int64_t endpoint_bytes_max(const struct settings *settings, enum endpoint which)
{
    int64_t event = (int64_t)settings->wire.event_bytes_max + SLACK_BYTES;
    int64_t call = (int64_t)settings->http.json_bytes_max * 2 + 2 * event;
    int64_t record = ((int64_t)settings->chat_workflows.dump.record_mb_max << 20) + SLACK_BYTES;
    return !table[which].internal ? event : call > record ? call : record;
}

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_options(void *socket, const struct settings *settings, enum endpoint which, enum side side)
{
    int queue = queue_length(settings, which);
    int64_t bytes_max = endpoint_bytes_max(settings, which);
    int type = table[which].types[side];
    bool ok = set_int(socket, ZMQ_SNDHWM, queue) && set_int(socket, ZMQ_RCVHWM, queue) &&
              zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) == 0 &&
              set_int(socket, ZMQ_LINGER, 0) && set_int(socket, ZMQ_RECONNECT_IVL, ENDPOINT_RETRY_MS) &&
              set_int(socket, ZMQ_RECONNECT_IVL_MAX, ENDPOINT_RETRY_MAX);
    if (type == ZMQ_DEALER)
        ok = ok && set_int(socket, ZMQ_IMMEDIATE, 1);
    if (which == ENDPOINT_PUBLISH && side == BIND)
        ok = ok && zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) == 0;
    return ok;
}

static bool attach(void *socket, const char *address, enum side side)
{
    /* Only for addresses that need it: an IPv4 listener of an IPv6 socket calls itself [::ffff:127.0.0.1]. */
    if (strchr(address, '[') && !set_int(socket, ZMQ_IPV6, 1))
        return false;
    return (side == BIND ? zmq_bind(socket, address) : zmq_connect(socket, address)) == 0;
}

static enum err prepare(const struct settings *settings, enum endpoint which, enum side side,
                        char address[ENDPOINT_TEXT_MAX], struct fault *why)
{
    enum err err = endpoint_address(settings, which, address, why);
    if (err != ERR_OK || !address[0])
        return err;
    if (strncmp(address, "ipc://", 6) == 0)
        err = prepare_ipc(address + 6, side, why);
    else if (endpoint_check(address, false, NULL) != ERR_OK)
        log_warning("endpoint beyond loopback without encryption", "endpoint", address, NULL);
    return err;
}

enum err endpoint_prepare(const struct settings *settings, enum endpoint which, char out[ENDPOINT_TEXT_MAX],
                          struct fault *why)
{
    return prepare(settings, which, BIND, out, why);
}

static enum err open_socket(void **socket, void *context, const struct settings *settings, enum endpoint which,
                            enum side side, struct fault *why)
{
    char address[ENDPOINT_TEXT_MAX];
    *socket = NULL;
    enum err err = prepare(settings, which, side, address, why);
    if (err != ERR_OK || !address[0])
        return err;
    void *made = zmq_socket(context, table[which].types[side]);
    if (made && set_options(made, settings, which, side) && attach(made, address, side)) {
        *socket = made;
        return ERR_OK;
    }
    int saved = zmq_errno();
    if (made)
        zmq_close(made);
    return fault_set(why, saved == EADDRINUSE ? ERR_EXISTS : err_from_errno(saved), "wire.%s: cannot %s %s: %s",
                     table[which].name, side == BIND ? "listen on" : "connect to", address, zmq_strerror(saved));
}

enum err endpoint_bind(void **socket, void *context, const struct settings *settings, enum endpoint which,
                       struct fault *why)
{
    return open_socket(socket, context, settings, which, BIND, why);
}

enum err endpoint_connect(void **socket, void *context, const struct settings *settings, enum endpoint which,
                          struct fault *why)
{
    return open_socket(socket, context, settings, which, CONNECT, why);
}
