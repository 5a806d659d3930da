#include "clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAST_SECOND INT64_C(253402214400) /* 9999-12-31: in every zone still of that year */

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

static char *put_digits(char *at, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + digits;
}

/* Written by hand: every event carries one, and snprintf() would take longer than all else of its head. */
static size_t iso(int64_t wall_us, const char *zone, char out[CLOCK_TEXT_MAX])
{
    struct tm t;
    int micros = (int)split(wall_us, &t);
    int year = t.tm_year + 1900;
    year = year < 0 ? 0 : year > 9999 ? 9999 : year; /* the format knows no others */
    const struct {
        int value, digits;
        char after;
    } parts[] = {{year, 4, '-'},     {t.tm_mon + 1, 2, '-'}, {t.tm_mday, 2, 'T'}, {t.tm_hour, 2, ':'},
                 {t.tm_min, 2, ':'}, {t.tm_sec, 2, '.'},     {micros, 6, '\0'}};
    char *at = out;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        at = put_digits(at, parts[i].value, parts[i].digits);
        *at++ = parts[i].after;
    }
    size_t len = strlen(zone);
    memcpy(--at, zone, len + 1);
    return (size_t)(at - out) + len;
}

size_t clock_rfc3339(int64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    return iso(wall_us, "Z", out);
}

/* Minutes ahead of UTC at that time; 0 outside the years the format knows. */
static int zone_minutes(int64_t wall_us)
{
    struct tm t;
    time_t seconds = (time_t)(wall_us / 1000000);
    bool usual = seconds > 0 && seconds < LAST_SECOND;
    return usual && localtime_r(&seconds, &t) ? (int)(t.tm_gmtoff / 60) : 0;
}

size_t clock_rfc3339_local(int64_t wall_us, char out[CLOCK_TEXT_MAX])
{
    int minutes = zone_minutes(wall_us), distance = abs(minutes);
    char zone[] = "+00:00";
    zone[0] = minutes < 0 ? '-' : '+';
    put_digits(zone + 1, distance / 60, 2);
    put_digits(zone + 4, distance % 60, 2);
    return iso(wall_us + (int64_t)minutes * 60000000, zone, out);
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
