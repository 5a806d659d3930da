/* health - is the gateway alive, and is everything there that a request needs. */
#include "http/reply.h"
#include "json_text.h"
#include "rest/ask.h"

#include <jansson.h>
#include <stdio.h>

#define READY_DEADLINE_MS 1500

static void health(struct request *request)
{
    struct buf data = BUF_INIT(4096);
    enum err err = buf_add_text(&data, "{");
    if (err == ERR_OK)
        err = json_text_member(&data, "service", request->settings->app.name);
    if (err == ERR_OK)
        err = json_text_member(&data, "status", "healthy");
    if (err == ERR_OK)
        err = json_text_member(&data, "version", request->settings->app.version);
    if (err == ERR_OK)
        err = buf_add_text(&data, "}");
    if (err == ERR_OK)
        reply_data(request, 200, data.data, data.len, "Service is healthy");
    else
        reply_unavailable(request, "No memory for the answer");
    buf_fini(&data);
}

/* `workers`: how many are registered, for whoever scales them. */
static void is_ready(struct request *request, json_int_t workers)
{
    char data[64];
    int len = snprintf(data, sizeof data, "{\"ready\":true,\"workers\":%lld}", (long long)workers);
    reply_data(request, 200, data, (size_t)len, "Service is ready");
}

/* missing: what the service waits for, for programs; text: the same for people. */
static void not_ready(struct request *request, const char *missing, const char *text)
{
    struct buf data = BUF_INIT(256);
    if (buf_printf(&data, "{\"ready\":false,\"missing\":[\"%s\"]}", missing) == ERR_OK)
        reply_error_data(request, 503, data.data, data.len, text);
    else
        reply_error(request, 503, "%s", text);
    reply_field(request, "Retry-After", "%d", REPLY_RETRY_AFTER_SECONDS);
    buf_fini(&data);
}

static void broker_said(struct request *request, const struct ask_answer *answer)
{
    if (answer->status != 200) {
        not_ready(request, "broker", "Service is not ready: the broker does not answer");
        return;
    }
    json_t *body = json_loadb(answer->body, answer->len, 0, NULL);
    bool ready = json_is_true(json_object_get(body, "ready"));
    json_int_t workers = json_integer_value(json_object_get(body, "workers"));
    json_decref(body);
    if (workers <= 0)
        not_ready(request, "worker", "Service is not ready: no worker is registered");
    else if (!ready)
        not_ready(request, "broker", "Service is not ready: the broker is still starting or stopping");
    else
        is_ready(request, workers);
}

static void ready(struct request *request)
{
    const struct rest *rest = rest_of(request);
    struct ask question = {
        .call = CALL_READY, .json = "{}", .len = 2, .deadline_ms = READY_DEADLINE_MS, .then = broker_said};
    if (request->draining)
        not_ready(request, "gateway", "Service is not ready: the gateway is stopping");
    else if (!uplink_ready(rest->uplink))
        not_ready(request, "broker", "Service is not ready: the broker is not reachable");
    else
        ask(request, &question);
}

const struct route health_routes[] = {
    {HTTP_GET, "/health", false, ROUTE_BODY_DROPPED, NULL, NULL, health},
    {HTTP_GET, "/health/ready", false, ROUTE_BODY_DROPPED, NULL, NULL, ready},
    {.pattern = NULL},
};
