#include "http/guard.h"

#include <string.h>

#define LENGTH_DIGITS_MAX 18 /* keeps every length far from the edge of 64 bits */

struct verdict {
    int status;
    const char *reason;
};

static const struct verdict pass = {0, NULL};

static struct verdict refuse(int status, const char *reason)
{
    return (struct verdict){status, reason};
}

static struct verdict check_request_line(const struct guard_request *request)
{
    if (!request->method[0])
        return refuse(400, "The request line has no method");
    for (const char *p = request->method; *p; p++)
        if (!field_token_char((unsigned char)*p))
            return refuse(400, "The method is not a token");
    if (strcmp(request->version, "HTTP/1.1") != 0 && strcmp(request->version, "HTTP/1.0") != 0)
        return refuse(400, "The HTTP version is not 1.0 or 1.1");
    for (const unsigned char *p = (const unsigned char *)request->uri; *p; p++)
        if (*p <= ' ' || *p == 0x7F)
            return refuse(400, "The request target has a blank or control character");
    bool asterisk = strcmp(request->uri, "*") == 0 && strcmp(request->method, "OPTIONS") == 0;
    bool absolute = strncasecmp(request->uri, "http://", 7) == 0 || strncasecmp(request->uri, "https://", 8) == 0;
    if (request->uri[0] != '/' && !asterisk && !absolute)
        return refuse(400, "The request target is not a path");
    return pass;
}

/* A continuation line (obs-fold, RFC 9112 5.2) reaches us glued to the name of the field it continued, so a name that
 * only begins like one of these may be a framing field whose value was changed. */
static bool looks_glued(const struct field *field)
{
    static const char *const framing[] = {"content-length", "transfer-encoding", "host"};
    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++) {
        size_t len = strlen(framing[i]);
        if (field->name_len > len && strncasecmp(field->name, framing[i], len) == 0)
            return true;
    }
    return false;
}

static struct verdict check_field(const struct field *field)
{
    if (field->name_len == 0)
        return refuse(400, "A header field has no name");
    for (size_t i = 0; i < field->name_len; i++)
        if (!field_token_char((unsigned char)field->name[i]))
            return refuse(400, "A header field's name is not a token");
    for (size_t i = 0; i < field->value_len; i++) {
        unsigned char c = (unsigned char)field->value[i];
        if ((c < ' ' && c != '\t') || c == 0x7F)
            return refuse(400, "A header field has a control character");
    }
    if (looks_glued(field))
        return refuse(400, "A header field is folded or misspelt");
    return pass;
}

/* Blanks between the colon and the value. The library parses in place, so name and value lie in one piece of memory;
 * where they do not, one blank is assumed. */
static size_t blanks_before(const struct field *field, size_t head_bytes_max)
{
    uintptr_t name_end = (uintptr_t)field->name + field->name_len + 1;
    uintptr_t value = (uintptr_t)field->value;
    return value >= name_end && value - name_end <= head_bytes_max ? (size_t)(value - name_end) : 1;
}

/* The size the head has when nothing was lost in parsing it. A folded line, a NUL and a bare line feed all change the
 * sum, and cannot be seen in any other way. */
static size_t size_as_parsed(const struct guard_request *request)
{
    size_t size = strlen(request->method) + 1 + strlen(request->uri) + 1 + strlen(request->version) + 2;
    for (size_t i = 0; i < request->fields->count; i++) {
        const struct field *field = &request->fields->at[i];
        size += field->name_len + 1 + blanks_before(field, request->head_bytes_max) + field->value_len + 2;
    }
    return size + 2;
}

static struct verdict check_host(const struct guard_request *request)
{
    size_t hosts = fields_count(request->fields, "Host");
    bool http11 = strcmp(request->version, "HTTP/1.1") == 0;
    if (hosts > 1)
        return refuse(400, "There is more than one Host");
    if (hosts == 0 && http11)
        return refuse(400, "There is no Host");
    const char *host = fields_find(request->fields, "Host");
    for (const char *p = host ? host : ""; *p; p++)
        if (strchr(" \t\"<>\\/?#@,", *p))
            return refuse(400, "The Host is not a host and port");
    return pass;
}

static struct verdict read_length(const char *text, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits] != '\0')
        return refuse(400, "Content-Length is not a number");
    if (digits > LENGTH_DIGITS_MAX)
        return refuse(413, "The body is too large");
    *out = 0;
    for (; *text; text++)
        *out = *out * 10 + (uint64_t)(*text - '0');
    return pass;
}

static struct verdict check_framing(const struct guard_request *request, struct guard_framing *out)
{
    size_t lengths = fields_count(request->fields, "Content-Length");
    size_t codings = fields_count(request->fields, "Transfer-Encoding");
    if (lengths > 1)
        return refuse(400, "There is more than one Content-Length");
    if (codings > 1)
        return refuse(400, "There is more than one Transfer-Encoding");
    if (lengths && codings)
        return refuse(400, "Content-Length and Transfer-Encoding exclude one another");
    if (codings) {
        if (strcmp(request->version, "HTTP/1.0") == 0)
            return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
        if (strcasecmp(fields_find(request->fields, "Transfer-Encoding"), "chunked") != 0)
            return refuse(400, "The only Transfer-Encoding understood is chunked");
        out->has_body = out->chunked = true;
    }
    if (lengths) {
        struct verdict verdict = read_length(fields_find(request->fields, "Content-Length"), &out->content_length);
        if (verdict.status)
            return verdict;
        out->has_body = out->content_length > 0;
    }
    return pass;
}

static struct verdict check_expect(const struct guard_request *request, struct guard_framing *out)
{
    const char *expect = fields_find(request->fields, "Expect");
    if (!expect)
        return pass;
    if (fields_count(request->fields, "Expect") > 1 || strcasecmp(expect, "100-continue") != 0)
        return refuse(417, "The only expectation met is 100-continue");
    out->expects_continue = strcmp(request->version, "HTTP/1.1") == 0;
    return pass;
}

static struct verdict check(const struct guard_request *request, struct guard_framing *out)
{
    if (request->head_bytes > request->head_bytes_max)
        return refuse(431, "The request header is too large");
    struct verdict verdict = check_request_line(request);
    for (size_t i = 0; i < request->fields->count && !verdict.status; i++)
        verdict = check_field(&request->fields->at[i]);
    if (!verdict.status && request->head_bytes != size_as_parsed(request))
        verdict = refuse(400, "The request header has a folded line, a NUL or a bare line feed");
    if (!verdict.status)
        verdict = check_host(request);
    if (!verdict.status)
        verdict = check_framing(request, out);
    if (!verdict.status)
        verdict = check_expect(request, out);
    return verdict;
}

int guard_check(const struct guard_request *request, struct guard_framing *out, const char **reason)
{
    *out = (struct guard_framing){0};
    struct verdict verdict = check(request, out);
    *reason = verdict.reason;
    return verdict.status;
}
