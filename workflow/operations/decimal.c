#include "operations/decimal.h"

#include <string.h>
#include <strings.h>

#define EXPONENT_MAX 1000000000000LL /* beyond it two exponents count as equal; a cell has far fewer digits */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_infinity(const char *at, const char *end)
{
    size_t len = (size_t)(end - at);
    return (len == 3 && strncasecmp(at, "inf", 3) == 0) || (len == 8 && strncasecmp(at, "infinity", 8) == 0);
}

/* Reads digits and at most one point up to the exponent; false when there is no digit. */
static bool read_mantissa(const char **at_p, const char *end, struct decimal *out)
{
    const char *at = *at_p;
    bool any = false, point = false;
    out->magnitude = 0;
    out->digits = NULL;
    for (; at < end && (is_digit(*at) || (*at == '.' && !point)); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        any = true;
        if (!out->digits && *at != '0')
            out->digits = at;
        if (out->digits && !point)
            out->magnitude++;
        else if (!out->digits && point)
            out->magnitude--;
    }
    out->end = at;
    *at_p = at;
    return any;
}

static bool read_exponent(const char *at, const char *end, int64_t *out)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return false;
    int64_t value = 0;
    for (; at < end; at++) {
        if (!is_digit(*at))
            return false;
        if (value < EXPONENT_MAX)
            value = value * 10 + (*at - '0');
    }
    value = value < EXPONENT_MAX ? value : EXPONENT_MAX;
    *out = negative ? -value : value;
    return true;
}

bool decimal_parse(const char *text, size_t len, struct decimal *out)
{
    const char *at = text, *end = text + len;
    while (at < end && is_blank(*at))
        at++;
    while (end > at && is_blank(end[-1]))
        end--;
    if (at == end)
        return false;
    out->sign = *at == '-' ? -1 : 1;
    if (*at == '-' || *at == '+')
        at++;
    if (is_infinity(at, end)) {
        out->magnitude = INT64_MAX;
        out->digits = out->end = end;
        return true;
    }
    int64_t exponent = 0;
    if (!read_mantissa(&at, end, out))
        return false;
    if (at < end && ((*at != 'e' && *at != 'E') || !read_exponent(at + 1, end, &exponent)))
        return false;
    if (!out->digits) {
        out->sign = 0;
        out->magnitude = 0;
        out->digits = out->end;
    } else {
        out->magnitude += exponent;
    }
    return true;
}

/* The next digit, points skipped; 0 for ever after the last. */
static int next_digit(const char **at, const char *end)
{
    if (*at < end && **at == '.')
        (*at)++;
    return *at < end ? *(*at)++ - '0' : 0;
}

static int compare_digits(const struct decimal *a, const struct decimal *b)
{
    const char *in_a = a->digits, *in_b = b->digits;
    while (in_a < a->end || in_b < b->end) {
        int difference = next_digit(&in_a, a->end) - next_digit(&in_b, b->end);
        if (difference != 0)
            return difference;
    }
    return 0;
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    if (a->sign != b->sign)
        return a->sign - b->sign;
    if (a->magnitude != b->magnitude)
        return a->magnitude < b->magnitude ? -a->sign : a->sign;
    return a->sign * compare_digits(a, b);
}
