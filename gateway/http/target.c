#include "http/target.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes in place; the result is never longer. */
static enum err decode(char *text, bool plus_is_blank, struct fault *why)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        char c = *in;
        if (c == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0)
                return fault_set(why, ERR_INVALID, "The request target has a percent sign without two hex digits");
            if (high == 0 && low == 0)
                return fault_set(why, ERR_INVALID, "The request target has an encoded NUL");
            c = (char)(high * 16 + low);
            in += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        *out++ = c;
    }
    *out = '\0';
    return ERR_OK;
}

static enum err split_path(struct target *self, char *path, struct fault *why)
{
    char *rest = path + 1;
    do {
        if (self->segment_count == TARGET_SEGMENTS_MAX)
            return fault_set(why, ERR_TOO_LARGE, "The path has more than %d segments", TARGET_SEGMENTS_MAX);
        char *segment = strsep(&rest, "/");
        enum err err = decode(segment, false, why);
        if (err != ERR_OK)
            return err;
        self->segment[self->segment_count++] = segment;
    } while (rest);
    return ERR_OK;
}

static enum err split_query(struct target *self, char *query, struct fault *why)
{
    for (char *rest = query; rest;) {
        char *pair = strsep(&rest, "&");
        if (!*pair)
            continue;
        if (self->parameter_count == TARGET_PARAMETERS_MAX)
            return fault_set(why, ERR_TOO_LARGE, "The query has more than %d parameters", TARGET_PARAMETERS_MAX);
        char *name = strsep(&pair, "=");
        char *value = pair ? pair : name + strlen(name);
        enum err err = decode(name, true, why);
        if (err == ERR_OK && pair)
            err = decode(value, true, why);
        if (err != ERR_OK)
            return err;
        self->parameter[self->parameter_count++] = (struct target_parameter){name, value};
    }
    return ERR_OK;
}

/* The path of an absolute URL; "/" when it has none. */
static char *skip_authority(char *raw)
{
    char *authority = strstr(raw, "://");
    if (raw[0] == '/' || !authority)
        return raw;
    return authority + 3 + strcspn(authority + 3, "/?");
}

enum err target_parse(struct target *out, const char *raw, struct fault *why)
{
    *out = (struct target){0};
    if (strcmp(raw, "*") == 0)
        return ERR_OK;
    out->memory = strdup(raw);
    if (!out->memory)
        return fault_set(why, ERR_MEMORY, "No memory for the request target");
    char *path = skip_authority(out->memory);
    char *query = path;
    strsep(&query, "?");
    enum err err = *path == '/' ? split_path(out, path, why) : ERR_OK;
    if (err == ERR_OK && query)
        err = split_query(out, query, why);
    return err;
}

void target_fini(struct target *self)
{
    free(self->memory);
    *self = (struct target){0};
}

const char *target_query(const struct target *self, const char *name)
{
    for (size_t i = 0; i < self->parameter_count; i++)
        if (strcmp(self->parameter[i].name, name) == 0)
            return self->parameter[i].value;
    return NULL;
}
