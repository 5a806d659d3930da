/* json_scan - checks that bytes are one JSON object (RFC 8259, UTF-8 checked, depth limited) and tells where its
 * top-level members lie, without building a tree: the bytes of an event are checked once, at intake, and passed on as
 * they are. What lies deeper is walked by a cursor.
 *
 * Strictness equals jansson's (duplicate keys: allowed, the last counts; no trailing bytes but white space; lone
 * surrogate escapes are refused; \u0000 is refused). Fuzzed against it. Any thread, no allocation. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "err.h"

#include <stdint.h>

#define JSON_SCAN_DEPTH_MAX   64
#define JSON_SCAN_MEMBERS_MAX 64 /* top-level members of an event; more is ERR_TOO_LARGE */

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_TRUTH,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

struct json_span {
    const char *at;
    size_t len;
};

struct json_member {
    struct json_span key;   /* between the quotes; escapes are not resolved. Empty for an element of an array */
    struct json_span value; /* the whole value with its quotes or brackets, no blanks around */
    enum json_kind kind;
};

struct json_members {
    uint32_t count;
    struct json_member member[JSON_SCAN_MEMBERS_MAX];
};

/* ERR_INVALID with "line L, column C: reason"; ERR_TOO_LARGE beyond depth or member limits. out NULL: members are
 * neither listed nor limited. */
enum err json_scan_object(const char *bytes, size_t len, struct json_members *out, struct fault *why) MUST_CHECK;

/* The last member of that name, or NULL. A key with escapes never equals a plain one. */
const struct json_member *json_members_find(const struct json_members *self, const char *key);
/* Copies a string member without escapes resolved into out (NUL-terminated); false when absent, not a string, has an
 * escape, or is longer than size - 1. For ids and type names. */
bool json_member_plain_text(const struct json_member *member, char *out, size_t size);
bool json_member_int(const struct json_member *member, int64_t *out); /* false: absent, fraction, out of range */

/* A walk over the members of an object, or the elements of an array, in bytes that json_scan_object() has accepted:
 * nothing is checked again. As many as there are. */
struct json_walk {
    const char *at, *end;
    bool keyed;
};

struct json_walk json_walk_begin(struct json_span container);         /* blanks around it are allowed */
bool json_walk_next(struct json_walk *self, struct json_member *out); /* false: that was the last one */

/* Is the key, with its escapes resolved, this name (which needs none)? */
bool json_key_is(const struct json_span *key, const char *name);
/* Copies a string with its escapes resolved, as far as it fits, and a NUL. Returns the bytes that it has altogether. */
size_t json_member_text(const struct json_member *member, char *out, size_t size);
/* Copies a value without the blanks between its tokens; returns the bytes written, at most value.len. */
size_t json_compact(struct json_span value, char *out);

#endif
