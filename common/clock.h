/* clock - time from the system, and time as text. Pure logic never calls this: it is handed `now`. Any thread. */
#ifndef CLOCK_H
#define CLOCK_H

#include "err.h"

#include <stdint.h>

int64_t clock_monotonic_ms(void); /* for deadlines; unrelated to the calendar */
int64_t clock_monotonic_us(void); /* for measurements */
int64_t clock_wall_us(void);      /* microseconds since the Unix epoch, UTC */

#define CLOCK_TEXT_MAX 40

/* RFC 3339, UTC, microseconds, `Z`: 2026-11-22T17:39:22.721654Z. Returns the length; NUL-terminated. */
size_t clock_rfc3339(int64_t wall_us, char out[CLOCK_TEXT_MAX]);
/* The same in the system's time zone with its offset, `+01:00` (the envelope's requested_time). */
size_t clock_rfc3339_local(int64_t wall_us, char out[CLOCK_TEXT_MAX]);
/* UTC ISO without zone, as conversation objects carry it: 2026-11-22T17:39:22.721654. */
size_t clock_iso_naive(int64_t wall_us, char out[CLOCK_TEXT_MAX]);
/* strftime in UTC: "%Y%m%d_%H%M%S", "%Y/%m". */
size_t clock_format(int64_t wall_us, const char *format, char out[CLOCK_TEXT_MAX]);

#endif
