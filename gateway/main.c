/* sheetwire-gateway - every socket a browser or REST client sees: REST (http/, rest/) and WebSocket (live/). It keeps
 * nothing a restart would lose; whatever lasts is asked of the broker through the uplink. */
#include "http/server.h"
#include "live/live.h"
#include "log.h"
#include "program.h"
#include "rest/disk_pool.h"
#include "rest/rest.h"
#include "uplink.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_REST_MS 1500
#define DRAIN_LIVE_MS 1500

struct gateway {
    struct program program;
    struct rest rest;
    struct archive_gate archives;
    struct server *server;
    struct live *live; /* NULL when chat_workflows.enabled is false */
};

static enum err start_rest(struct gateway *self, struct fault *why)
{
    struct server_setup setup = {.settings = self->program.settings, .routes = rest_routes, .context = &self->rest};
    return server_start(&self->server, &setup, why);
}

/* live_new() before the uplink, live_start() after it: they speak to each other (live/live.h). */
static enum err start_uplink_and_live(struct gateway *self, struct fault *why)
{
    const struct settings *settings = self->program.settings;
    enum err err = settings->chat_workflows.enabled ? live_new(&self->live, settings, why) : ERR_OK;
    if (err == ERR_OK)
        err = uplink_start(&self->rest.uplink, settings, self->live ? live_feed(self->live) : NULL, why);
    if (err == ERR_OK && self->live)
        err = live_start(self->live, self->rest.uplink, why);
    return err;
}

static enum err start(struct gateway *self, struct fault *why)
{
    const struct settings *settings = self->program.settings;
    self->rest.settings = settings;
    self->rest.archives = &self->archives;
    program_raise_descriptors();
    enum err err = files_open_folder(&self->rest.files, settings->chat_workflows.storage.workflows_path, why);
    if (err == ERR_OK)
        err = disk_pool_start(&self->rest.pool, why);
    if (err == ERR_OK)
        err = start_uplink_and_live(self, why);
    return err == ERR_OK ? start_rest(self, why) : err;
}

static void announce(const struct gateway *self)
{
    const struct settings *settings = self->program.settings;
    const char *host = settings->app.host;
    bool bare_ipv6 = strchr(host, ':') != NULL;
    char line[320];
    snprintf(line, sizeof line, bare_ipv6 ? "REST listening on http://[%s]:%u" : "REST listening on http://%s:%u", host,
             settings->app.port);
    log_info(line, NULL);
}

static void wait_for_signal(const struct gateway *self)
{
    struct pollfd signal = {.fd = self->program.signal_fd, .events = POLLIN};
    while (poll(&signal, 1, -1) < 0 && errno == EINTR)
        continue;
}

/* REST says first that it is stopping, and ends before the uplink, which its waiting requests have questions in.
 * Everything takes a gateway that started halfway. */
static void stop(struct gateway *self)
{
    atomic_store(&self->archives.stopping, true);
    server_drain(self->server);
    if (self->live)
        live_stop(self->live, DRAIN_LIVE_MS);
    server_stop(&self->server, DRAIN_REST_MS);
    disk_pool_stop(&self->rest.pool);
    uplink_stop(&self->rest.uplink);
    live_destroy(&self->live);
    files_close(&self->rest.files);
}

int main(int argc, char **argv)
{
    struct gateway gateway = {.program = {.name = "sheetwire-gateway",
                                          .log_name = "gateway",
                                          .summary = "serves REST and WebSocket clients of Sheetwire"}};
    struct fault why = {.text = ""};
    int exit_code = EXIT_SUCCESS;
    if (!program_start(&gateway.program, argc, argv, &exit_code))
        return exit_code;
    if (start(&gateway, &why) == ERR_OK) {
        announce(&gateway);
        wait_for_signal(&gateway);
        log_info("stopping", NULL);
    } else {
        log_error("cannot start", "reason", why.text, NULL);
        exit_code = EXIT_FAILURE;
    }
    stop(&gateway);
    program_end(&gateway.program);
    return exit_code;
}
