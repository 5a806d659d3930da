#include "store/change_codec.h"

#include <string.h>

/* How a field of a row is kept in memory, and written. */
enum field_type {
    FIELD_TEXT, /* const char * */
    FIELD_BODY, /* the text of an event, whose length is in the row too */
    FIELD_BOOL, /* bool, one byte */
    FIELD_ENUM, /* any enum, one byte, below `max` */
    FIELD_U16,
    FIELD_U32,
    FIELD_U64,
    FIELD_I64,
    FIELD_ID, /* REQUEST_ID_LEN bytes */
};

struct field {
    enum field_type type;
    size_t at;   /* offset in struct change */
    uint8_t max; /* FIELD_ENUM: how many values there are */
};

#define FIELDS_MAX 20
#define TEXT(row, member)                                                                                              \
    {                                                                                                                  \
        FIELD_TEXT, offsetof(struct change, of.row.member), 0                                                          \
    }
#define FIELD(type, row, member)                                                                                       \
    {                                                                                                                  \
        FIELD_##type, offsetof(struct change, of.row.member), 0                                                        \
    }
#define ENUM(row, member, last)                                                                                        \
    {                                                                                                                  \
        FIELD_ENUM, offsetof(struct change, of.row.member), (last) + 1                                                 \
    }
#define CHAT_FIELDS                                                                                                    \
    TEXT(chat, chat_id), FIELD(BOOL, chat, room), TEXT(chat, participant_name), ENUM(chat, status, CHAT_FAILED),       \
        TEXT(chat, partition_key), TEXT(chat, metadata), TEXT(chat, epoch), FIELD(U64, chat, head),                    \
        FIELD(I64, chat, created_us), FIELD(I64, chat, updated_us)

struct layout {
    size_t count;
    struct field fields[FIELDS_MAX];
};

/* A change of this table is a new CHANGE_CODEC_VERSION. */
static const struct layout layouts[] = {
    [CHANGE_CHAT_PUT] = {10, {CHAT_FIELDS}},
    [CHANGE_CHAT_DELETE] = {10, {CHAT_FIELDS}},
    [CHANGE_MESSAGE_ADD] = {6,
                            {TEXT(message, message_id), TEXT(message, chat_id), TEXT(message, message_type),
                             TEXT(message, content), TEXT(message, metadata), FIELD(I64, message, created_us)}},
    [CHANGE_FILE_ADD] = {8,
                         {TEXT(file, file_id), TEXT(file, chat_id), TEXT(file, name), TEXT(file, key),
                          ENUM(file, type, FILE_RESULT), FIELD(U64, file, bytes), FIELD(I64, file, created_us),
                          TEXT(file, job_id)}},
    [CHANGE_JOB_PUT] = {18,
                        {TEXT(job, job_id), TEXT(job, chat_id), ENUM(job, status, JOB_CANCELLED),
                         FIELD(U32, job, attempts), FIELD(U64, job, token.term), FIELD(U64, job, token.counter),
                         FIELD(U64, job, last_number), TEXT(job, input_name), TEXT(job, input_key), TEXT(job, trace),
                         TEXT(job, error), FIELD(U32, job, total_steps), FIELD(I64, job, submitted_us),
                         FIELD(I64, job, started_us), FIELD(I64, job, completed_us), TEXT(job, retry_of),
                         FIELD(U32, job, set_back), FIELD(BOOL, job, spools_gone)}},
    [CHANGE_STEP_PUT] = {15,
                         {TEXT(step, step_id), TEXT(step, chat_id), TEXT(step, job_id), FIELD(U32, step, index),
                          TEXT(step, operation), TEXT(step, arguments), TEXT(step, input_file), TEXT(step, output_file),
                          TEXT(step, spool_key), TEXT(step, result), ENUM(step, status, STEP_FAILED),
                          FIELD(U32, step, progress), TEXT(step, error_message), FIELD(I64, step, started_us),
                          FIELD(I64, step, completed_us)}},
    [CHANGE_EVENT_ADD] = {7,
                          {TEXT(event, chat_id), TEXT(event, type), TEXT(event, job_id), FIELD(U64, event, seq),
                           TEXT(event, event_id), FIELD(BODY, event, body), FIELD(I64, event, created_us)}},
    [CHANGE_ANSWER_PUT] = {9,
                           {FIELD(ID, answer, request_id), FIELD(U16, answer, status), TEXT(answer, message),
                            TEXT(answer, body), TEXT(answer, job_id), FIELD(I64, answer, created_us),
                            FIELD(BOOL, answer, keyed), FIELD(U64, answer, fingerprint), TEXT(answer, chat_id)}},
    [CHANGE_GARBAGE_ADD] = {1, {{FIELD_TEXT, offsetof(struct change, of.garbage_key), 0}}},
};

#define KINDS (sizeof layouts / sizeof *layouts)

/* ---- writing ---- */

static void put_text(struct pack *to, const char *text, size_t len)
{
    pack_bytes(to, text ? text : "", len + 1);
}

static void put_field(struct pack *to, const struct field *field, const struct change *change)
{
    const void *at = (const char *)change + field->at;
    const char *text;
    switch (field->type) {
    case FIELD_TEXT:
        text = *(const char *const *)at;
        put_text(to, text, text ? strlen(text) : 0);
        break;
    case FIELD_BODY: put_text(to, change->of.event.body, change->of.event.body_len); break;
    case FIELD_BOOL: pack_u8(to, *(const bool *)at); break;
    case FIELD_ENUM: pack_u8(to, (uint8_t) * (const unsigned *)at); break;
    case FIELD_U16: pack_u16(to, *(const uint16_t *)at); break;
    case FIELD_U32: pack_u32(to, *(const uint32_t *)at); break;
    case FIELD_U64: pack_u64(to, *(const uint64_t *)at); break;
    case FIELD_I64: pack_u64(to, (uint64_t) * (const int64_t *)at); break;
    case FIELD_ID: pack_bytes(to, at, REQUEST_ID_LEN); break;
    }
}

enum err changes_encode(const struct changes *batch, struct buf *out)
{
    struct pack to = {.out = out};
    pack_u8(&to, CHANGE_CODEC_VERSION);
    for (size_t i = 0; i < changes_count(batch); i++) {
        const struct change *change = changes_at(batch, i);
        const struct layout *layout = &layouts[change->kind];
        pack_u8(&to, (uint8_t)change->kind);
        for (size_t f = 0; f < layout->count; f++)
            put_field(&to, &layout->fields[f], change);
    }
    return to.err;
}

/* ---- reading ---- */

/* A text ends with its only NUL. */
static const char *take_text(struct unpack *from, size_t *len)
{
    struct bytes text = unpack_bytes(from);
    if (from->bad || text.len == 0 || memchr(text.at, '\0', text.len) != text.at + text.len - 1) {
        from->bad = true;
        return "";
    }
    *len = text.len - 1;
    return text.at;
}

static uint8_t take_below(struct unpack *from, unsigned max)
{
    uint8_t value = unpack_u8(from);
    from->bad |= value >= max;
    return value;
}

static void take_id(struct unpack *from, unsigned char *to)
{
    struct bytes id = unpack_bytes(from);
    from->bad |= id.len != REQUEST_ID_LEN;
    if (!from->bad)
        memcpy(to, id.at, REQUEST_ID_LEN);
}

static void take_field(struct unpack *from, const struct field *field, struct change *out)
{
    void *at = (char *)out + field->at;
    size_t len = 0;
    switch (field->type) {
    case FIELD_TEXT: *(const char **)at = take_text(from, &len); break;
    case FIELD_BODY:
        out->of.event.body = take_text(from, &len);
        out->of.event.body_len = len;
        break;
    case FIELD_BOOL: *(bool *)at = take_below(from, 2); break;
    case FIELD_ENUM: *(unsigned *)at = take_below(from, field->max); break;
    case FIELD_U16: *(uint16_t *)at = unpack_u16(from); break;
    case FIELD_U32: *(uint32_t *)at = unpack_u32(from); break;
    case FIELD_U64: *(uint64_t *)at = unpack_u64(from); break;
    case FIELD_I64: *(int64_t *)at = (int64_t)unpack_u64(from); break;
    case FIELD_ID: take_id(from, at); break;
    }
}

enum err change_reader_init(struct change_reader *self, struct bytes payload, struct fault *why)
{
    self->from = (struct unpack){.at = payload.at, .left = payload.len};
    uint8_t version = unpack_u8(&self->from);
    if (self->from.bad || version != CHANGE_CODEC_VERSION)
        return fault_set(why, ERR_UNSUPPORTED, "changes of form %u, this program reads form %d", (unsigned)version,
                         CHANGE_CODEC_VERSION);
    return ERR_OK;
}

enum err change_reader_next(struct change_reader *self, struct change *out, struct fault *why)
{
    if (self->from.left == 0 && !self->from.bad)
        return ERR_END;
    uint8_t kind = take_below(&self->from, KINDS);
    memset(out, 0, sizeof *out);
    if (!self->from.bad) {
        const struct layout *layout = &layouts[kind];
        out->kind = (enum change_kind)kind;
        for (size_t f = 0; f < layout->count && !self->from.bad; f++)
            take_field(&self->from, &layout->fields[f], out);
    }
    return self->from.bad ? fault_set(why, ERR_INVALID, "not a list of changes") : ERR_OK;
}
