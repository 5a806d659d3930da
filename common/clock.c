#include "clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

static int64_t split(int64_t wall_us, struct tm *out)
{
    int64_t micros = wall_us % 1000000;
    time_t seconds = (time_t)(wall_us / 1000000);
    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    gmtime_r(&seconds, out);
    return micros;
}

static size_t iso(int64_t wall_us, const char *zone, char out[CLOCK_TEXT_MAX])
{
    struct tm t;
    int64_t micros = split(wall_us, &t);
    int len = snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06d%s", t.tm_year + 1900, t.tm_mon + 1,
                       t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)micros, zone);
    return len < CLOCK_TEXT_MAX ? (size_t)len : CLOCK_TEXT_MAX - 1;
}

size_t clock_rfc3339(int64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    return iso(wall_us, "Z", out);
}

size_t clock_rfc3339_offset(int64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    return iso(wall_us, "+00:00", out);
}

size_t clock_iso_naive(int64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    return iso(wall_us, "", out);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the format is the caller's literal */
size_t clock_format(int64_t wall_us, const char *format, char out[CLOCK_TEXT_MAX])
{
    struct tm t;
    split(wall_us, &t);
    return strftime(out, CLOCK_TEXT_MAX, format, &t);
}
#pragma GCC diagnostic pop
