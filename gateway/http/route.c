#include "http/route.h"

#include <string.h>

static const char *const method_names[] = {
    [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",       [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
};

enum http_method http_method_parse(const char *text)
{
    for (size_t i = 0; i < sizeof method_names / sizeof *method_names; i++)
        if (strcmp(text, method_names[i]) == 0)
            return (enum http_method)i;
    return HTTP_OTHER;
}

const char *http_method_name(enum http_method method)
{
    return method < HTTP_OTHER ? method_names[method] : "other";
}

/* Matches the plain text `prefix` against the target's first segments; the number of segments used, or -1. */
static int match_prefix(const char *prefix, const struct target *target)
{
    size_t used = 0;
    while (*prefix == '/' && prefix[1]) {
        size_t len = strcspn(prefix + 1, "/");
        if (used == target->segment_count || strlen(target->segment[used]) != len ||
            strncmp(target->segment[used], prefix + 1, len) != 0)
            return -1;
        used++;
        prefix += 1 + len;
    }
    return (int)used;
}

static bool match_segment(const char *pattern, size_t len, const char *segment, struct route_match *out)
{
    if (pattern[0] != '{')
        return strlen(segment) == len && strncmp(segment, pattern, len) == 0;
    if (!segment[0] || out->count == ROUTE_PARAMETERS_MAX)
        return false;
    out->parameter[out->count].name = pattern + 1;
    out->parameter[out->count].name_len = len - 2;
    out->parameter[out->count].value = segment;
    out->count++;
    return true;
}

static bool match_pattern(const char *pattern, const struct target *target, size_t at, struct route_match *out)
{
    out->count = 0;
    for (; *pattern == '/'; at++) {
        size_t len = strcspn(pattern + 1, "/");
        if (at == target->segment_count || !match_segment(pattern + 1, len, target->segment[at], out))
            return false;
        pattern += 1 + len;
    }
    return at == target->segment_count;
}

void route_find(const struct route *const *tables, const char *prefix, const struct target *target,
                enum http_method method, struct route_match *out)
{
    *out = (struct route_match){.route = NULL};
    int used = match_prefix(prefix, target);
    if (used < 0)
        return;
    enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;
    for (; *tables; tables++)
        for (const struct route *row = *tables; row->pattern; row++) {
            struct route_match match = {.route = row};
            if (!match_pattern(row->pattern, target, (size_t)used, &match))
                continue;
            out->methods |= 1u << row->method;
            if (row->method == wanted && !out->route) {
                match.methods = out->methods;
                *out = match;
            }
        }
    if (out->methods & 1u << HTTP_GET)
        out->methods |= 1u << HTTP_HEAD;
    if (out->methods)
        out->methods |= 1u << HTTP_OPTIONS;
}

const char *route_parameter(const struct route_match *self, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < self->count; i++)
        if (self->parameter[i].name_len == len && strncmp(self->parameter[i].name, name, len) == 0)
            return self->parameter[i].value;
    return NULL;
}

enum err route_allow(unsigned methods, struct buf *out)
{
    enum err err = ERR_OK;
    for (unsigned i = 0; i < HTTP_OTHER && err == ERR_OK; i++)
        if (methods & 1u << i)
            err = buf_printf(out, "%s%s", out->len ? ", " : "", method_names[i]);
    return err;
}
