/* publish_frame - what outside programs send: two ZeroMQ frames, chat id and one JSON object (PUB to :5562, DEALER to
 * :5563), and the tap they may read (:5565): topic `chat/<chat_id>/<type>` and the event as clients get it. */
#ifndef PUBLISH_FRAME_H
#define PUBLISH_FRAME_H

#include "id.h"

#define EVENT_ID_MAX  128 /* bytes of an event_id */
#define TAP_TOPIC_MAX (ID_CHAT_MAX + 80)

/* "chat/<id>/<type>"; a type longer than 64 bytes is cut. Returns the length. */
size_t tap_topic(const char *chat, const char *type, char out[TAP_TOPIC_MAX]);

#endif
