/* Layout: u8 version, u8 kind, then the fields of the kind as the table below names them, little-endian (wire/pack.h).
 * A token is two u64: term, counter. */
#include "wire/work_frame.h"

#include <string.h>

enum field { END = 0, WORKER, TERM, TIMES, SLOTS, FREE_SLOTS, TOKENS, TOKEN, NUMBER, WHAT, EVENT, BODY };

#define FIELDS_MAX 6

static const struct layout {
    enum work_kind kind;
    enum field fields[FIELDS_MAX]; /* ended by END */
} layouts[] = {
    {WORK_HELLO, {WORKER, SLOTS, FREE_SLOTS, TOKENS}},
    {WORK_BEAT, {WORKER, SLOTS, FREE_SLOTS, TOKENS}},
    {WORK_EVENT, {TOKEN, NUMBER, WHAT, EVENT, BODY}},
    {WORK_BYE, {WORKER}},
    {WORK_WELCOME, {TERM, TIMES}},
    {WORK_JOB, {TOKEN, BODY}},
    {WORK_ACK, {TOKEN, NUMBER}},
    {WORK_REVOKE, {TOKEN, BODY}},
};

static const enum field *layout_of(enum work_kind kind)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].kind == kind)
            return layouts[i].fields;
    return NULL;
}

static void write_token(struct pack *to, const struct token *token)
{
    pack_u64(to, token->term);
    pack_u64(to, token->counter);
}

static struct token read_token(struct unpack *from)
{
    struct token token;
    token.term = unpack_u64(from);
    token.counter = unpack_u64(from);
    return token;
}

static void write_tokens(struct pack *to, const struct work_frame *self)
{
    pack_u32(to, self->token_count);
    for (uint32_t i = 0; i < self->token_count; i++)
        write_token(to, &self->tokens[i]);
}

static void read_tokens(struct unpack *from, struct work_frame *out)
{
    uint32_t count = unpack_u32(from);
    if (count > WORK_TOKENS_MAX) {
        from->bad = true;
        return;
    }
    out->token_count = count;
    for (uint32_t i = 0; i < count; i++)
        out->tokens[i] = read_token(from);
}

static void write_field(struct pack *to, const struct work_frame *self, enum field field)
{
    switch (field) {
    case END: break;
    case WORKER: pack_text(to, self->worker); break;
    case TERM: pack_u64(to, self->term); break;
    case TIMES:
        pack_u32(to, self->lease_ms);
        pack_u32(to, self->beat_ms);
        break;
    case SLOTS: pack_u32(to, self->slots); break;
    case FREE_SLOTS: pack_u32(to, self->free_slots); break;
    case TOKENS: write_tokens(to, self); break;
    case TOKEN: write_token(to, &self->token); break;
    case NUMBER: pack_u64(to, self->number); break;
    case WHAT: pack_u8(to, (uint8_t)self->what); break;
    case EVENT: pack_bytes(to, self->event.at, self->event.len); break;
    case BODY: pack_bytes(to, self->body.at, self->body.len); break;
    }
}

static void read_field(struct unpack *from, struct work_frame *out, enum field field)
{
    switch (field) {
    case END: break;
    case WORKER:
        unpack_text(from, out->worker, sizeof out->worker);
        from->bad |= out->worker[0] == '\0';
        break;
    case TERM: out->term = unpack_u64(from); break;
    case TIMES:
        out->lease_ms = unpack_u32(from);
        out->beat_ms = unpack_u32(from);
        break;
    case SLOTS: out->slots = unpack_u32(from); break;
    case FREE_SLOTS: out->free_slots = unpack_u32(from); break;
    case TOKENS: read_tokens(from, out); break;
    case TOKEN: out->token = read_token(from); break;
    case NUMBER: out->number = unpack_u64(from); break;
    case WHAT: {
        uint8_t what = unpack_u8(from);
        out->what = (enum work_what)what;
        from->bad |= what < WORK_STEP_STARTED || what > WORK_RUN_DONE;
        break;
    }
    case EVENT: out->event = unpack_bytes(from); break;
    case BODY: out->body = unpack_bytes(from); break;
    }
}

enum err work_frame_write(const struct work_frame *self, struct buf *out)
{
    const enum field *fields = layout_of(self->kind);
    if (!fields || self->token_count > WORK_TOKENS_MAX)
        return ERR_INVALID;
    struct pack to = {out, ERR_OK};
    pack_u8(&to, WORK_VERSION);
    pack_u8(&to, (uint8_t)self->kind);
    for (size_t i = 0; i < FIELDS_MAX && fields[i] != END; i++)
        write_field(&to, self, fields[i]);
    return to.err;
}

enum err work_frame_read(struct work_frame *out, const void *bytes, size_t len)
{
    struct unpack from = {bytes, len, false};
    memset(out, 0, sizeof *out);
    if (unpack_u8(&from) != WORK_VERSION)
        return ERR_PROTOCOL;
    out->kind = (enum work_kind)unpack_u8(&from);
    const enum field *fields = layout_of(out->kind);
    if (from.bad || !fields)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < FIELDS_MAX && fields[i] != END; i++)
        read_field(&from, out, fields[i]);
    return unpack_done(&from) ? ERR_OK : ERR_PROTOCOL;
}
