#include "rest/rest.h"

#include "http/file_name.h"
#include "http/reply.h"

#include <string.h>

const struct route *const rest_routes[] = {
    health_routes, conversation_routes, upload_routes, run_routes, download_routes, NULL,
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

enum err rest_download_url(const struct request *request, const char *chat, const char *name, struct buf *out)
{
    const char *host = request_field(request, "Host");
    enum err err = host && host[0]
                       ? buf_printf(out, "http://%s", host)
                       : buf_printf(out, "http://%s:%u", request->settings->app.host, request->settings->app.port);
    if (err == ERR_OK)
        err = rest_chat_path(request, chat, out);
    if (err == ERR_OK)
        err = buf_add_text(out, "/files/");
    return err == ERR_OK ? file_name_percent(out, name) : err;
}
