/* guard - decides, from the request line and the header fields alone, whether a request is one we read at all.
 *
 * The library below is lenient where leniency is dangerous: it takes the first of two Content-Lengths, prefers chunked
 * where both framings are given, joins a folded line to a field's *name*, and cuts values at a NUL. Two servers that
 * disagree about where a request ends can be made to smuggle one (RFC 9112 11.2), so everything ambiguous is refused
 * here and the connection is closed, because nothing after an ambiguous request can be trusted. Pure; any thread. */
#ifndef GUARD_H
#define GUARD_H

#include "http/fields.h"

struct guard_request {
    const char *method;
    const char *uri; /* as received, not decoded */
    const char *version;
    const struct fields *fields;
    size_t head_bytes;     /* request line and fields as received, with the empty line at their end */
    size_t head_bytes_max; /* beyond: 431 */
};

struct guard_framing {
    bool has_body; /* a body follows the header: its length, or chunked */
    bool chunked;
    uint64_t content_length; /* 0 when chunked */
    bool expects_continue;   /* the client sends the body only after a 100 */
};

/* 0 when the request may be read, otherwise the HTTP status of the refusal with *reason = a text for people. */
int guard_check(const struct guard_request *request, struct guard_framing *out, const char **reason);

#endif
