/* events - the durable events of a chat, as a page of its record: what a WebSocket client is sent, for those who would
 * rather ask. */
#include "http/reply.h"
#include "json_text.h"
#include "rest/ask.h"

#define EVENTS_LIMIT_DEFAULT 100
#define EVENTS_LIMIT_MAX     1000

static void told(struct request *request, const struct ask_answer *answer)
{
    if (ask_succeeded(request, answer))
        reply_data(request, 200, answer->body, answer->len, "Events retrieved successfully");
}

static void list(struct request *request)
{
    const char *chat = rest_chat(request);
    int64_t since = 0, limit = EVENTS_LIMIT_DEFAULT;
    if (!chat || !rest_query_count(request, "since", &since) || !rest_query_count(request, "limit", &limit))
        return;
    struct buf call = BUF_INIT(256);
    if (buf_add_text(&call, "{") == ERR_OK && json_text_member_int(&call, "since", since) == ERR_OK &&
        json_text_member_int(&call, "limit", limit < EVENTS_LIMIT_MAX ? limit : EVENTS_LIMIT_MAX) == ERR_OK &&
        buf_add_text(&call, "}") == ERR_OK && buf_text(&call))
        ask_simply(request, CALL_GET_EVENTS, chat, buf_text(&call), told);
    else
        reply_unavailable(request, "No memory for the request");
    buf_fini(&call);
}

const struct route event_routes[] = {
    {HTTP_GET, "/chat/workflows/{chat}/events", true, ROUTE_BODY_DROPPED, NULL, NULL, list},
    {.pattern = NULL},
};
