#include "wire/publish_frame.h"

#include <stdio.h>

#define TYPE_BYTES_MAX 64

size_t tap_topic(const char *chat, const char *type, char out[TAP_TOPIC_MAX])
{
    return (size_t)snprintf(out, TAP_TOPIC_MAX, "chat/%.*s/%.*s", ID_CHAT_MAX, chat, TYPE_BYTES_MAX, type);
}
