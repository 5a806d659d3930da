#include "live/frames.h"

#include "clock.h"
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

#define FINAL_TEXT    0x81
#define FINAL_CLOSE   0x88
#define CONTROL_MAX   125 /* payload of a control frame */
#define PAYLOAD_MAX   ((size_t)128 << 20)
#define LEN_IN_BYTE   125
#define LEN_IS_16_BIT 126
#define LEN_IS_64_BIT 127

size_t frame_head(unsigned char out[FRAME_HEAD_MAX], size_t len)
{
    out[0] = FINAL_TEXT;
    if (len <= LEN_IN_BYTE) {
        out[1] = (unsigned char)len;
        return 2;
    }
    size_t width = len <= UINT16_MAX ? 2 : 8;
    out[1] = width == 2 ? LEN_IS_16_BIT : LEN_IS_64_BIT;
    for (size_t i = 0; i < width; i++)
        out[2 + i] = (unsigned char)((uint64_t)len >> (8 * (width - 1 - i)));
    return 2 + width;
}

enum err frame_new(struct frame **out, const void *text, size_t len)
{
    *out = NULL;
    struct frame *self = malloc(sizeof *self + FRAME_HEAD_MAX + len);
    if (!self)
        return ERR_MEMORY;
    size_t head = frame_head(self->bytes, len);
    if (len > 0)
        memcpy(self->bytes + head, text, len);
    self->len = head + len;
    self->references = 1;
    *out = self;
    return ERR_OK;
}

enum err frames_close(struct frame **out, uint16_t code, const char *reason)
{
    unsigned char payload[CONTROL_MAX] = {(unsigned char)(code >> 8), (unsigned char)code};
    size_t len = strlen(reason) < CONTROL_MAX - 2 ? strlen(reason) : CONTROL_MAX - 2;
    memcpy(payload + 2, reason, len);
    enum err err = frame_new(out, payload, len + 2);
    if (err == ERR_OK)
        (*out)->bytes[0] = FINAL_CLOSE;
    return err;
}

struct frame *frame_ref(struct frame *self)
{
    self->references++;
    return self;
}

void frame_unref(struct frame **self_p)
{
    struct frame *self = *self_p;
    *self_p = NULL;
    if (self && --self->references == 0)
        free(self);
}

/* Closes the object in `text`, makes it a frame and frees the text. */
static enum err finish(struct frame **out, struct buf *text, enum err err)
{
    *out = NULL;
    if (err == ERR_OK)
        err = buf_add_byte(text, '}');
    if (err == ERR_OK)
        err = frame_new(out, text->data, text->len);
    buf_fini(text);
    return err;
}

static enum err start(struct buf *text, const char *type)
{
    enum err err = buf_add_byte(text, '{');
    return err == ERR_OK ? json_text_member(text, "type", type) : err;
}

static enum err add_timestamp(struct buf *text, int64_t wall_us)
{
    char timestamp[CLOCK_TEXT_MAX];
    clock_rfc3339(wall_us, timestamp);
    return json_text_member(text, "timestamp", timestamp);
}

static enum err add_text_or_null(struct buf *text, const char *key, const char *value, size_t len)
{
    enum err err = json_text_member_raw(text, key, "null", len ? 0 : 4);
    return err == ERR_OK && len ? json_text_string(text, value, len) : err;
}

static const char *resume_name(enum feed_resume resume)
{
    switch (resume) {
    case FEED_SNAPSHOT: return "snapshot";
    case FEED_RESUMED: return "resumed";
    case FEED_GAP: return "gap";
    case FEED_RESET_HISTORY: return "reset";
    }
    return "snapshot";
}

enum err frames_connected(struct frame **out, const struct connected *what)
{
    struct buf text = BUF_INIT(PAYLOAD_MAX);
    enum err err = start(&text, "connected");
    if (err == ERR_OK)
        err = add_text_or_null(&text, "chat_id", what->chat, what->chat ? strlen(what->chat) : 0);
    if (err == ERR_OK)
        err = add_timestamp(&text, what->wall_us);
    if (err == ERR_OK)
        err = add_text_or_null(&text, "epoch", what->epoch.at, what->epoch.len);
    if (err == ERR_OK)
        err = json_text_member(&text, "resume", resume_name(what->resume));
    if (err == ERR_OK)
        err = json_text_member_int(&text, "seq", (int64_t)what->seq);
    if (err == ERR_OK)
        err = json_text_member_int(&text, "head", (int64_t)what->head);
    if (err == ERR_OK && what->snapshot.len > 0)
        err = json_text_member_raw(&text, "snapshot", what->snapshot.at, what->snapshot.len);
    return finish(out, &text, err);
}

enum err frames_pong(struct frame **out)
{
    static const char pong[] = "{\"type\":\"pong\"}";
    return frame_new(out, pong, sizeof pong - 1);
}

enum err frames_ack(struct frame **out, struct bytes original, int64_t wall_us)
{
    struct buf text = BUF_INIT(PAYLOAD_MAX);
    enum err err = start(&text, "ack");
    if (err == ERR_OK)
        err = json_text_member_raw(&text, "original", original.at, original.len);
    if (err == ERR_OK)
        err = add_timestamp(&text, wall_us);
    return finish(out, &text, err);
}

enum err frames_unsubscribed(struct frame **out, const char *chat, int64_t wall_us)
{
    struct buf text = BUF_INIT(PAYLOAD_MAX);
    enum err err = start(&text, "unsubscribed");
    if (err == ERR_OK)
        err = json_text_member(&text, "chat_id", chat);
    if (err == ERR_OK)
        err = add_timestamp(&text, wall_us);
    return finish(out, &text, err);
}

enum err frames_error(struct frame **out, const char *message, int64_t wall_us)
{
    struct buf text = BUF_INIT(PAYLOAD_MAX);
    enum err err = start(&text, "error");
    if (err == ERR_OK)
        err = json_text_member(&text, "message", message);
    if (err == ERR_OK)
        err = add_timestamp(&text, wall_us);
    return finish(out, &text, err);
}
