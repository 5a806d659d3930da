/* frames - what a WebSocket client gets, as ready bytes: server frames of RFC 6455 5.2 (never masked, never fragmented,
 * no extension), built once and shared by reference among all sockets that get them. The loop's thread only. */
#ifndef FRAMES_H
#define FRAMES_H

#include "wire/feed_frame.h"

#define FRAME_HEAD_MAX 10 /* of a server's frame */

struct frame {
    unsigned int references; /* through frame_ref() and frame_unref() only */
    size_t len;
    unsigned char bytes[]; /* head and payload */
};

/* A text frame around a payload that is UTF-8 (our own JSON, or JSON checked at intake). One reference is the caller's.
 */
enum err frame_new(struct frame **out, const void *text, size_t len) MUST_CHECK;
struct frame *frame_ref(struct frame *self);
void frame_unref(struct frame **self_p);
/* A close frame (RFC 6455 5.5.1): code and a reason, cut to the 123 bytes a control frame has room for. */
enum err frames_close(struct frame **out, uint16_t code, const char *reason) MUST_CHECK;
/* Head of a final text frame of that length; returns its bytes. */
size_t frame_head(unsigned char out[FRAME_HEAD_MAX], size_t len);

/* {"type":"connected","chat_id","timestamp","epoch","resume","seq","head","snapshot"?} */
struct connected {
    const char *chat; /* NULL: connected to no chat */
    int64_t wall_us;
    struct bytes epoch; /* empty = null: the chat has no record yet */
    enum feed_resume resume;
    uint64_t seq, head;
    struct bytes snapshot; /* JSON; empty = left out */
};
enum err frames_connected(struct frame **out, const struct connected *what) MUST_CHECK;
enum err frames_pong(struct frame **out) MUST_CHECK;
/* {"type":"ack","original":...,"timestamp"}: original is one JSON object, passed on byte by byte. */
enum err frames_ack(struct frame **out, struct bytes original, int64_t wall_us) MUST_CHECK;
/* {"type":"unsubscribed","chat_id","timestamp"}: nothing of that chat comes after it. */
enum err frames_unsubscribed(struct frame **out, const char *chat, int64_t wall_us) MUST_CHECK;
/* {"type":"error","message":...,"timestamp"}: about this socket alone, hence without seq. */
enum err frames_error(struct frame **out, const char *message, int64_t wall_us) MUST_CHECK;

#endif
