/* zmtp - the bytes of ZMTP 3 (ZeroMQ RFC 23; its 3.1 is RFC 37), mechanism NULL, as both sides see them.
 * Pure: no sockets, no state. Whatever is read came by socket and is not trusted.
 *
 *   greeting   FF 8 bytes 7F | major, minor | mechanism, 20 bytes | as-server | 31 zeros
 *   frame      flags (1 more, 2 long, 4 command) | length, 1 byte or, long, 8 in network order | body
 *   command    a frame whose body begins with a name: length, 1 byte, and text
 *   READY      properties: name (length, 1 byte), value (length, 4 bytes in network order)
 */
#ifndef ZMTP_H
#define ZMTP_H

#include "wire/pack.h"

#define ZMTP_GREETING 64
#define ZMTP_HEAD_MAX 9 /* bytes of a frame before its body */

enum zmtp_flag { ZMTP_MORE = 1, ZMTP_LONG = 2, ZMTP_COMMAND = 4 };

extern const unsigned char zmtp_greeting[ZMTP_GREETING]; /* ours */

/* The peer's greeting. ERR_END: it is not all here yet, and right so far. ERR_PROTOCOL: why says what is wrong. */
enum err zmtp_check_greeting(const char *at, size_t len, struct fault *why) MUST_CHECK;

struct zmtp_frame {
    unsigned flags; /* MORE, COMMAND */
    struct bytes body;
    size_t size; /* with its head */
};

/* The frame that begins here. ERR_END: it is not all here yet. ERR_TOO_LARGE: its body has more than body_max bytes.
 * ERR_PROTOCOL: no frame can begin so. */
enum err zmtp_read_frame(const char *at, size_t len, size_t body_max, struct zmtp_frame *out) MUST_CHECK;
/* Head and body behind one another. */
enum err zmtp_write_frame(struct buf *out, unsigned flags, struct bytes body) MUST_CHECK;

enum zmtp_command { ZMTP_READY, ZMTP_PING, ZMTP_OTHER };

/* rest: what follows the name. ERR_PROTOCOL: no command. */
enum err zmtp_read_command(struct bytes body, enum zmtp_command *out, struct bytes *rest) MUST_CHECK;
/* May a socket that describes itself so speak to a ROUTER (RFC 28)? ERR_PROTOCOL with the reason. */
enum err zmtp_check_ready(struct bytes properties, struct fault *why) MUST_CHECK;
/* READY of a socket of that type: "ROUTER". */
enum err zmtp_write_ready(struct buf *out, const char *type) MUST_CHECK;
/* The answer to PING, whose rest begins with two bytes of time to live; what follows it goes back. */
enum err zmtp_write_pong(struct buf *out, struct bytes ping) MUST_CHECK;

#endif
