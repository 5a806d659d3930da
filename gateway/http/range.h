/* range - the `Range` field of a download (RFC 9110 14): one byte range, or the whole. Pure; any thread. */
#ifndef RANGE_H
#define RANGE_H

#include "err.h"

#include <stdint.h>

enum range_kind {
    RANGE_WHOLE,         /* no Range, not bytes, several ranges, or not understood: answer 200 with everything */
    RANGE_PART,          /* answer 206 */
    RANGE_UNSATISFIABLE, /* answer 416 */
};

struct range {
    uint64_t first;
    uint64_t length;
};

/* header may be NULL. *out is set for RANGE_WHOLE and RANGE_PART. */
enum range_kind range_parse(const char *header, uint64_t size, struct range *out);

#endif
