#include "http/server.h"

#include "clock.h"
#include "http/admission.h"
#include "http/held.h"
#include "http/reply.h"
#include "http/watch.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXCESS_MAX     64 /* connections beyond http.connections_max that are told 503; more wait in the backlog */
#define SWEEP_MS       100
#define LISTEN_BACKLOG 1024
#define GIVE_UP_MS     500 /* what is left of a drain for answers after everything was told to end */
#define STOP_POLL_MS   10
#define SPLICED_BLOCK  (64u << 10) /* bytes of an answer with files in it that are in memory at a time */

struct server {
    struct server_setup setup;
    struct MHD_Daemon *daemon;
    struct held held;
    struct watch watch;
    pthread_t sweeper;
    atomic_bool stopping; /* ends the sweeper */
    atomic_bool draining;
    int listener; /* after a drain: kept open until the library has stopped, as its thread may still look at it */
};

/* An answer with files in its text, while it is being sent. */
struct spliced {
    char *text;
    size_t len;
    struct splices files;
};

static void free_spliced(void *context)
{
    struct spliced *self = context;
    splices_fini(&self->files);
    free(self->text);
    free(self);
}

static ssize_t read_spliced(void *context, uint64_t from, char *out, size_t max)
{
    const struct spliced *self = context;
    ssize_t len = splices_read(&self->files, self->text, self->len, from, out, max);
    return len > 0 ? len : len == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *make_spliced(struct answer *answer)
{
    struct spliced *self = malloc(sizeof *self);
    if (!self)
        return NULL;
    self->files = answer->splices;
    answer->splices = SPLICES_INIT;
    self->text = buf_steal(&answer->body, &self->len);
    struct MHD_Response *response = MHD_create_response_from_callback(self->len + splices_bytes(&self->files),
                                                                      SPLICED_BLOCK, read_spliced, self, free_spliced);
    if (!response)
        free_spliced(self);
    return response;
}

static struct MHD_Response *make_response(struct answer *answer)
{
    if (answer->splices.count > 0)
        return make_spliced(answer);
    if (answer->fd < 0) {
        size_t len = 0;
        char *body = buf_steal(&answer->body, &len);
        struct MHD_Response *response =
            MHD_create_response_from_buffer(len, body, body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
        if (!response)
            free(body);
        return response;
    }
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(answer->length, answer->fd, answer->offset);
    if (response)
        answer->fd = -1; /* the library closes it */
    return response;
}

static void add_fields(struct request *request, struct MHD_Response *response)
{
    for (size_t i = 0; i < request->answer.field_count; i++)
        (void)MHD_add_response_header(response, request->answer.field[i].name, request->answer.field[i].value);
    (void)MHD_add_response_header(response, "X-Request-Id", request->id);
    (void)MHD_add_response_header(response, "Vary", "Origin");
    const char *origin = request_field(request, "Origin");
    if (origin) {
        (void)MHD_add_response_header(response, "Access-Control-Allow-Origin", origin);
        (void)MHD_add_response_header(response, "Access-Control-Expose-Headers",
                                      "Content-Disposition, Location, Retry-After, X-Request-Id");
    }
}

static void log_answer(const struct request *request)
{
    int status = request->answer.status;
    const char *method = http_method_name(request->method);
    int64_t took = clock_monotonic_ms() - request->started_ms;
    log_write(status == 500 || status == 507 ? LOG_WARNING : LOG_DEBUG, "request answered", "method", method, "uri",
              request->uri, "status", LOG_NUMBER(status), "ms", LOG_NUMBER(took), "trace", request->id, NULL);
}

static enum MHD_Result send_answer(struct server *self, struct request *request)
{
    bool early = request->phase == REQUEST_HEAD; /* the library closes after an answer that precedes the body */
    bool close = early || request->answer.close || atomic_load(&self->draining);
    struct MHD_Response *response = make_response(&request->answer);
    if (!response)
        return MHD_NO;
    add_fields(request, response);
    if (close)
        (void)MHD_add_response_header(response, "Connection", "close");
    if (close && (early || request->answer.close))
        watch_linger(&self->watch, request->watched);
    enum MHD_Result result = MHD_queue_response(request->connection, (unsigned)request->answer.status, response);
    MHD_destroy_response(response);
    log_answer(request);
    return result;
}

static enum MHD_Result add_field(void *context, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                 const char *value, size_t value_len)
{
    (void)kind;
    struct field field = {name, name_len, value ? value : "", value ? value_len : 0};
    return fields_add(context, &field) == ERR_OK ? MHD_YES : MHD_NO;
}

static void decide(struct server *self, struct request *request, struct MHD_Connection *connection, const char *method,
                   const char *version)
{
    const union MHD_ConnectionInfo *head = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const union MHD_ConnectionInfo *socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    request->seen = true;
    request->connection = connection;
    request->watched = socket ? socket->socket_context : NULL;
    request->fd = fd ? fd->connect_fd : -1;
    request->held = &self->held;
    request->settings = self->setup.settings;
    request->context = self->setup.context;
    request->draining = atomic_load(&self->draining);
    watch_enter(&self->watch, request->watched, WATCH_BUSY, clock_monotonic_ms());
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, add_field, &request->fields);
    struct admission admission = {
        .routes = self->setup.routes,
        .method = method,
        .version = version,
        .head_bytes = head ? head->header_size : 0,
        .excess = request->watched && request->watched->excess,
    };
    admission_decide(request, &admission);
}

static void add_body(struct server *self, struct request *request, const char *bytes, size_t len)
{
    request->body_bytes += len;
    watch_bytes(&self->watch, request->watched, len);
    if (request->answer.ready)
        return; /* refused in its middle: the rest is read and dropped */
    if (request->body_bytes > request->body_max) {
        reply_error(request, 413, "The body has more than %llu bytes (%s)", (unsigned long long)request->body_max,
                    request->body_max_key);
        return;
    }
    const struct route *route = request->match.route;
    switch (route->body) {
    case ROUTE_BODY_DROPPED: break;
    case ROUTE_BODY_STREAM:
    case ROUTE_BODY_DUMP: route->bytes(request, bytes, len); break;
    case ROUTE_BODY_JSON:
        if (buf_add(&request->body, bytes, len) != ERR_OK)
            reply_error(request, 413, "The body has more than %zu bytes", request->body.limit);
        break;
    }
}

/* Runs steps until the request has answered, is suspended, or asks for its body. true: go on in the current phase. */
static bool run_waits(struct server *self, struct request *request)
{
    while (request->then && !request->answer.ready) {
        if (held_enter(&self->held, request))
            return false;
        request_step *then = request->then;
        held_leave(&self->held, request);
        request->then = NULL;
        then(request);
    }
    return true;
}

/* After a resume: the step that waited. false: the client is gone. */
static bool resume_step(struct server *self, struct request *request)
{
    request_step *then = request->then;
    request->then = NULL;
    held_leave(&self->held, request);
    if (request->wake == WAKE_GONE)
        return false;
    then(request);
    return true;
}

/* The header is decided on, at once or after a wait. An answer that is ready now goes out before the body if there is
 * one; otherwise it waits for the library's next call, after which the connection can be kept. */
static enum MHD_Result leave_head(struct server *self, struct request *request)
{
    bool at_once = request->framing.has_body || request->answer.close;
    if (request->answer.ready && at_once)
        return send_answer(self, request);
    request->phase = REQUEST_BODY;
    if (request->framing.has_body)
        watch_enter(&self->watch, request->watched, WATCH_BODY, clock_monotonic_ms());
    return MHD_YES;
}

static enum MHD_Result read_body(struct server *self, struct request *request, const char *bytes, size_t *len)
{
    add_body(self, request, bytes, *len);
    *len = 0;
    /* Whoever still sends after twice the limit does not read answers. */
    return request->body_bytes > 2 * request->body_max + (1u << 20) ? MHD_NO : MHD_YES;
}

static enum MHD_Result finish(struct server *self, struct request *request)
{
    if (!run_waits(self, request))
        return MHD_YES;
    if (!request->answer.ready) {
        log_error("a handler neither answered nor waits", "uri", request->uri, "trace", request->id, NULL);
        reply_error(request, 500, "Internal error");
    }
    return send_answer(self, request);
}

/* The library calls this for the header, for each piece of the body, at its end, and again after every resume; only the
 * request's phase tells which it is. */
static enum MHD_Result on_call(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                               const char *version, const char *bytes, size_t *len, void **request_p)
{
    struct server *self = context;
    struct request *request = *request_p;
    (void)url;
    if (!request)
        return MHD_NO; /* there was no memory for it */
    bool resumed = request->then != NULL;
    if (!request->seen)
        decide(self, request, connection, method, version);
    else if (resumed && !resume_step(self, request))
        return MHD_NO;
    switch (request->phase) {
    case REQUEST_HEAD: return run_waits(self, request) ? leave_head(self, request) : MHD_YES;
    case REQUEST_BODY:
        if (*len > 0)
            return read_body(self, request, bytes, len);
        request->phase = REQUEST_DONE;
        watch_enter(&self->watch, request->watched, WATCH_BUSY, clock_monotonic_ms());
        if (!request->answer.ready)
            request->match.route->handle(request);
        return finish(self, request);
    case REQUEST_DONE: return finish(self, request);
    }
    return MHD_NO;
}

static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    (void)context, (void)connection;
    return request_new(uri);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_p,
                         enum MHD_RequestTerminationCode how)
{
    struct server *self = context;
    struct request *request = *request_p;
    (void)connection, (void)how;
    *request_p = NULL;
    if (request)
        watch_enter(&self->watch, request->watched, WATCH_HEAD, clock_monotonic_ms());
    request_destroy(&request);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *self = context;
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = fd ? watch_open(&self->watch, fd->connect_fd, clock_monotonic_ms()) : NULL;
    } else {
        watch_close(&self->watch, *socket_context, clock_monotonic_ms());
        *socket_context = NULL;
    }
}

/* The path is decoded by http/target from what on_uri() got; the library's own copy stays as it came. */
static size_t keep_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static void on_library_log(void *context, const char *format, va_list args) PRINTF_LIKE(2, 0);
static void on_library_log(void *context, const char *format, va_list args)
{
    char text[512];
    (void)context;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("HTTP library", "text", text, NULL);
}

static void suspend(struct request *request)
{
    MHD_suspend_connection(request->connection);
}

static void resume(struct request *request)
{
    MHD_resume_connection(request->connection);
}

static void *sweep(void *arg)
{
    struct server *self = arg;
    int64_t last = 0;
    while (!atomic_load(&self->stopping)) {
        int64_t now = clock_monotonic_ms();
        if (now - last >= SWEEP_MS) { /* lingering connections may end a round early */
            held_sweep(&self->held, now);
            last = now;
        }
        watch_sweep(&self->watch, now, SWEEP_MS);
    }
    return NULL;
}

static enum err resolve(const struct settings *settings, struct addrinfo **out, struct fault *why)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    char port[8];
    snprintf(port, sizeof port, "%u", settings->app.port);
    int code = getaddrinfo(settings->app.host, port, &hints, out);
    if (code != 0)
        return fault_set(why, ERR_INVALID, "app.host: %s: %s", settings->app.host, gai_strerror(code));
    return ERR_OK;
}

static enum err start_daemon(struct server *self, const struct addrinfo *address)
{
    const struct settings *settings = self->setup.settings;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (address->ai_family == AF_INET6)
        flags |= MHD_USE_DUAL_STACK; /* `::` takes IPv4 too */
    /* A connection's memory holds its header and the pieces of its body: twice the header keeps room for both. */
    size_t memory = (size_t)settings->http.header_bytes_max * 2;
    if (memory < 32768)
        memory = 32768;
    errno = 0;
    self->daemon =
        MHD_start_daemon(flags, settings->app.port, NULL, NULL, on_call, self, MHD_OPTION_EXTERNAL_LOGGER,
                         on_library_log, NULL, MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_LISTEN_BACKLOG_SIZE,
                         (unsigned)LISTEN_BACKLOG, MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned)settings->http.idle_timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)(settings->http.connections_max + EXCESS_MAX),
                         MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL,
                         MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                         self, MHD_OPTION_NOTIFY_CONNECTION, on_connection, self, MHD_OPTION_END);
    return self->daemon ? ERR_OK : ERR_UNAVAILABLE;
}

static enum err listen_and_serve(struct server *self, struct fault *why)
{
    const struct settings *settings = self->setup.settings;
    struct addrinfo *address = NULL;
    enum err err = resolve(settings, &address, why);
    if (err != ERR_OK)
        return err;
    err = start_daemon(self, address);
    freeaddrinfo(address);
    if (err != ERR_OK)
        return fault_set(why, err, "cannot listen on %s:%u (app.host, app.port): %s", settings->app.host,
                         settings->app.port, errno ? strerror(errno) : "the address is in use or not ours");
    return ERR_OK;
}

enum err server_start(struct server **out, const struct server_setup *setup, struct fault *why)
{
    struct server *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "No memory for the REST server");
    self->setup = *setup;
    self->listener = -1;
    held_init(&self->held, suspend, resume);
    watch_init(&self->watch, setup->settings->http.connections_max,
               (int64_t)setup->settings->http.idle_timeout_seconds * 1000);
    enum err err = listen_and_serve(self, why);
    if (err == ERR_OK && pthread_create(&self->sweeper, NULL, sweep, self) != 0) {
        MHD_stop_daemon(self->daemon);
        err = fault_set(why, ERR_MEMORY, "cannot start the sweeper thread");
    }
    if (err != ERR_OK) {
        held_fini(&self->held);
        watch_fini(&self->watch);
        free(self);
        return err;
    }
    *out = self;
    return ERR_OK;
}

void server_drain(struct server *self)
{
    if (!self || atomic_exchange(&self->draining, true))
        return;
    self->listener = MHD_quiesce_daemon(self->daemon);
    held_drain(&self->held);
}

/* Waits until no connection is left; the library offers nothing to wait on. */
static bool wait_idle(struct server *self, int64_t until_ms)
{
    for (;;) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        if (!info || info->num_connections == 0)
            return true;
        if (clock_monotonic_ms() >= until_ms)
            return false;
        usleep(STOP_POLL_MS * 1000);
    }
}

void server_stop(struct server **self_p, int deadline_ms)
{
    struct server *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    int64_t until = clock_monotonic_ms() + deadline_ms;
    server_drain(self);
    watch_shut_idle(&self->watch);
    if (!wait_idle(self, until)) {
        held_give_up(&self->held);
        if (!wait_idle(self, clock_monotonic_ms() + GIVE_UP_MS))
            watch_shut_all(&self->watch);
    }
    /* The library must not be stopped while a connection is suspended. What still waits cannot be ended by us, only by
     * the thread that works for it (a sync to disk), and that does end. */
    while (!held_empty(&self->held))
        usleep(STOP_POLL_MS * 1000);
    atomic_store(&self->stopping, true);
    pthread_join(self->sweeper, NULL);
    MHD_stop_daemon(self->daemon);
    if (self->listener >= 0)
        close(self->listener);
    held_fini(&self->held);
    watch_fini(&self->watch);
    free(self);
}
