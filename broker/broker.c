#include "broker.h"

#include "clock.h"
#include "intake.h"
#include "janitor.h"
#include "log.h"
#include "make_folder.h"
#include "query.h"
#include "turn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define TICK_MS          50
#define LINK_BATCH_BYTES (60u << 10)
#define REMEMBERED_MAX   4096 /* request and event ids of earlier turns; further ones are looked up in the record */
#define REPLIES_MAX                                                                                                    \
    (QUERIES_MAX + JANITOR_KEYS_MAX + 2 * JANITOR_TRIMS_MAX + 16) /* one for everything that can be under way */
#define LINGER_MS 200                                             /* for frames on their way when we stop */

static bool warnings_only(const struct settings *settings)
{
    enum log_level level;
    return log_level_parse(settings->logging.level, &level) && level > LOG_INFO;
}

static struct core_settings core_settings_of(const struct settings *settings)
{
    return (struct core_settings){
        .beat_ms = settings->wire.beat_ms,
        .lease_ms = settings->broker.lease_ms,
        .run_timeout_ms = (int64_t)settings->chat_workflows.execution.run_timeout_seconds * 1000,
        .attempts_max = settings->broker.attempts_max,
        .queue_jobs_max = settings->broker.queue_jobs_max,
        .chat_events_kept = settings->broker.chat_events_kept,
        .rooms_max = settings->broker.rooms_max,
        .link_window = settings->wire.link_window,
        .link_batch_bytes = LINK_BATCH_BYTES,
        .event_bytes_max = settings->wire.event_bytes_max,
        .max_steps = settings->chat_workflows.execution.max_steps,
        .remembered_max = REMEMBERED_MAX,
        .warnings_only = warnings_only(settings),
        .save_intermediate_files = settings->chat_workflows.execution.save_intermediate_files,
        .workflows_path = settings->chat_workflows.storage.workflows_path,
        .api_prefix = settings->api.prefix,
    };
}

static enum err open_record(struct broker *self, struct fault *why)
{
    const char *path = self->settings->chat_workflows.storage.sqlite_path;
    enum err err = make_folder_of(path, 0700, why);
    if (err == ERR_OK)
        err = store_open(&self->store, path, &self->term, why);
    if (err == ERR_OK)
        err = turn_load(self, why);
    return err;
}

static enum err open_memory(struct broker *self, struct fault *why)
{
    self->callers = calloc(self->settings->broker.batch_inputs_max + 1, sizeof *self->callers);
    self->context = zmq_ctx_new();
    if (!self->callers || !self->context || changes_new(&self->changes) != ERR_OK ||
        mailbox_new(&self->replies, REPLIES_MAX) != ERR_OK)
        return fault_set(why, ERR_MEMORY, "broker: out of memory");
    return ERR_OK;
}

static enum err open_router(struct broker *self, enum endpoint which, struct fault *why)
{
    char address[ENDPOINT_TEXT_MAX];
    struct port *port = &self->ports[which];
    enum err err = endpoint_prepare(self->settings, which, address, why);
    if (err != ERR_OK || !address[0])
        return err;
    const struct router_settings settings = {.name = endpoint_name(which),
                                             .address = address,
                                             .peers_max = endpoint_peers_max(which),
                                             .limits = {.body_max = (size_t)endpoint_bytes_max(self->settings, which),
                                                        .out_max = endpoint_peer_bytes_max(which)}};
    err = router_open(&port->router, &settings, why);
    if (err != ERR_OK) {
        fault_prefix(why, "wire.%s: cannot listen on %s: ", endpoint_name(which), address);
        return err;
    }
    port->fd = router_fd(port->router);
    return ERR_OK;
}

static enum err open_socket(struct broker *self, enum endpoint which, struct fault *why)
{
    struct port *port = &self->ports[which];
    size_t len = sizeof port->fd;
    enum err err = endpoint_bind(&port->socket, self->context, self->settings, which, why);
    if (err == ERR_OK && port->socket && zmq_getsockopt(port->socket, ZMQ_FD, &port->fd, &len) != 0)
        return fault_errno(why, "the descriptor of a socket");
    return err;
}

static enum err open_port(struct broker *self, enum endpoint which, struct fault *why)
{
    struct port *port = &self->ports[which];
    port->fd = -1;
    enum err err = endpoint_is_routed(which) ? open_router(self, which, why) : open_socket(self, which, why);
    port->stirred = port->fd >= 0;
    return err;
}

static enum err open_ports(struct broker *self, struct fault *why)
{
    enum err err = ERR_OK;
    for (int i = 0; i < ENDPOINTS && err == ERR_OK; i++)
        err = open_port(self, (enum endpoint)i, why);
    return err;
}

enum err broker_open(struct broker *self, const struct settings *settings, struct fault *why)
{
    *self = (struct broker){.settings = settings, .core_settings = core_settings_of(settings)};
    enum err err = open_memory(self, why);
    if (err == ERR_OK)
        err = open_record(self, why);
    if (err == ERR_OK)
        err = query_start(self, why);
    if (err == ERR_OK)
        err = janitor_start(self, why);
    if (err == ERR_OK)
        err = open_ports(self, why);
    if (err == ERR_OK)
        log_info("broker ready", "term", LOG_NUMBER((long long)self->term), NULL);
    return err;
}

static void close_socket(void **socket)
{
    if (!*socket)
        return;
    int linger = LINGER_MS;
    zmq_setsockopt(*socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(*socket);
    *socket = NULL;
}

void broker_close(struct broker *self)
{
    int64_t until = clock_monotonic_ms() + LINGER_MS;
    for (int i = 0; i < ENDPOINTS; i++) {
        int64_t left = until - clock_monotonic_ms();
        router_close(&self->ports[i].router, left > 0 ? (int)left : 0);
        close_socket(&self->ports[i].socket);
    }
    query_stop(self);
    janitor_stop(self);
    core_destroy(&self->core);
    store_close(&self->store);
    effects_fini(&self->effects);
    changes_destroy(&self->changes);
    mailbox_destroy(&self->replies);
    if (self->context)
        zmq_ctx_term(self->context);
    free(self->callers);
}

/* ---- the loop ---- */

static void take_replies(struct broker *self)
{
    struct mail mail;
    while (turn_open(self) && mailbox_take(self->replies, &mail)) {
        switch ((enum reply_kind)mail.kind) {
        case REPLY_ANSWER:
        case REPLY_RANGE: query_take(self, &mail); break;
        case REPLY_REMOVED:
        case REPLY_SWEPT:
        case REPLY_TRIM:
        case REPLY_ROOM:
        case REPLY_ANSWERS:
        case REPLY_LOOKED:
        case REPLY_PASSED: janitor_take(self, &mail); break;
        }
        mail_fini(&mail);
    }
}

static void take_round(struct broker *self)
{
    uint32_t share = self->settings->broker.batch_inputs_max / ENDPOINTS + 1;
    intake_feed(self, share);
    intake_work(self, share);
    intake_requests(self, share);
    intake_publish_ack(self, share);
    intake_publish(self, share);
    intake_tap(self, share);
    take_replies(self);
}

/* Everything that waits, up to what one turn may hold. Every source gets its share of a round, so that a flood on one
 * does not starve the others; links come before what is asked on them. */
static void take_all(struct broker *self)
{
    uint32_t before;
    do {
        before = self->inputs;
        take_round(self);
    } while (turn_open(self) && self->inputs > before);
}

static void tick(struct broker *self)
{
    if (self->now.mono_ms < self->tick_ms)
        return;
    self->tick_ms = self->now.mono_ms + TICK_MS;
    struct input input = {.kind = INPUT_TICK};
    turn_input(self, &input);
    for (int i = 0; i < ENDPOINTS; i++)
        if (self->ports[i].router)
            router_tick(self->ports[i].router, self->now.mono_ms);
}

/* What waits for peers leaves in one call for each of them; jobs first, as nothing of them has begun yet. */
static void flush(struct broker *self)
{
    static const enum endpoint order[] = {ENDPOINT_WORK, ENDPOINT_REQUESTS, ENDPOINT_PUBLISH_ACK};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (self->ports[order[i]].router)
            router_flush(self->ports[order[i]].router);
}

/* A turn without an input has nothing to commit. */
static enum err turn(struct broker *self, struct fault *why)
{
    turn_begin(self);
    tick(self);
    take_all(self);
    flush(self); /* answers of the reader, which wait for no commit */
    if (self->inputs == 0)
        return ERR_OK;
    enum err err = turn_end(self, why);
    if (err != ERR_OK)
        return err;
    flush(self);
    janitor_poll(self);
    return ERR_OK;
}

/* What the loop sleeps on: the signals, the actors' letters, the ports. */
enum { WAIT_SIGNALS, WAIT_REPLIES, WAIT_PORTS, WAITS = WAIT_PORTS + ENDPOINTS };

static void waits_of(const struct broker *self, int signal_fd, struct pollfd waits[WAITS])
{
    waits[WAIT_SIGNALS] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
    waits[WAIT_REPLIES] = (struct pollfd){.fd = mailbox_fd(self->replies), .events = POLLIN};
    for (int i = 0; i < ENDPOINTS; i++)
        waits[WAIT_PORTS + i] = (struct pollfd){.fd = self->ports[i].fd, .events = POLLIN};
}

static int wait_ms(const struct broker *self)
{
    for (int i = 0; i < ENDPOINTS; i++)
        if (self->ports[i].stirred)
            return 0;
    int64_t left = self->tick_ms - clock_monotonic_ms();
    return left < 0 ? 0 : left > TICK_MS ? TICK_MS : (int)left;
}

static enum err wait_for_news(struct broker *self, struct pollfd waits[WAITS], struct fault *why)
{
    int ready = poll(waits, WAITS, wait_ms(self));
    if (ready < 0 && errno != EINTR)
        return fault_errno(why, "waiting for frames");
    for (int i = 0; i < WAITS && ready < 0; i++)
        waits[i].revents = 0; /* a signal: nothing was looked at */
    for (int i = 0; i < ENDPOINTS; i++)
        self->ports[i].stirred |= waits[WAIT_PORTS + i].revents != 0;
    return ERR_OK;
}

enum err broker_run(struct broker *self, int signal_fd, struct fault *why)
{
    struct pollfd waits[WAITS];
    waits_of(self, signal_fd, waits);
    enum err err = wait_for_news(self, waits, why);
    while (err == ERR_OK && !(waits[WAIT_SIGNALS].revents & POLLIN)) {
        err = turn(self, why);
        if (err == ERR_OK)
            err = wait_for_news(self, waits, why);
    }
    return err;
}
