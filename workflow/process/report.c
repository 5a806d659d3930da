#include "process/report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LENGTH_BYTES 4
#define READ_BYTES   (64u << 10)

enum err report_write(const struct report *self, struct buf *out)
{
    struct buf body = BUF_INIT(REPORT_BYTES_MAX);
    struct pack pack = {.out = &body};
    pack_u8(&pack, (uint8_t)self->kind);
    switch (self->kind) {
    case REPORT_PROGRESS:
        pack_u8(&pack, self->percent);
        pack_u64(&pack, self->rows);
        pack_text(&pack, self->text);
        break;
    case REPORT_DONE:
        pack_text(&pack, self->suffix);
        pack_u8(&pack, self->data_file);
        pack_u8(&pack, self->made_table);
        pack_u64(&pack, self->rows_read);
        pack_u64(&pack, self->rows_written);
        pack_bytes(&pack, self->result.at, self->result.len);
        break;
    case REPORT_FAILED:
        pack_u32(&pack, (uint32_t)self->code);
        pack_text(&pack, self->text);
        break;
    case REPORT_FORBIDDEN: pack_u32(&pack, self->call); break;
    }
    struct pack whole = {.out = out, .err = pack.err == ERR_FULL ? ERR_TOO_LARGE : pack.err};
    if (whole.err == ERR_OK)
        pack_bytes(&whole, body.data, body.len);
    buf_fini(&body);
    return whole.err == ERR_FULL ? ERR_TOO_LARGE : whole.err;
}

void report_write_forbidden(uint32_t call, unsigned char out[REPORT_FORBIDDEN_BYTES])
{
    memset(out, 0, REPORT_FORBIDDEN_BYTES);
    out[0] = REPORT_FORBIDDEN_BYTES - LENGTH_BYTES;
    out[LENGTH_BYTES] = REPORT_FORBIDDEN;
    for (int i = 0; i < 4; i++)
        out[LENGTH_BYTES + 1 + i] = (unsigned char)(call >> (8 * i));
}

void report_reader_fini(struct report_reader *self)
{
    buf_fini(&self->bytes);
}

/* Drops the messages handed out, so that the buffer never holds more than one unfinished message and one read. */
static void drop_taken(struct report_reader *self)
{
    if (self->taken == 0)
        return;
    memmove(self->bytes.data, self->bytes.data + self->taken, self->bytes.len - self->taken);
    self->bytes.len -= self->taken;
    self->taken = 0;
}

enum err report_reader_fill(struct report_reader *self, int fd)
{
    drop_taken(self);
    char chunk[READ_BYTES];
    ssize_t len;
    do
        len = read(fd, chunk, sizeof chunk);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return errno == EAGAIN ? ERR_TIMEOUT : ERR_IO;
    if (len == 0)
        return ERR_END;
    return self->broken ? ERR_OK : buf_add(&self->bytes, chunk, (size_t)len);
}

enum err report_reader_feed(struct report_reader *self, const void *bytes, size_t len)
{
    drop_taken(self);
    return buf_add(&self->bytes, bytes, len);
}

/* A text from the process: at most size - 1 bytes are kept, and it ends at its first NUL. */
static void take_text(struct unpack *from, char *out, size_t size)
{
    struct bytes text = unpack_bytes(from);
    size_t len = text.len < size - 1 ? text.len : size - 1;
    if (len > 0)
        memcpy(out, text.at, len);
    out[len] = '\0';
}

static bool suffix_valid(const char *suffix)
{
    if (suffix[0] == '\0')
        return true;
    if (suffix[0] != '.' || suffix[1] == '\0')
        return false;
    return strspn(suffix + 1, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(suffix + 1);
}

static void take_done(struct unpack *from, struct report *out)
{
    unpack_text(from, out->suffix, sizeof out->suffix);
    out->data_file = unpack_u8(from) != 0;
    out->made_table = unpack_u8(from) != 0;
    out->rows_read = unpack_u64(from);
    out->rows_written = unpack_u64(from);
    out->result = unpack_bytes(from);
    from->bad = from->bad || !suffix_valid(out->suffix) || (out->data_file && out->suffix[0] == '\0');
}

static void take_failed(struct unpack *from, struct report *out)
{
    uint32_t code = unpack_u32(from);
    out->code = code == ERR_OK || code > ERR_INTERNAL ? ERR_INTERNAL : (enum err)code;
    take_text(from, out->text, sizeof out->text);
}

static void take_progress(struct unpack *from, struct report *out)
{
    uint8_t percent = unpack_u8(from);
    out->percent = percent > 100 ? 100 : percent;
    out->rows = unpack_u64(from);
    take_text(from, out->text, REPORT_MESSAGE_MAX);
}

static bool take_message(struct unpack *from, struct report *out)
{
    *out = (struct report){.code = ERR_OK};
    uint8_t kind = unpack_u8(from);
    if (kind < REPORT_PROGRESS || kind > REPORT_FORBIDDEN)
        return false;
    out->kind = (enum report_kind)kind;
    switch (out->kind) {
    case REPORT_PROGRESS: take_progress(from, out); break;
    case REPORT_DONE: take_done(from, out); break;
    case REPORT_FAILED: take_failed(from, out); break;
    case REPORT_FORBIDDEN: out->call = unpack_u32(from); break;
    }
    return unpack_done(from);
}

enum err report_reader_next(struct report_reader *self, struct report *out)
{
    size_t left = self->bytes.len - self->taken;
    if (self->broken)
        return ERR_PROTOCOL;
    if (left < LENGTH_BYTES)
        return ERR_END;
    struct unpack head = {.at = self->bytes.data + self->taken, .left = LENGTH_BYTES};
    uint32_t len = unpack_u32(&head);
    if (len <= REPORT_BYTES_MAX && left - LENGTH_BYTES < len)
        return ERR_END;
    struct unpack body = {.at = self->bytes.data + self->taken + LENGTH_BYTES, .left = len};
    if (len > REPORT_BYTES_MAX || !take_message(&body, out)) {
        self->broken = true;
        return ERR_PROTOCOL;
    }
    self->taken += LENGTH_BYTES + (size_t)len;
    return ERR_OK;
}
