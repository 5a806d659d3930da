/* Layout: u8 version, u8 kind, then the fields of the kind as the table below names them, little-endian (wire/pack.h).
 */
#include "wire/request_frame.h"

#include <string.h>

enum field { END = 0, LINK, ATTACH, NUMBER, ID, AGAIN, CALL, CHAT, SINCE, EPOCH, TRACE, KEY, STATUS, MESSAGE, BODY };

#define FIELDS_MAX 9

static const struct layout {
    enum request_kind kind;
    enum field fields[FIELDS_MAX]; /* ended by END */
} layouts[] = {
    {REQUEST_ATTACH, {LINK, ATTACH, CHAT, SINCE, EPOCH}},
    {REQUEST_DETACH, {LINK, ATTACH}},
    {REQUEST_BEAT, {LINK, NUMBER}},
    {REQUEST_CALL, {LINK, ID, AGAIN, CALL, CHAT, TRACE, KEY, BODY}},
    {REQUEST_FORGET, {ID}},
    {REQUEST_ANSWER, {ID, STATUS, MESSAGE, BODY}},
    {REQUEST_ACCEPTED, {ID, BODY}},
    {REQUEST_HELLO, {NUMBER}},
};

static const enum field *layout_of(enum request_kind kind)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].kind == kind)
            return layouts[i].fields;
    return NULL;
}

static void write_field(struct pack *to, const struct request_frame *self, enum field field)
{
    switch (field) {
    case END: break;
    case LINK: pack_u64(to, self->link); break;
    case ATTACH: pack_u64(to, self->attach); break;
    case NUMBER: pack_u64(to, self->number); break;
    case ID: pack_bytes(to, self->id, sizeof self->id); break;
    case AGAIN: pack_u8(to, self->again); break;
    case CALL: pack_u8(to, (uint8_t)self->call); break;
    case CHAT: pack_text(to, self->chat); break;
    case SINCE:
        pack_u8(to, self->has_since);
        pack_u64(to, self->since);
        break;
    case EPOCH: pack_text(to, self->epoch); break;
    case TRACE: pack_text(to, self->trace); break;
    case KEY:
        pack_bytes(to, self->key, self->keyed ? sizeof self->key : 0);
        pack_u64(to, self->keyed ? self->fingerprint : 0);
        break;
    case STATUS: pack_u16(to, self->status); break;
    case MESSAGE: pack_bytes(to, self->message.at, self->message.len); break;
    case BODY: pack_bytes(to, self->body.at, self->body.len); break;
    }
}

/* A chat id is checked here, so that no reader of frames meets an invalid one; "" stands for none. */
static void read_chat(struct unpack *from, struct request_frame *out)
{
    unpack_text(from, out->chat, sizeof out->chat);
    if (out->chat[0] && !id_chat_valid(out->chat, strlen(out->chat)))
        from->bad = true;
}

/* Sixteen bytes, or none. */
static void read_key(struct unpack *from, struct request_frame *out)
{
    struct bytes key = unpack_bytes(from);
    out->fingerprint = unpack_u64(from);
    out->keyed = key.len > 0;
    if (key.len == sizeof out->key)
        memcpy(out->key, key.at, key.len);
    else if (key.len > 0)
        from->bad = true;
}

static void read_field(struct unpack *from, struct request_frame *out, enum field field)
{
    switch (field) {
    case END: break;
    case LINK: out->link = unpack_u64(from); break;
    case ATTACH: out->attach = unpack_u64(from); break;
    case NUMBER: out->number = unpack_u64(from); break;
    case ID: {
        struct bytes id = unpack_bytes(from);
        if (id.len == sizeof out->id)
            memcpy(out->id, id.at, id.len);
        else
            from->bad = true;
        break;
    }
    case AGAIN: {
        uint8_t again = unpack_u8(from);
        out->again = again == 1;
        from->bad |= again > 1;
        break;
    }
    case CALL: {
        uint8_t call = unpack_u8(from);
        out->call = (enum call)call;
        from->bad |= call < CALL_READY || call >= CALL_KINDS;
        break;
    }
    case CHAT: read_chat(from, out); break;
    case SINCE: {
        uint8_t has = unpack_u8(from);
        out->has_since = has == 1;
        out->since = unpack_u64(from);
        from->bad |= has > 1;
        break;
    }
    case EPOCH: unpack_text(from, out->epoch, sizeof out->epoch); break;
    case TRACE: unpack_text(from, out->trace, sizeof out->trace); break;
    case KEY: read_key(from, out); break;
    case STATUS: out->status = unpack_u16(from); break;
    case MESSAGE: out->message = unpack_bytes(from); break;
    case BODY: out->body = unpack_bytes(from); break;
    }
}

enum err request_frame_write(const struct request_frame *self, struct buf *out)
{
    const enum field *fields = layout_of(self->kind);
    if (!fields)
        return ERR_INVALID;
    struct pack to = {out, ERR_OK};
    pack_u8(&to, REQUEST_VERSION);
    pack_u8(&to, (uint8_t)self->kind);
    for (size_t i = 0; i < FIELDS_MAX && fields[i] != END; i++)
        write_field(&to, self, fields[i]);
    return to.err;
}

enum err request_frame_read(struct request_frame *out, const void *bytes, size_t len)
{
    struct unpack from = {bytes, len, false};
    memset(out, 0, sizeof *out);
    if (unpack_u8(&from) != REQUEST_VERSION)
        return ERR_PROTOCOL;
    out->kind = (enum request_kind)unpack_u8(&from);
    const enum field *fields = layout_of(out->kind);
    if (from.bad || !fields)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < FIELDS_MAX && fields[i] != END; i++)
        read_field(&from, out, fields[i]);
    return unpack_done(&from) ? ERR_OK : ERR_PROTOCOL;
}

const char *call_name(enum call call)
{
    switch (call) {
    case CALL_READY: return "ready";
    case CALL_CREATE_CHAT: return "create_chat";
    case CALL_LIST_CHATS: return "list_chats";
    case CALL_GET_CHAT: return "get_chat";
    case CALL_DELETE_CHAT: return "delete_chat";
    case CALL_CHAT_PLACE: return "chat_place";
    case CALL_ADD_UPLOAD: return "add_upload";
    case CALL_FIND_FILE: return "find_file";
    case CALL_EXECUTE: return "execute";
    case CALL_GET_JOB: return "get_job";
    case CALL_LIST_JOBS: return "list_jobs";
    case CALL_CANCEL_JOB: return "cancel_job";
    case CALL_RETRY_JOB: return "retry_job";
    case CALL_GET_EVENTS: return "get_events";
    case CALL_EXPORT_CHAT: return "export_chat";
    case CALL_IMPORT_CHAT: return "import_chat";
    case CALL_BACKUP: return "backup";
    case CALL_KINDS: break;
    }
    return "unknown";
}
