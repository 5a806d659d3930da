/* downloads - a file of a chat by its name, as the record knows it, whole or in part. */
#include "http/file_name.h"
#include "http/range.h"
#include "http/reply.h"
#include "json_text.h"
#include "rest/ask.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ETAG_MAX 64

struct found {
    const char *name;
    const char *key;
    int fd;
    uint64_t bytes;
    char etag[ETAG_MAX];
};

/* Objects never change, so the random end of the key is as good a validator as a hash of the content. */
static void set_etag(struct found *self)
{
    const char *slash = strrchr(self->key, '/');
    snprintf(self->etag, sizeof self->etag, "\"%.*s\"", ETAG_MAX - 3, slash ? slash + 1 : self->key);
}

static void add_fields(struct request *request, const struct found *found)
{
    struct buf disposition = BUF_INIT(4096);
    if (file_name_disposition(&disposition, found->name) == ERR_OK && buf_text(&disposition))
        reply_field(request, "Content-Disposition", "%s", buf_text(&disposition));
    buf_fini(&disposition);
    reply_field(request, "ETag", "%s", found->etag);
    reply_field(request, "Accept-Ranges", "bytes");
    reply_field(request, "Cache-Control", "private, no-cache");
    reply_field(request, "X-Content-Type-Options", "nosniff");
}

/* A part is given only of the file the client has the beginning of (RFC 9110 13.1.5). */
static enum range_kind wanted_range(const struct request *request, const struct found *found, struct range *out)
{
    const char *if_range = request_field(request, "If-Range");
    bool same = !if_range || strcmp(if_range, found->etag) == 0;
    bool get = request->method == HTTP_GET;
    return range_parse(same && get ? request_field(request, "Range") : NULL, found->bytes, out);
}

static void send_file(struct request *request, const struct found *found)
{
    struct range range;
    const char *none_match = request_field(request, "If-None-Match");
    if (none_match && (field_list_has(none_match, found->etag) || field_list_has(none_match, "*"))) {
        close(found->fd);
        reply_empty(request, 304);
        add_fields(request, found);
        return;
    }
    switch (wanted_range(request, found, &range)) {
    case RANGE_WHOLE: reply_file(request, 200, found->fd, 0, found->bytes); break;
    case RANGE_PART:
        reply_file(request, 206, found->fd, range.first, range.length);
        reply_field(request, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)range.first,
                    (unsigned long long)(range.first + range.length - 1), (unsigned long long)found->bytes);
        break;
    case RANGE_UNSATISFIABLE:
        close(found->fd);
        reply_error(request, 416, "The range lies beyond the file's %llu bytes", (unsigned long long)found->bytes);
        reply_field(request, "Content-Range", "bytes */%llu", (unsigned long long)found->bytes);
        return;
    }
    reply_field(request, "Content-Type", "%s", file_name_media_type(found->name));
    add_fields(request, found);
}

static void located(struct request *request, const struct ask_answer *answer)
{
    if (!ask_succeeded(request, answer))
        return;
    struct fault why = {.text = ""};
    json_t *body = json_loadb(answer->body, answer->len, 0, NULL);
    struct found found = {
        .name = json_string_value(json_object_get(body, "name")),
        .key = json_string_value(json_object_get(body, "key")),
        .fd = -1,
    };
    if (!found.name || !found.key) {
        reply_error(request, 500, "The broker's answer is not understood");
    } else if (files_open(rest_of(request)->files, found.key, &found.fd, &found.bytes, &why) != ERR_OK) {
        /* The record names a file that is gone: deleted between the two looks, or lost. */
        if (why.code == ERR_NOT_FOUND)
            reply_error(request, 404, "File not found");
        else
            reply_fault(request, &why);
    } else {
        set_etag(&found);
        send_file(request, &found);
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
