/* What a peer of a router sends, through a real pair of sockets. Two properties by the first byte:
 *
 *   any bytes (behind a handshake or not): whatever the pieces they come in, the same messages, the same answers and
 *     the same end as when all come at once; never more memory than the limits say; each frame taken, written again,
 *     reads as it was
 *   messages made of the bytes, cut as they like: all come out as they went in, and nothing else */
#include "ports/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_MAX ((size_t)120 << 10) /* what the pair of sockets surely takes at once */
#define HEARD_MAX  ((size_t)1 << 20)
#define OUT_MAX    600                /* soon full of answers */
#define IDLE_ROOM  ((size_t)32 << 10) /* of each direction: connection.h */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char handshake[] = "\xFF\0\0\0\0\0\0\0\1\x7F\3\1NULL"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\4\34\5READY\13Socket-Type\0\0\0\6DEALER";
_Static_assert(sizeof handshake - 1 == ZMTP_GREETING + 30, "a greeting and a READY");

static void must(bool yes)
{
    if (!yes)
        abort();
}

/* The fuzzer's bytes, taken one decision after the other; zeros when they are at their end. */
struct choice {
    const uint8_t *at;
    size_t left;
};

static uint8_t choose(struct choice *self)
{
    if (self->left == 0)
        return 0;
    self->left--;
    return *self->at++;
}

/* ---- what was heard ---- */

static void hear_number(struct buf *heard, uint64_t number)
{
    must(buf_add(heard, &number, sizeof number) == ERR_OK);
}

static void reads_as_it_was(struct bytes body, unsigned flags)
{
    struct buf out = BUF_INIT(body.len + ZMTP_HEAD_MAX);
    struct zmtp_frame frame;
    must(zmtp_write_frame(&out, flags, body) == ERR_OK);
    must(zmtp_read_frame(out.data, out.len - 1, body.len, &frame) == ERR_END);
    must(zmtp_read_frame(out.data, out.len, body.len, &frame) == ERR_OK);
    must(frame.flags == flags && frame.size == out.len && frame.body.len == body.len);
    must(body.len == 0 || memcmp(frame.body.at, body.at, body.len) == 0);
    buf_fini(&out);
}

static void hear_message(struct buf *heard, const struct connection_message *message)
{
    must(message->count >= 1 && message->count <= CONNECTION_PARTS + 1);
    hear_number(heard, (uint64_t)message->count);
    for (int i = 0; i < message->count && message->count <= CONNECTION_PARTS; i++) {
        hear_number(heard, message->part[i].len);
        must(buf_add(heard, message->part[i].at, message->part[i].len) == ERR_OK);
        reads_as_it_was(message->part[i], i + 1 < message->count ? ZMTP_MORE : 0);
    }
}

/* ---- one connection ---- */

struct line {
    int far; /* the peer's end */
    struct connection connection;
    struct connection_limits limits;
    struct buf heard;
    enum err end; /* ERR_END while it goes on */
};

static void line_init(struct line *self, size_t body_max)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    *self = (struct line){.far = ends[0],
                          .limits = {.body_max = body_max, .out_max = OUT_MAX},
                          .heard = BUF_INIT(HEARD_MAX),
                          .end = ERR_END};
    must(connection_init(&self->connection, ends[1], &self->limits) == ERR_OK);
}

static void line_fini(struct line *self)
{
    connection_fini(&self->connection);
    buf_fini(&self->heard);
    close(self->far);
}

static void expect_bounded(const struct connection *self)
{
    must(self->in.len <= self->in.limit && self->in.room <= 2 * self->in.limit && self->out.len <= OUT_MAX);
}

static void hear_all(struct line *self)
{
    struct connection_message message;
    struct fault why = {.text = ""};
    while ((self->end = connection_next(&self->connection, &self->limits, &message, &why)) == ERR_OK)
        hear_message(&self->heard, &message);
    must(self->end == ERR_END || ((self->end == ERR_PROTOCOL || self->end == ERR_TOO_LARGE) && why.text[0]));
}

/* The peer sends this; the router reads until nothing is left, as it does. */
static void line_carry(struct line *self, const char *at, size_t len)
{
    size_t got;
    bool drained;
    enum err err = ERR_OK;
    if (self->end != ERR_END || len == 0)
        return;
    must(send(self->far, at, len, 0) == (ssize_t)len);
    while (err == ERR_OK && self->end == ERR_END) {
        err = connection_receive(&self->connection, &got, &drained);
        must(err == ERR_OK || err == ERR_END);
        hear_all(self);
        expect_bounded(&self->connection);
    }
    connection_rest(&self->connection);
    must(self->connection.in.len > 0 || self->connection.in.room <= IDLE_ROOM);
}

/* Small ones and some that are larger than a read; large ones when nothing is left to choose from. */
static size_t choose_piece(struct choice *cuts)
{
    size_t piece = cuts->left > 0 ? choose(cuts) : 0xFF;
    return piece < 0xC0 ? 1 + piece : (piece - 0xBF) << 9;
}

static void line_carry_pieces(struct line *self, const struct buf *stream, struct choice *cuts)
{
    for (size_t at = 0; at < stream->len;) {
        size_t piece = choose_piece(cuts);
        piece = piece < stream->len - at ? piece : stream->len - at;
        line_carry(self, stream->data + at, piece);
        at += piece;
    }
}

static bool same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* ---- streams ---- */

static size_t room_of(const struct buf *self)
{
    return self->limit - self->len;
}

/* Many bytes of few: 0xFD stands for a run. */
static void add_bytes(struct buf *stream, struct choice *from, size_t count)
{
    for (; count > 0 && from->left > 0; count--) {
        uint8_t byte = choose(from);
        size_t run = byte == 0xFD ? (size_t)choose(from) << 8 : 1;
        char *at;
        if (run > room_of(stream))
            return;
        must(buf_extend(stream, run, &at) == ERR_OK);
        if (run > 0)
            memset(at, byte, run);
    }
}

static void any_bytes(struct choice *from, size_t body_max, bool shaken)
{
    struct choice cuts = {from->at + from->left, 0};
    struct buf stream = BUF_INIT(STREAM_MAX);
    struct line whole, pieces;
    size_t given = choose(from);
    cuts = (struct choice){from->at, from->left < given ? from->left : given};
    from->at += cuts.left;
    from->left -= cuts.left;
    if (shaken)
        must(buf_add(&stream, handshake, sizeof handshake - 1) == ERR_OK);
    add_bytes(&stream, from, from->left);
    line_init(&whole, body_max);
    line_init(&pieces, body_max);
    line_carry(&whole, stream.data, stream.len);
    line_carry_pieces(&pieces, &stream, &cuts);
    must(whole.end == pieces.end && same(&whole.heard, &pieces.heard));
    must(same(&whole.connection.out, &pieces.connection.out) && whole.connection.state == pieces.connection.state);
    line_fini(&whole);
    line_fini(&pieces);
    buf_fini(&stream);
}

/* ---- messages ---- */

static size_t choose_size(struct choice *from, size_t body_max)
{
    size_t size = choose(from);
    if (size >= 0xF0)
        size = (size - 0xF0) << 12 | choose(from);
    return size < body_max ? size : body_max;
}

/* One message into the stream, and into `said` what is to be heard of it. */
static void add_message(struct buf *stream, struct buf *said, struct choice *from, size_t body_max)
{
    static const char body[(size_t)64 << 10];
    struct connection_message message = {.count = 0};
    int frames = 1 + choose(from) % (CONNECTION_PARTS + 2);
    size_t sizes[CONNECTION_PARTS + 2], total = 0;
    for (int i = 0; i < frames; i++)
        total += ZMTP_HEAD_MAX + (sizes[i] = choose_size(from, body_max));
    if (total > room_of(stream))
        return;
    message.count = frames <= CONNECTION_PARTS ? frames : CONNECTION_PARTS + 1;
    for (int i = 0; i < frames; i++) {
        struct bytes part = {sizes[i] <= from->left ? (const char *)from->at : body, sizes[i]};
        must(zmtp_write_frame(stream, i + 1 < frames ? ZMTP_MORE : 0, part) == ERR_OK);
        if (i < CONNECTION_PARTS)
            message.part[i] = part;
    }
    hear_message(said, &message);
}

static void all_messages(struct choice *from, size_t body_max)
{
    struct buf stream = BUF_INIT(STREAM_MAX), said = BUF_INIT(HEARD_MAX);
    struct line line;
    struct choice cuts = *from;
    must(buf_add(&stream, handshake, sizeof handshake - 1) == ERR_OK);
    while (from->left > 0)
        add_message(&stream, &said, from, body_max);
    line_init(&line, body_max);
    line_carry_pieces(&line, &stream, &cuts);
    must(line.end == ERR_END && same(&line.heard, &said));
    must(line.connection.state == CONNECTION_OPEN && line.connection.in.len == line.connection.start);
    line_fini(&line);
    buf_fini(&stream);
    buf_fini(&said);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const size_t body_max[] = {64, 300, 23000, (size_t)64 << 10};
    struct choice from = {bytes, len};
    uint8_t kind = choose(&from);
    size_t most = body_max[kind >> 2 & 3];
    if (kind & 1)
        all_messages(&from, most);
    else
        any_bytes(&from, most, kind & 2);
    return 0;
}
