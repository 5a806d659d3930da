/* conversations - create, list, show and delete chats. */
#include "http/reply.h"
#include "json_text.h"
#include "rest/ask.h"

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

static void create(struct request *request)
{
    ask_simply(request, CALL_CREATE_CHAT, NULL, NULL, created);
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
    {HTTP_POST, "/chat/workflows", true, ROUTE_BODY_DROPPED, NULL, NULL, create},
    {HTTP_GET, "/chat/workflows", true, ROUTE_BODY_DROPPED, NULL, NULL, list},
    {HTTP_GET, "/chat/workflows/{chat}", true, ROUTE_BODY_DROPPED, NULL, NULL, get},
    {HTTP_DELETE, "/chat/workflows/{chat}", true, ROUTE_BODY_DROPPED, NULL, NULL, delete},
    {.pattern = NULL},
};
