#include "operations/placeholder.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

static const struct {
    const char *name;
    enum placeholder_type type;
} types[] = {
    {"int", PLACEHOLDER_INT},       {"float", PLACEHOLDER_FLOAT}, {"bool", PLACEHOLDER_BOOL},
    {"datetime", PLACEHOLDER_TEXT}, {"string", PLACEHOLDER_TEXT}, {"str", PLACEHOLDER_TEXT},
    {"text", PLACEHOLDER_TEXT},
};

struct span {
    const char *at;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(struct span span)
{
    while (span.len > 0 && is_blank(span.at[0])) {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && is_blank(span.at[span.len - 1]))
        span.len--;
    return span;
}

/* Cuts the span at the first mark and returns what is behind it; .at is NULL without a mark. */
static struct span cut(struct span *span, char mark)
{
    const char *found = memchr(span->at, mark, span->len);
    if (!found)
        return (struct span){.at = NULL};
    size_t before = (size_t)(found - span->at);
    struct span rest = {.at = found + 1, .len = span->len - before - 1};
    span->len = before;
    return rest;
}

static enum placeholder_type find_type(struct span name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(types[i].name) == name.len && strncasecmp(types[i].name, name.at, name.len) == 0)
            return types[i].type;
    return PLACEHOLDER_PLAIN;
}

/* What stands between the braces; false: they are not closed, or empty. */
static bool braces(const char *text, size_t len, struct span *inside, size_t *used)
{
    size_t end = 1;
    while (end < len && text[end] != '{' && text[end] != '}')
        end++;
    if (end >= len || text[end] != '}' || end == 1)
        return false;
    *used = end + 1;
    *inside = (struct span){.at = text + 1, .len = end - 1};
    return true;
}

static void read_parts(struct span name, struct span standard, struct placeholder *out)
{
    struct span type = cut(&name, ':');
    name = trim(name);
    *out = (struct placeholder){.name = name.at, .name_len = name.len, .has_default = standard.at != NULL};
    if (type.at)
        out->type = find_type(trim(type));
    if (standard.at) {
        standard = trim(standard);
        out->standard = standard.at;
        out->standard_len = standard.len;
    }
}

bool placeholder_parse(const char *text, size_t len, struct placeholder *out, size_t *used)
{
    struct span inside;
    if (!braces(text, len, &inside, used))
        return false;
    struct span standard = cut(&inside, '|');
    read_parts(inside, standard, out);
    return true;
}

static bool is_wildcard(char c)
{
    return c == '%' || c == '_';
}

bool placeholder_parse_pattern(const char *text, size_t len, struct placeholder *out, size_t *used)
{
    struct span inside;
    if (!braces(text, len, &inside, used))
        return false;
    struct span standard = cut(&inside, '|');
    inside = trim(inside);
    size_t before = 0, behind = 0;
    while (before < inside.len && is_wildcard(inside.at[before]))
        before++;
    while (behind < inside.len - before && is_wildcard(inside.at[inside.len - 1 - behind]))
        behind++;
    struct span middle = {.at = inside.at + before, .len = inside.len - before - behind};
    read_parts(middle, standard, out);
    out->before = inside.at;
    out->before_len = before;
    out->behind = middle.at + middle.len;
    out->behind_len = behind;
    return true;
}

static void set_number(struct placeholder_value *out, const char *text, size_t len)
{
    out->kind = VALUE_NUMBER;
    out->text = text;
    out->len = len;
}

/* Digits with at most a sign, blanks around: as written, without plus and leading zeros. */
static bool whole_digits(struct span text, struct placeholder_value *out)
{
    text = trim(text);
    bool minus = text.len > 0 && text.at[0] == '-';
    if (text.len > 0 && (minus || text.at[0] == '+')) {
        text.at++;
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    if (text.len == 0)
        return false;
    while (text.len > 1 && text.at[0] == '0') {
        text.at++;
        text.len--;
    }
    if (text.len + 1 > sizeof out->space)
        return false;
    minus = minus && text.at[0] != '0';
    out->space[0] = '-';
    memcpy(out->space + minus, text.at, text.len);
    set_number(out, out->space, text.len + minus);
    return true;
}

static void as_int(struct span text, struct placeholder_value *out)
{
    double number;
    if (whole_digits(text, out) || !number_parse(text.at, text.len, &number) || !isfinite(number))
        return;
    number = trunc(number);
    int len = snprintf(out->space, sizeof out->space, "%.0f", number == 0 ? 0 : number);
    set_number(out, out->space, (size_t)len);
}

static void as_float(struct span text, struct placeholder_value *out)
{
    double number;
    if (number_parse(text.at, text.len, &number) && isfinite(number))
        set_number(out, out->space, number_repr(number, out->space));
}

static void as_bool(struct span text, struct placeholder_value *out)
{
    static const char *const words[] = {"true", "1", "yes", "on"};
    out->kind = VALUE_TRUTH;
    out->truth = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        out->truth |= strlen(words[i]) == text.len && strncasecmp(words[i], text.at, text.len) == 0;
    out->text = out->truth ? "True" : "False";
    out->len = out->truth ? 4 : 5;
}

void placeholder_value(const struct placeholder *self, const struct cell *cell, struct placeholder_value *out)
{
    struct span text = {.at = "", .len = 0};
    if (cell->kind == CELL_TEXT) /* a reader makes no other kind that has a text */
        text = (struct span){.at = cell->is.text, .len = cell->len};
    bool nothing = text.len == 0 && !self->has_default;
    if (text.len == 0 && self->has_default)
        text = (struct span){.at = self->standard, .len = self->standard_len};
    bool number_wanted = self->type == PLACEHOLDER_INT || self->type == PLACEHOLDER_FLOAT;
    bool null = (nothing && cell->kind == CELL_ERROR) || (text.len == 0 && number_wanted);
    out->kind = null ? VALUE_NULL : VALUE_TEXT;
    out->text = text.at;
    out->len = text.len;
    if (null)
        return;
    switch (self->type) {
    case PLACEHOLDER_PLAIN:
    case PLACEHOLDER_TEXT: break;
    case PLACEHOLDER_INT: as_int(text, out); break;
    case PLACEHOLDER_FLOAT: as_float(text, out); break;
    case PLACEHOLDER_BOOL: as_bool(text, out); break;
    }
}
