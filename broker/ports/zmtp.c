#include "ports/zmtp.h"

#include <string.h>
#include <strings.h>

#define VERSION_AT   10 /* behind the signature */
#define MECHANISM_AT 12
#define ROLE_AT      32 /* as-server */
#define READY_MAX    64 /* bytes of ours */
#define PING_TTL     2
#define PING_MAX     16 /* bytes of context that may follow (RFC 37) */

/* We call ourselves 3.0: all that 3.1 adds is for PUB, SUB and CURVE. */
const unsigned char zmtp_greeting[ZMTP_GREETING] = {[0] = 0xFF, [9] = 0x7F, [VERSION_AT] = 3, [MECHANISM_AT] = 'N', 'U',
                                                    'L',        'L'};

/* Byte 9 is odd in every version's signature but the first, whose length it would be. */
static bool right_at(const char *at, size_t i)
{
    unsigned char byte = (unsigned char)at[i];
    if (i == 0)
        return byte == 0xFF;
    if (i == VERSION_AT - 1)
        return byte & 1;
    if (i == VERSION_AT)
        return byte >= 3;
    if (i >= MECHANISM_AT && i < ROLE_AT)
        return byte == zmtp_greeting[i];
    return true;
}

enum err zmtp_check_greeting(const char *at, size_t len, struct fault *why)
{
    for (size_t i = 0; i < len && i < ZMTP_GREETING; i++)
        if (!right_at(at, i))
            return fault_set(why, ERR_PROTOCOL, "%s",
                             i < VERSION_AT    ? "not ZeroMQ"
                             : i == VERSION_AT ? "ZMTP before version 3"
                                               : "a security mechanism other than NULL");
    return len < ZMTP_GREETING ? ERR_END : ERR_OK;
}

/* ---- frames ---- */

static uint64_t read_number(const char *at, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

static size_t head_size(unsigned flags)
{
    return flags & ZMTP_LONG ? ZMTP_HEAD_MAX : 2;
}

enum err zmtp_read_frame(const char *at, size_t len, size_t body_max, struct zmtp_frame *out)
{
    if (len == 0)
        return ERR_END;
    unsigned flags = (unsigned char)*at;
    if (flags > (ZMTP_MORE | ZMTP_LONG | ZMTP_COMMAND) || (flags & ZMTP_COMMAND && flags & ZMTP_MORE))
        return ERR_PROTOCOL;
    size_t head = head_size(flags);
    if (len < head)
        return ERR_END;
    uint64_t body = read_number(at + 1, head - 1);
    if (body > body_max)
        return ERR_TOO_LARGE;
    if (len - head < body)
        return ERR_END;
    *out = (struct zmtp_frame){flags & ~(unsigned)ZMTP_LONG, {at + head, (size_t)body}, head + (size_t)body};
    return ERR_OK;
}

enum err zmtp_write_frame(struct buf *out, unsigned flags, struct bytes body)
{
    unsigned char head[ZMTP_HEAD_MAX] = {(unsigned char)flags, (unsigned char)body.len};
    if (body.len > 255) {
        head[0] |= ZMTP_LONG;
        for (unsigned i = 0; i < 8; i++)
            head[1 + i] = (unsigned char)((uint64_t)body.len >> (56 - 8 * i));
    }
    size_t len = head_size(head[0]);
    char *at;
    enum err err = buf_extend(out, len + body.len, &at);
    if (err != ERR_OK)
        return err;
    memcpy(at, head, len);
    if (body.len > 0)
        memcpy(at + len, body.at, body.len);
    return ERR_OK;
}

/* ---- commands ---- */

static struct bytes skip(struct bytes from, size_t count)
{
    return (struct bytes){from.at + count, from.len - count};
}

/* Text behind its length of one byte. */
static bool take_name(struct bytes *from, struct bytes *name)
{
    if (from->len < 1 || (unsigned char)*from->at > from->len - 1)
        return false;
    *name = (struct bytes){from->at + 1, (unsigned char)*from->at};
    *from = skip(*from, 1 + name->len);
    return true;
}

static bool take_value(struct bytes *from, struct bytes *value)
{
    if (from->len < 4 || read_number(from->at, 4) > from->len - 4)
        return false;
    *value = (struct bytes){from->at + 4, (size_t)read_number(from->at, 4)};
    *from = skip(*from, 4 + value->len);
    return true;
}

static bool is(struct bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.at, text, bytes.len) == 0;
}

/* RFC 23: the names of properties are not case-sensitive. */
static bool names(struct bytes name, const char *text)
{
    return name.len == strlen(text) && strncasecmp(name.at, text, name.len) == 0;
}

enum err zmtp_read_command(struct bytes body, enum zmtp_command *out, struct bytes *rest)
{
    struct bytes name;
    if (!take_name(&body, &name) || name.len == 0)
        return ERR_PROTOCOL;
    *out = is(name, "READY") ? ZMTP_READY : is(name, "PING") ? ZMTP_PING : ZMTP_OTHER;
    *rest = body;
    return ERR_OK;
}

static bool may_speak(struct bytes type)
{
    return is(type, "DEALER") || is(type, "REQ") || is(type, "ROUTER");
}

enum err zmtp_check_ready(struct bytes properties, struct fault *why)
{
    struct bytes name, value;
    bool found = false;
    while (properties.len > 0) {
        if (!take_name(&properties, &name) || !take_value(&properties, &value))
            return fault_set(why, ERR_PROTOCOL, "its READY cannot be read");
        if (!names(name, "Socket-Type"))
            continue;
        found = may_speak(value);
        if (!found)
            return fault_set(why, ERR_PROTOCOL, "a %.*s cannot speak to a ROUTER", value.len < 16 ? (int)value.len : 16,
                             value.at);
    }
    return found ? ERR_OK : fault_set(why, ERR_PROTOCOL, "its READY names no Socket-Type");
}

enum err zmtp_write_ready(struct buf *out, const char *type)
{
    static const char name[] = "\5READY\13Socket-Type\0\0";
    struct buf body = BUF_INIT(READY_MAX);
    enum err err = buf_add(&body, name, sizeof name); /* its NUL is the length's third byte */
    if (err == ERR_OK)
        err = buf_add_byte(&body, (uint8_t)strlen(type));
    if (err == ERR_OK)
        err = buf_add_text(&body, type);
    if (err == ERR_OK)
        err = zmtp_write_frame(out, ZMTP_COMMAND, (struct bytes){body.data, body.len});
    buf_fini(&body);
    return err;
}

enum err zmtp_write_pong(struct buf *out, struct bytes ping)
{
    static const char pong[] = "\4PONG";
    char body[sizeof pong - 1 + PING_MAX];
    if (ping.len < PING_TTL || ping.len - PING_TTL > PING_MAX)
        return ERR_PROTOCOL;
    memcpy(body, pong, sizeof pong - 1);
    memcpy(body + sizeof pong - 1, ping.at + PING_TTL, ping.len - PING_TTL);
    return zmtp_write_frame(out, ZMTP_COMMAND, (struct bytes){body, sizeof pong - 1 + ping.len - PING_TTL});
}
