/* Layout, little-endian (wire/pack.h). Head: u8 version, u64 term, u64 number, u32 count. Record: u8 kind, u8 flags,
 * chat, then the fields of the kind as the table below names them; body comes last. */
#include "wire/feed_frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEAD_NUMBER_AT 9 /* behind version and term */
#define HEAD_LEN       21
#define TOPIC_PREFIX   "link/"
#define TOPIC_DIGITS   16

enum flag { FLAG_TERMINAL = 1, FLAG_CLOSING = 2, FLAGS_ALL = 3 };
enum field { END = 0, ATTACH, RESUME, EPOCH, SEQ, HEAD, KEY, BODY };

#define FIELDS_MAX 7

static const struct layout {
    enum feed_kind kind;
    enum field fields[FIELDS_MAX]; /* ended by END */
} layouts[] = {
    {FEED_ATTACHED, {ATTACH, RESUME, EPOCH, SEQ, HEAD, BODY}},
    {FEED_REPLAY, {ATTACH, SEQ, BODY}},
    {FEED_LIVE, {ATTACH}},
    {FEED_EVENT, {SEQ, BODY}},
    {FEED_PROGRESS, {KEY, BODY}},
    {FEED_RESET, {EPOCH, SEQ, HEAD, BODY}},
};

static const enum field *layout_of(enum feed_kind kind)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].kind == kind)
            return layouts[i].fields;
    return NULL;
}

size_t feed_topic(uint64_t link, char out[FEED_TOPIC_MAX])
{
    return (size_t)snprintf(out, FEED_TOPIC_MAX, TOPIC_PREFIX "%016" PRIx64 "/", link);
}

bool feed_topic_parse(const void *bytes, size_t len, uint64_t *link)
{
    const char *at = bytes;
    size_t prefix = sizeof TOPIC_PREFIX - 1;
    if (len != 1 + prefix + TOPIC_DIGITS + 1 || memcmp(at + 1, TOPIC_PREFIX, prefix) != 0 || at[len - 1] != '/')
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < TOPIC_DIGITS; i++) {
        char c = at[1 + prefix + i];
        const char *digits = "0123456789abcdef";
        const char *found = c ? strchr(digits, c) : NULL;
        if (!found)
            return false;
        value = value << 4 | (uint64_t)(found - digits);
    }
    *link = value;
    return true;
}

enum err feed_batch_open(struct buf *out, uint64_t term)
{
    struct pack to = {out, ERR_OK};
    pack_u8(&to, FEED_VERSION);
    pack_u64(&to, term);
    pack_u64(&to, 0);
    pack_u32(&to, 0);
    return to.err;
}

static void write_field(struct pack *to, const struct feed_record *record, enum field field)
{
    switch (field) {
    case END: break;
    case ATTACH: pack_u64(to, record->attach); break;
    case RESUME: pack_u8(to, (uint8_t)record->resume); break;
    case EPOCH: pack_bytes(to, record->epoch.at, record->epoch.len); break;
    case SEQ: pack_u64(to, record->seq); break;
    case HEAD: pack_u64(to, record->head); break;
    case KEY: pack_bytes(to, record->key.at, record->key.len); break;
    case BODY: pack_bytes(to, record->body.at, record->body.len); break;
    }
}

enum err feed_batch_add(struct buf *out, const struct feed_record *record)
{
    const enum field *fields = layout_of(record->kind);
    if (!fields)
        return ERR_INVALID;
    size_t before = out->len;
    struct pack to = {out, ERR_OK};
    pack_u8(&to, (uint8_t)record->kind);
    pack_u8(&to, (uint8_t)((record->terminal ? FLAG_TERMINAL : 0) | (record->closing ? FLAG_CLOSING : 0)));
    pack_bytes(&to, record->chat.at, record->chat.len);
    for (size_t i = 0; i < FIELDS_MAX && fields[i] != END; i++)
        write_field(&to, record, fields[i]);
    if (to.err != ERR_OK)
        out->len = before; /* a half-written record would break the whole batch */
    return to.err;
}

void feed_batch_close(struct buf *out, uint64_t number, uint32_t count)
{
    unsigned char *at = (unsigned char *)out->data + HEAD_NUMBER_AT;
    for (int i = 0; i < 8; i++)
        *at++ = (unsigned char)(number >> (8 * i));
    for (int i = 0; i < 4; i++)
        *at++ = (unsigned char)(count >> (8 * i));
}

enum err feed_batch_read(struct feed_batch *out, struct unpack *rest, const void *bytes, size_t len)
{
    *rest = (struct unpack){bytes, len, false};
    memset(out, 0, sizeof *out);
    if (unpack_u8(rest) != FEED_VERSION)
        return ERR_PROTOCOL;
    out->term = unpack_u64(rest);
    out->number = unpack_u64(rest);
    out->count = unpack_u32(rest);
    return rest->bad || (out->count == 0 && rest->left > 0) ? ERR_PROTOCOL : ERR_OK;
}

static void read_field(struct unpack *from, struct feed_record *out, enum field field)
{
    switch (field) {
    case END: break;
    case ATTACH: out->attach = unpack_u64(from); break;
    case RESUME: {
        uint8_t resume = unpack_u8(from);
        out->resume = (enum feed_resume)resume;
        from->bad |= resume > FEED_RESET_HISTORY;
        break;
    }
    case EPOCH:
        out->epoch = unpack_bytes(from);
        from->bad |= out->epoch.len >= EPOCH_MAX;
        break;
    case SEQ: out->seq = unpack_u64(from); break;
    case HEAD: out->head = unpack_u64(from); break;
    case KEY: out->key = unpack_bytes(from); break;
    case BODY: out->body = unpack_bytes(from); break;
    }
}

enum err feed_record_read(struct feed_record *out, struct unpack *rest)
{
    memset(out, 0, sizeof *out);
    out->kind = (enum feed_kind)unpack_u8(rest);
    uint8_t flags = unpack_u8(rest);
    out->terminal = flags & FLAG_TERMINAL;
    out->closing = flags & FLAG_CLOSING;
    out->chat = unpack_bytes(rest);
    const enum field *fields = layout_of(out->kind);
    if (rest->bad || !fields || (flags & ~FLAGS_ALL) || !id_chat_valid(out->chat.at, out->chat.len))
        return ERR_PROTOCOL;
    for (size_t i = 0; i < FIELDS_MAX && fields[i] != END; i++)
        read_field(rest, out, fields[i]);
    return rest->bad ? ERR_PROTOCOL : ERR_OK;
}
