/* target - a request target (RFC 9112 3.2) as decoded path segments and query parameters.
 *
 * The path is split at the slashes *before* it is decoded, so an encoded slash never makes a segment, and nothing is
 * normalised: `..` is a segment like any other and meets a route or none. Pure; any thread. */
#ifndef TARGET_H
#define TARGET_H

#include "err.h"

#define TARGET_SEGMENTS_MAX   16
#define TARGET_PARAMETERS_MAX 32

struct target_parameter {
    const char *name;
    const char *value; /* "" when there was no `=` */
};

struct target {
    size_t segment_count;
    const char *segment[TARGET_SEGMENTS_MAX]; /* decoded, NUL-terminated, without a NUL inside; may be "" */
    size_t parameter_count;
    struct target_parameter parameter[TARGET_PARAMETERS_MAX];
    char *memory;
};

/* ERR_INVALID with a text for a bad percent code or an encoded NUL, ERR_TOO_LARGE for too many segments or parameters.
 * raw: `/path?query`, an absolute http URL (its authority is dropped), or `*` (no segments). */
enum err target_parse(struct target *out, const char *raw, struct fault *why) MUST_CHECK;
void target_fini(struct target *self);

/* The first parameter of that name, or NULL. */
const char *target_query(const struct target *self, const char *name);

#endif
