#include "live/handshake.h"

#include "live/client_message.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VERSION   "13"
#define KEY_CHARS 24 /* base64 of 16 bytes */
#define PATH      "/chat/"

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* 22 characters and "==": the last one carries four bits too many, which must be zero. */
static bool is_key(const char *key)
{
    if (strlen(key) != KEY_CHARS || strcmp(key + 22, "==") != 0)
        return false;
    for (int i = 0; i < 22; i++)
        if (!is_base64(key[i]))
            return false;
    return strchr("AQgw", key[21]) != NULL;
}

/* Is the word one of the comma-separated tokens of a header? */
static bool has_token(const char *header, const char *word)
{
    size_t len = strlen(word);
    while (*header) {
        header += strspn(header, " \t,");
        size_t token = strcspn(header, " \t,");
        if (token == len && strncasecmp(header, word, len) == 0)
            return true;
        header += token;
    }
    return false;
}

static void refuse(struct handshake *out, uint16_t status, const char *reason)
{
    out->status = status;
    fault_set(&out->why, ERR_INVALID, "%s", reason);
}

static void check_protocol(struct handshake *out, const struct handshake_request *request)
{
    if (!request->is_get)
        refuse(out, 405, "A WebSocket is opened with GET (RFC 6455 4.1).");
    else if (!request->is_http_1_1)
        refuse(out, 400, "A WebSocket needs HTTP/1.1 (RFC 6455 4.2.1).");
    else if (!request->host[0])
        refuse(out, 400, "The Host header is missing (RFC 6455 4.2.1).");
    else if (request->has_body)
        refuse(out, 400, "A WebSocket handshake has no body.");
    else if (!has_token(request->upgrade, "websocket") || !has_token(request->connection, "upgrade"))
        refuse(out, 426,
               "This is the WebSocket server, and it is reachable. Connect with a WebSocket client: "
               "ws://HOST:PORT/chat/{chat_id}");
    else if (strcmp(request->version, VERSION) != 0)
        refuse(out, 426, "Sec-WebSocket-Version must be 13.");
    else if (!is_key(request->key))
        refuse(out, 400,
               "The server is reachable, but Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455 4.2.1). "
               "A valid one is dGhlIHNhbXBsZSBub25jZQ==");
    else if (request->has_protocol)
        refuse(out, 400, "No subprotocol is spoken here: leave Sec-WebSocket-Protocol out.");
}

static void check_path(struct handshake *out, const char *path)
{
    if (strcmp(path, "/") == 0 || strcmp(path, "/chat") == 0)
        return;
    size_t prefix = sizeof PATH - 1;
    if (strncmp(path, PATH, prefix) != 0) {
        refuse(out, 404, "WebSockets are at /chat/{chat_id}.");
        return;
    }
    const char *chat = path + prefix;
    if (id_chat_valid(chat, strlen(chat)))
        memcpy(out->chat, chat, strlen(chat) + 1);
    else
        refuse(out, 400, "A chat id is 1 to 128 of A-Z a-z 0-9 . _ ~ : -");
}

void handshake_check(struct handshake *out, const struct handshake_request *request)
{
    memset(out, 0, sizeof *out);
    out->status = 101;
    check_protocol(out, request);
    if (out->status == 101)
        check_path(out, request->path);
    if (out->status == 101 && (!client_since_read(request->since, &out->has_since, &out->since, &out->why) ||
                               !client_epoch_read(request->epoch, out->epoch, &out->why)))
        out->status = 400;
}

static const char *reason_of(uint16_t status)
{
    switch (status) {
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 426: return "Upgrade Required";
    case 503: return "Service Unavailable";
    default: return "Bad Request";
    }
}

static const char *header_of(uint16_t status)
{
    switch (status) {
    case 405: return "Allow: GET\r\n";
    case 426: return "Upgrade: websocket\r\nSec-WebSocket-Version: " VERSION "\r\n";
    default: return "";
    }
}

size_t handshake_refusal(const struct handshake *self, char *out, size_t size)
{
    const char *connection = self->status == 426 ? "upgrade, close" : "close";
    int len = snprintf(out, size,
                       "HTTP/1.1 %u %s\r\n%sConnection: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                       "Content-Length: %zu\r\n\r\n%s\n",
                       self->status, reason_of(self->status), header_of(self->status), connection,
                       strlen(self->why.text) + 1, self->why.text);
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}
