#include "output_name.h"

#include "clock.h"

#include <stdio.h>
#include <string.h>

#define ROOM_FOR_ENDING 20 /* "-4294967295" and ".xlsx" */

/* Cuts to at most `max` bytes without splitting a UTF-8 character. */
static size_t cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    len = max;
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

void output_name_stem(const char *name, char out[OUTPUT_NAME_MAX])
{
    const char *dot = strrchr(name, '.');
    size_t len = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    len = cut(name, len, OUTPUT_NAME_MAX - 1);
    memcpy(out, name, len);
    out[len] = '\0';
    for (char *at = out; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F || strchr("\"\\/", *at))
            *at = '_'; /* in nobody's way: not in a header, a path or a JSON text */
}

void output_name_base(const char *stem, const char *suffix, int64_t started_us, char out[OUTPUT_NAME_MAX])
{
    char tail[OUTPUT_NAME_MAX] = "";
    char time[CLOCK_TEXT_MAX];
    if (suffix[0] != '\0') {
        clock_format(started_us, "%Y%m%d_%H%M%S", time);
        snprintf(tail, sizeof tail, "_%.64s_%.*s", suffix, CLOCK_TEXT_MAX, time);
    }
    size_t room = OUTPUT_NAME_MAX - 1 - ROOM_FOR_ENDING - strlen(tail);
    size_t len = cut(stem, strlen(stem), room);
    memcpy(out, stem, len);
    memcpy(out + len, tail, strlen(tail) + 1);
}

static bool is_taken(const json_t *taken, const char *name)
{
    size_t i;
    const json_t *other;
    json_array_foreach((json_t *)(uintptr_t)taken, i,
                       other) if (json_is_string(other) && strcmp(json_string_value(other), name) == 0) return true;
    return false;
}

void output_name_pick(const char *base, const char *ending, const json_t *taken, char out[OUTPUT_NAME_MAX])
{
    snprintf(out, OUTPUT_NAME_MAX, "%s%s", base, ending);
    for (unsigned n = 2; is_taken(taken, out); n++)
        snprintf(out, OUTPUT_NAME_MAX, "%s-%u%s", base, n, ending);
}
