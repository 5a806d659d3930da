#include "http/admission.h"

#include "http/reply.h"
#include "settings.h"

#include <stdio.h>
#include <string.h>

#define MIB               ((uint64_t)1 << 20)
#define FORM_AROUND_MAX   (64 * 1024) /* what a form may hold beside its file: boundaries, part headers, small fields */
#define PREFLIGHT_MAX_AGE 600

static void set_body_max(struct request *request)
{
    const struct settings *settings = request->settings;
    switch (request->match.route->body) {
    case ROUTE_BODY_STREAM:
        request->body_max = settings->file.max_file_size_mb * MIB + FORM_AROUND_MAX;
        request->body_max_key = "file.max_file_size_mb";
        break;
    case ROUTE_BODY_DUMP:
        request->body_max = settings->chat_workflows.dump.upload_mb_max * MIB + FORM_AROUND_MAX;
        request->body_max_key = "chat_workflows.dump.upload_mb_max";
        break;
    case ROUTE_BODY_DROPPED:
    case ROUTE_BODY_JSON:
        request->body_max = settings->http.json_bytes_max;
        request->body_max_key = "http.json_bytes_max";
        break;
    }
}

static void answer_excess(struct request *request)
{
    char text[80];
    snprintf(text, sizeof text, "Too many connections: at most %u (http.connections_max)",
             request->settings->http.connections_max);
    reply_unavailable(request, text);
}

static bool refused(struct request *request, const struct admission *admission)
{
    struct guard_request guard = {
        .method = admission->method,
        .uri = request->uri,
        .version = admission->version,
        .fields = &request->fields,
        .head_bytes = admission->head_bytes,
        .head_bytes_max = request->settings->http.header_bytes_max,
    };
    const char *reason = NULL;
    int status = guard_check(&guard, &request->framing, &reason);
    if (status == 0 && !admission->excess)
        return false;
    if (status)
        reply_error(request, status, "%s", reason);
    else
        answer_excess(request);
    request->answer.close = true;
    return true;
}

static void answer_preflight(struct request *request)
{
    const char *wanted = request_field(request, "Access-Control-Request-Headers");
    reply_empty(request, 200);
    reply_field(request, "Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    reply_field(request, "Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    reply_field(request, "Access-Control-Max-Age", "%d", PREFLIGHT_MAX_AGE);
    if (wanted)
        reply_field(request, "Access-Control-Allow-Headers", "%s", wanted);
}

static void answer_wrong_method(struct request *request, const char *method)
{
    struct buf allow = BUF_INIT(256);
    bool known = route_allow(request->match.methods, &allow) == ERR_OK && buf_text(&allow);
    reply_error(request, 405, "Method %.32s is not allowed here; allowed: %s", method, known ? buf_text(&allow) : "");
    if (known)
        reply_field(request, "Allow", "%s", buf_text(&allow));
    buf_fini(&allow);
}

static bool find_route(struct request *request, const struct admission *admission)
{
    struct fault why = {.text = ""};
    if (target_parse(&request->target, request->uri, &why) != ERR_OK) {
        reply_fault(request, &why);
        return false;
    }
    route_find(admission->routes, request->settings->api.prefix, &request->target, request->method, &request->match);
    if (!request->match.methods)
        reply_no_route(request);
    else if (!request->match.route)
        answer_wrong_method(request, admission->method);
    else if (request->match.route->needs_chats && !request->settings->chat_workflows.enabled)
        reply_unavailable(request, "Chat workflows are switched off (chat_workflows.enabled is false)");
    return !request->answer.ready;
}

static bool body_acceptable(struct request *request)
{
    set_body_max(request);
    request->body = BUF_INIT((size_t)request->settings->http.json_bytes_max);
    const char *type = request_field(request, "Content-Type");
    bool json = request->match.route->body == ROUTE_BODY_JSON;
    if (request->framing.content_length > request->body_max)
        reply_error(request, 413, "The body has %llu bytes; at most %llu are accepted (%s)",
                    (unsigned long long)request->framing.content_length, (unsigned long long)request->body_max,
                    request->body_max_key);
    else if (json && request->framing.has_body && (!type || !field_media_type_is(type, "application/json")))
        reply_error(request, 415, "The Content-Type must be application/json");
    return !request->answer.ready;
}

void admission_decide(struct request *request, const struct admission *admission)
{
    request->method = http_method_parse(admission->method);
    if (refused(request, admission))
        return;
    if (request->method == HTTP_OPTIONS) {
        answer_preflight(request);
        return;
    }
    if (find_route(request, admission) && body_acceptable(request) && request->match.route->begin)
        request->match.route->begin(request);
}
