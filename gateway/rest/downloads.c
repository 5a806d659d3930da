/* downloads - a file of a chat by its name, as the record knows it, whole or in part. */
#include "http/file_name.h"
#include "http/reply.h"
#include "json_text.h"
#include "rest/ask.h"
#include "rest/file_answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Objects never change, so the random end of the key is as good a validator as a hash of the content. */
static void set_etag(struct file_answer *file, const char *key)
{
    const char *slash = strrchr(key, '/');
    snprintf(file->etag, sizeof file->etag, "\"%.*s\"", FILE_ANSWER_ETAG_MAX - 3, slash ? slash + 1 : key);
}

static void located(struct request *request, const struct ask_answer *answer)
{
    if (!ask_succeeded(request, answer))
        return;
    struct fault why = {.text = ""};
    json_t *body = json_loadb(answer->body, answer->len, 0, NULL);
    struct file_answer found = {.name = json_string_value(json_object_get(body, "name")), .fd = -1};
    const char *key = json_string_value(json_object_get(body, "key"));
    if (!found.name || !key) {
        reply_error(request, 500, "The broker's answer is not understood");
    } else if (files_open(rest_of(request)->files, key, &found.fd, &found.bytes, &why) != ERR_OK) {
        /* The record names a file that is gone: deleted between the two looks, or lost. */
        if (why.code == ERR_NOT_FOUND)
            reply_error(request, 404, "File not found");
        else
            reply_fault(request, &why);
    } else {
        set_etag(&found, key);
        file_answer_send(request, &found);
    }
    json_decref(body);
}

static void download(struct request *request)
{
    const char *chat = rest_chat(request);
    const char *name = request_parameter(request, "name");
    if (!chat)
        return;
    if (!file_name_plausible(name)) {
        reply_error(request, 404, "File not found");
        return;
    }
    struct buf call = BUF_INIT((size_t)request->settings->http.header_bytes_max * 8);
    if (buf_add_text(&call, "{") == ERR_OK && json_text_member(&call, "name", name) == ERR_OK &&
        buf_add_text(&call, "}") == ERR_OK && buf_text(&call))
        ask_simply(request, CALL_FIND_FILE, chat, buf_text(&call), located);
    else
        reply_unavailable(request, "No memory for the request");
    buf_fini(&call);
}

const struct route download_routes[] = {
    {HTTP_GET, "/chat/workflows/{chat}/files/{name}", true, ROUTE_BODY_DROPPED, NULL, NULL, download},
    {.pattern = NULL},
};
