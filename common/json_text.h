/* json_text - JSON written straight into a buffer, for frames and answers that need no tree (RFC 8259). Any thread.
 *
 * Keys of members are names of ours, written as they are: none may need an escape. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include "buf.h"

/* A JSON string with quotes. Input must be UTF-8; bytes that are not become U+FFFD. Non-ASCII passes unescaped. */
enum err json_text_string(struct buf *out, const char *text, size_t len) MUST_CHECK;
/* `"key":"value"` with a comma before it when the buffer's last byte is neither `{` nor `[`. */
enum err json_text_member(struct buf *out, const char *key, const char *value) MUST_CHECK;
enum err json_text_member_int(struct buf *out, const char *key, int64_t value) MUST_CHECK;
enum err json_text_member_raw(struct buf *out, const char *key, const char *json, size_t len) MUST_CHECK;

#endif
