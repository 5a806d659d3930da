#include "rest/rest.h"

#include "http/file_name.h"
#include "http/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct route *const rest_routes[] = {
    health_routes, conversation_routes, upload_routes, run_routes, download_routes, event_routes, archive_routes, NULL,
};

const struct rest *rest_of(const struct request *request)
{
    return request->context;
}

const char *rest_chat(struct request *request)
{
    const char *chat = request_parameter(request, "chat");
    if (id_chat_valid(chat, strlen(chat)))
        return chat;
    reply_error(request, 404, "Conversation not found");
    return NULL;
}

enum err rest_chat_path(const struct request *request, const char *chat, struct buf *out)
{
    enum err err = buf_printf(out, "%s/chat/workflows/", request->settings->api.prefix);
    return err == ERR_OK ? file_name_percent(out, chat) : err;
}

static enum err write_origin(const struct request *request, struct buf *out)
{
    const char *host = request_field(request, "Host");
    return host && host[0] ? buf_printf(out, "http://%s", host)
                           : buf_printf(out, "http://%s:%u", request->settings->app.host, request->settings->app.port);
}

enum err rest_download_url(const struct request *request, const char *chat, const char *name, struct buf *out)
{
    enum err err = write_origin(request, out);
    if (err == ERR_OK)
        err = rest_chat_path(request, chat, out);
    if (err == ERR_OK)
        err = buf_add_text(out, "/files/");
    return err == ERR_OK ? file_name_percent(out, name) : err;
}

enum err rest_dump_url(const struct request *request, const char *name, struct buf *out)
{
    enum err err = write_origin(request, out);
    if (err == ERR_OK)
        err = buf_printf(out, "%s/chat/downloads/", request->settings->api.prefix);
    return err == ERR_OK ? file_name_percent(out, name) : err;
}

bool rest_query_count(struct request *request, const char *name, int64_t *value)
{
    const char *text = target_query(&request->target, name);
    if (!text)
        return true;
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool digits = text[0] && text[strspn(text, "0123456789")] == '\0';
    if (!digits || errno != 0) {
        reply_error(request, 422, "'%s' is not a number from 0 on: %.64s", name, text);
        return false;
    }
    *value = number;
    return true;
}
