/* conversations - create, list, show and delete chats. */
#include "http/reply.h"
#include "json_text.h"
#include "rest/ask.h"
#include "rest/idempotency.h"

#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX     1000

static void pass_on(struct request *request, const struct ask_answer *answer, int status, const char *message)
{
    if (ask_succeeded(request, answer))
        reply_data(request, status, answer->body, answer->len, message);
}

static void created(struct request *request, const struct ask_answer *answer)
{
    pass_on(request, answer, 201, "Conversation created successfully");
}

static void free_body(void *state)
{
    struct buf *body = state;
    buf_fini(body);
    free(body);
}

/* What a client sends along is not looked at, but it tells whether two requests under one key are the same. */
static void create_bytes(struct request *request, const char *bytes, size_t len)
{
    struct buf *body = request->state;
    if (!request_field(request, "Idempotency-Key"))
        return;
    if (!body) {
        body = request->state = calloc(1, sizeof *body);
        request->free_state = free_body;
        if (body)
            *body = BUF_INIT(request->settings->http.json_bytes_max);
    }
    if (!body)
        reply_unavailable(request, "No memory for the request");
    else if (buf_add(body, bytes, len) != ERR_OK)
        reply_error(request, 413, "The body is larger than %u bytes (http.json_bytes_max)",
                    request->settings->http.json_bytes_max);
}

static void create(struct request *request)
{
    const struct buf *kept = request->state;
    struct bytes body = {kept ? kept->data : "", kept ? kept->len : 0};
    struct idempotency key;
    enum idempotency_found keyed = idempotency_read(request, "create", NULL, body, &key);
    if (keyed == IDEMPOTENCY_WRONG)
        return;
    ask(request, &(struct ask){.call = CALL_CREATE_CHAT,
                               .json = "{}",
                               .len = 2,
                               .key = keyed == IDEMPOTENCY_KEYED ? &key : NULL,
                               .deadline_ms = ASK_DEADLINE_MS,
                               .then = created});
}

static void listed(struct request *request, const struct ask_answer *answer)
{
    pass_on(request, answer, 200, "Conversations retrieved successfully");
}

static enum err write_list_call(struct buf *out, const char *status, int64_t limit, int64_t offset)
{
    enum err err = buf_add_text(out, "{");
    if (err == ERR_OK && status)
        err = json_text_member(out, "status", status);
    if (err == ERR_OK)
        err = json_text_member_int(out, "limit", limit);
    if (err == ERR_OK)
        err = json_text_member_int(out, "offset", offset);
    return err == ERR_OK ? buf_add_text(out, "}") : err;
}

static void list(struct request *request)
{
    int64_t limit = LIST_LIMIT_DEFAULT;
    int64_t offset = 0;
    if (!rest_query_count(request, "limit", &limit) || !rest_query_count(request, "offset", &offset))
        return;
    const char *status = target_query(&request->target, "status");
    struct buf call = BUF_INIT(256 * 1024);
    enum err err = write_list_call(&call, status && status[0] ? status : NULL,
                                   limit < LIST_LIMIT_MAX ? limit : LIST_LIMIT_MAX, offset);
    const char *json = buf_text(&call);
    if (err == ERR_OK && json)
        ask_simply(request, CALL_LIST_CHATS, NULL, json, listed);
    else
        reply_unavailable(request, "No memory for the request");
    buf_fini(&call);
}

static void got(struct request *request, const struct ask_answer *answer)
{
    pass_on(request, answer, 200, "Conversation retrieved successfully");
}

static void get(struct request *request)
{
    const char *chat = rest_chat(request);
    if (chat)
        ask_simply(request, CALL_GET_CHAT, chat, NULL, got);
}

static void deleted(struct request *request, const struct ask_answer *answer)
{
    pass_on(request, answer, 200, "Conversation deleted successfully");
}

static void delete (struct request *request)
{
    const char *chat = rest_chat(request);
    if (chat)
        ask_simply(request, CALL_DELETE_CHAT, chat, NULL, deleted);
}

const struct route conversation_routes[] = {
    {HTTP_POST, "/chat/workflows", true, ROUTE_BODY_STREAM, NULL, create_bytes, create},
    {HTTP_GET, "/chat/workflows", true, ROUTE_BODY_DROPPED, NULL, NULL, list},
    {HTTP_GET, "/chat/workflows/{chat}", true, ROUTE_BODY_DROPPED, NULL, NULL, get},
    {HTTP_DELETE, "/chat/workflows/{chat}", true, ROUTE_BODY_DROPPED, NULL, NULL, delete},
    {.pattern = NULL},
};
