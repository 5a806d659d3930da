#include "http/disposition.h"

#include "http/fields.h"

#include <string.h>

/* Where the text of a parameter goes: of more than fits, the end is kept (it holds the extension of a file name). */
struct tail {
    char *out;
    size_t len;
    size_t max;
};

static void tail_add(struct tail *self, char c)
{
    if (self->len == self->max) {
        memmove(self->out, self->out + 1, self->len - 1);
        self->len--;
    }
    self->out[self->len++] = c;
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* Reads a token or a quoted string; returns what follows it. */
static const char *read_value(const char *p, struct tail *to)
{
    if (*p != '"') {
        for (; *p && *p != ';'; p++)
            tail_add(to, *p);
        while (to->len > 0 && (to->out[to->len - 1] == ' ' || to->out[to->len - 1] == '\t'))
            to->len--;
        return p;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
            p++;
        tail_add(to, *p);
    }
    p += *p == '"';
    return p + strcspn(p, ";");
}

bool disposition_parameter(const char *value, const char *name, char *out, size_t size)
{
    const char *p = value + strcspn(value, ";");
    while (*p == ';') {
        p = skip_blanks(p + 1);
        size_t len = 0;
        while (field_token_char((unsigned char)p[len]))
            len++;
        const char *after = skip_blanks(p + len);
        bool wanted = len == strlen(name) && strncasecmp(p, name, len) == 0;
        if (len == 0 || *after != '=') {
            p = after + strcspn(after, ";");
            continue;
        }
        struct tail to = {out, 0, size - 1};
        p = read_value(skip_blanks(after + 1), &to);
        out[to.len] = '\0';
        if (wanted)
            return true;
    }
    return false;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* UTF-8'language'percent-encoded -> the text, in place. */
static bool decode_extended(char *text)
{
    if (strncasecmp(text, "UTF-8'", 6) != 0)
        return false;
    const char *in = strchr(text + 6, '\'');
    char *out = text;
    for (in = in ? in + 1 : ""; *in; in++) {
        int c = (unsigned char)*in;
        if (c == '%') {
            int high = hex_value(in[1]);
            int low = high < 0 ? -1 : hex_value(in[2]);
            if (low < 0 || high + low == 0)
                return false;
            c = high * 16 + low;
            in += 2;
        }
        *out++ = (char)c;
    }
    *out = '\0';
    return out > text;
}

bool disposition_filename(const char *value, char *out, size_t size)
{
    return (disposition_parameter(value, "filename*", out, size) && decode_extended(out)) ||
           disposition_parameter(value, "filename", out, size);
}
