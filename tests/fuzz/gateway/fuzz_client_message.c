/* What a WebSocket client sends is called JSON exactly where jansson calls it so, an object exactly where it is one,
 * and a chat id that comes out is a valid one. */
#include "live/client_message.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

static bool says(const struct client_message *message, const char *start)
{
    return message->kind == CLIENT_WRONG && strncmp(message->problem.text, start, strlen(start)) == 0;
}

static void check_against_jansson(const struct client_message *message, const uint8_t *data, size_t size)
{
    bool too_large = says(message, "A message may have");
    bool nul = size > 0 && memchr(data, '\0', size); /* jansson overlooks one behind a number */
    if (too_large || nul)
        return;
    json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    bool invalid = says(message, "Invalid JSON");
    bool other = says(message, "A message must be a JSON object");
    bool bare_ping = message->original.len == 4 && memcmp(message->original.at, "ping", 4) == 0;
    if (other)
        check(tree && !json_is_object(tree));
    else if (!invalid && !bare_ping)
        check(json_is_object(tree));
    if (!tree)
        check(invalid || bare_ping);
    json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_message message;
    if (client_message_read(&message, (const char *)data, size) != ERR_OK)
        return 0;
    check(message.kind != CLIENT_SUBSCRIBE || id_chat_valid(message.chat, strlen(message.chat)));
    check_against_jansson(&message, data, size);
    return 0;
}
