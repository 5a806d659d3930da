/* runs - start a workflow and wait for its result, or be told where to look for it; list, show, cancel, retry. */
#include "http/file_name.h"
#include "http/reply.h"
#include "json_scan.h"
#include "json_text.h"
#include "rest/ask.h"
#include "rest/idempotency.h"
#include "rest/results.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_LIMIT     100
#define JOBS_LIMIT_MAX 1000

static void reply_results(struct request *request, const struct ask_answer *answer)
{
    struct buf data = BUF_INIT(ASK_ANSWER_MAX);
    struct splices files = SPLICES_INIT;
    struct fault why;
    json_t *body = json_loadb(answer->body, answer->len, 0, NULL);
    if (!json_is_object(body))
        reply_error(request, 500, "The broker's answer is not understood");
    else if (results_write(request, body, &data, &files, &why) == ERR_OK)
        reply_data_spliced(request, 200, data.data, data.len, "Workflow executed successfully", &files);
    else
        reply_fault(request, &why);
    json_decref(body);
    splices_fini(&files);
    buf_fini(&data);
}

static enum err write_submitted(struct buf *data, const char *job)
{
    enum err err = buf_add_text(data, "{");
    if (err == ERR_OK)
        err = json_text_member(data, "job_id", job);
    if (err == ERR_OK)
        err = json_text_member(data, "status", "submitted");
    return err == ERR_OK ? buf_add_text(data, "}") : err;
}

static enum err write_location(const struct request *request, struct buf *location, const char *job)
{
    enum err err = rest_chat_path(request, request_parameter(request, "chat"), location);
    if (err == ERR_OK)
        err = buf_add_text(location, "/jobs/");
    return err == ERR_OK ? file_name_percent(location, job) : err;
}

static bool wants_no_wait(const struct request *request)
{
    const char *prefer = request_field(request, "Prefer");
    return prefer && field_list_has(prefer, "respond-async");
}

static void reply_submitted(struct request *request, const char *job)
{
    struct buf data = BUF_INIT(1024);
    struct buf location = BUF_INIT(4096);
    if (write_submitted(&data, job) == ERR_OK && write_location(request, &location, job) == ERR_OK &&
        buf_text(&location)) {
        reply_data(request, 202, data.data, data.len, "Workflow submitted successfully");
        reply_field(request, "Location", "%s", buf_text(&location));
        if (wants_no_wait(request))
            reply_field(request, "Preference-Applied", "respond-async");
    } else {
        reply_error(request, 500, "No memory for the answer");
    }
    buf_fini(&data);
    buf_fini(&location);
}

static void submitted(struct request *request, const struct ask_answer *answer)
{
    json_t *body = json_loadb(answer->body ? answer->body : "", answer->len, 0, NULL);
    const char *job = json_string_value(json_object_get(body, "job_id"));
    if (job || answer->job_id[0])
        reply_submitted(request, job ? job : answer->job_id);
    else
        reply_error(request, 500, "The broker's answer is not understood");
    json_decref(body);
}

static void ended(struct request *request, const struct ask_answer *answer)
{
    if (!ask_succeeded(request, answer))
        return;
    if (answer->status == 202)
        submitted(request, answer);
    else
        reply_results(request, answer);
}

/* A byte order mark before JSON is to be ignored or refused (RFC 8259, 8.1); some clients on Windows send one. */
static size_t mark_len(const struct buf *body)
{
    return body->len >= 3 && memcmp(body->data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* The steps pass through as they came; false: the request is answered. */
static bool find_steps(struct request *request, struct json_span *steps)
{
    struct json_members members;
    struct fault why = {.text = ""};
    if (request->body.len == 0) {
        reply_error(request, 422, "No steps provided");
        return false;
    }
    size_t skip = mark_len(&request->body);
    if (json_scan_object(request->body.data + skip, request->body.len - skip, &members, &why) != ERR_OK) {
        reply_error(request, 400, "The body cannot be read as JSON: %s", why.text);
        return false;
    }
    const struct json_member *member = json_members_find(&members, "steps");
    if (!member || member->kind == JSON_KIND_NULL)
        reply_error(request, 422, "No steps provided");
    else if (member->kind != JSON_KIND_ARRAY)
        reply_error(request, 422, "'steps' is not a list");
    else
        *steps = member->value;
    return !request->answer.ready;
}

static void execute(struct request *request)
{
    struct json_span steps = {NULL, 0};
    const char *chat = rest_chat(request);
    if (!chat || !find_steps(request, &steps))
        return;
    struct idempotency key;
    struct bytes body = {request->body.data, request->body.len};
    enum idempotency_found keyed = idempotency_read(request, "execute", chat, body, &key);
    if (keyed == IDEMPOTENCY_WRONG)
        return;
    bool wait = !wants_no_wait(request);
    struct buf call = BUF_INIT((size_t)request->settings->http.json_bytes_max + 64);
    enum err err = buf_add_text(&call, "{\"steps\":");
    if (err == ERR_OK)
        err = buf_add(&call, steps.at, steps.len);
    if (err == ERR_OK)
        err = buf_printf(&call, ",\"wait\":%s}", wait ? "true" : "false");
    struct ask question = {
        .call = CALL_EXECUTE,
        .chat = chat,
        .json = call.data,
        .len = call.len,
        .key = keyed == IDEMPOTENCY_KEYED ? &key : NULL,
        .deadline_ms = (int64_t)request->settings->http.execute_wait_seconds * 1000,
        .ends_draining = true,
        .then = ended,
    };
    if (err == ERR_OK)
        ask(request, &question);
    else
        reply_unavailable(request, "No memory for the request");
    buf_fini(&call);
}

/* The path's {job} as a call's member; false: the request is answered. */
static bool begin_job_call(struct request *request, struct buf *call)
{
    const char *job = request_parameter(request, "job");
    if (strlen(job) > ASK_JOB_MAX || !file_name_plausible(job)) {
        reply_error(request, 404, "Job not found");
        return false;
    }
    if (buf_add_text(call, "{") == ERR_OK && json_text_member(call, "job_id", job) == ERR_OK)
        return true;
    reply_unavailable(request, "No memory for the request");
    return false;
}

static void ask_about_job(struct request *request, enum call what, struct buf *call, ask_then *then)
{
    if (buf_add_text(call, "}") == ERR_OK && buf_text(call))
        ask_simply(request, what, request_parameter(request, "chat"), buf_text(call), then);
    else
        reply_unavailable(request, "No memory for the request");
}

/* The job as the broker tells it, with its result, if it has one, as an execute would have answered it. */
static enum err write_job(const struct request *request, json_t *job, struct buf *data, struct splices *files,
                          struct fault *why)
{
    json_t *result = json_incref(json_object_get(job, "result"));
    if (json_is_object(result))
        json_object_del(job, "result");
    char *text = json_dumps(job, JSON_COMPACT);
    enum err err = text ? buf_add_text(data, text) : fault_set(why, ERR_MEMORY, "No memory for the answer");
    free(text);
    if (err == ERR_OK && json_is_object(result)) {
        data->len--; /* the bracket comes behind the result */
        err = buf_add_text(data, ",\"result\":");
        if (err == ERR_OK)
            err = results_write(request, result, data, files, why);
        if (err == ERR_OK)
            err = buf_add_byte(data, '}');
    }
    json_decref(result);
    return err;
}

static void job_found(struct request *request, const struct ask_answer *answer)
{
    if (!ask_succeeded(request, answer))
        return;
    struct buf data = BUF_INIT(ASK_ANSWER_MAX);
    struct splices files = SPLICES_INIT;
    struct fault why = {.code = ERR_MEMORY, .text = "No memory for the answer"};
    json_t *job = json_loadb(answer->body, answer->len, 0, NULL);
    if (!json_is_object(job))
        reply_error(request, 500, "The broker's answer is not understood");
    else if (write_job(request, job, &data, &files, &why) == ERR_OK)
        reply_data_spliced(request, 200, data.data, data.len, "Job retrieved successfully", &files);
    else
        reply_fault(request, &why);
    json_decref(job);
    splices_fini(&files);
    buf_fini(&data);
}

static void get_job(struct request *request)
{
    struct buf call = BUF_INIT(1024);
    if (rest_chat(request) && begin_job_call(request, &call))
        ask_about_job(request, CALL_GET_JOB, &call, job_found);
    buf_fini(&call);
}

static void jobs_listed(struct request *request, const struct ask_answer *answer)
{
    if (ask_succeeded(request, answer))
        reply_data(request, 200, answer->body, answer->len, "Jobs retrieved successfully");
}

static void list_jobs(struct request *request)
{
    int64_t limit = JOBS_LIMIT, offset = 0;
    const char *chat = rest_chat(request);
    if (!chat || !rest_query_count(request, "limit", &limit) || !rest_query_count(request, "offset", &offset))
        return;
    char call[100];
    snprintf(call, sizeof call, "{\"limit\":%" PRId64 ",\"offset\":%" PRId64 "}",
             limit < JOBS_LIMIT_MAX ? limit : JOBS_LIMIT_MAX, offset);
    ask_simply(request, CALL_LIST_JOBS, chat, call, jobs_listed);
}

static void cancelled(struct request *request, const struct ask_answer *answer)
{
    if (ask_succeeded(request, answer))
        reply_data(request, 200, answer->body, answer->len, "Workflow cancelled");
}

static void cancel(struct request *request)
{
    struct buf call = BUF_INIT(1024);
    if (rest_chat(request) && begin_job_call(request, &call))
        ask_about_job(request, CALL_CANCEL_JOB, &call, cancelled);
    buf_fini(&call);
}

static void retried(struct request *request, const struct ask_answer *answer)
{
    if (ask_succeeded(request, answer))
        submitted(request, answer);
}

static void retry(struct request *request)
{
    const char *from = target_query(&request->target, "from");
    struct buf call = BUF_INIT(1024);
    if (from && strcmp(from, "failed") != 0 && strcmp(from, "start") != 0) {
        reply_error(request, 422, "'from' must be 'failed' or 'start'");
        return;
    }
    if (rest_chat(request) && begin_job_call(request, &call)) {
        if (json_text_member(&call, "from", from ? from : "failed") == ERR_OK &&
            json_text_member_raw(&call, "wait", "false", 5) == ERR_OK)
            ask_about_job(request, CALL_RETRY_JOB, &call, retried);
        else
            reply_unavailable(request, "No memory for the request");
    }
    buf_fini(&call);
}

const struct route run_routes[] = {
    {HTTP_POST, "/chat/workflows/{chat}/execute", true, ROUTE_BODY_JSON, NULL, NULL, execute},
    {HTTP_GET, "/chat/workflows/{chat}/jobs", true, ROUTE_BODY_DROPPED, NULL, NULL, list_jobs},
    {HTTP_POST, "/chat/workflows/{chat}/jobs/{job}/cancel", true, ROUTE_BODY_DROPPED, NULL, NULL, cancel},
    {HTTP_POST, "/chat/workflows/{chat}/jobs/{job}/retry", true, ROUTE_BODY_DROPPED, NULL, NULL, retry},
    {HTTP_GET, "/chat/workflows/{chat}/jobs/{job}", true, ROUTE_BODY_DROPPED, NULL, NULL, get_job},
    {.pattern = NULL},
};
