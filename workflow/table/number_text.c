/* Numbers as text and back. No program of ours calls setlocale(), so libc's conversions are those of the "C" locale. */
#include "table/number_text.h"

#include "table/double_digits.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define EXACT_MAX        9007199254740992.0 /* 2^53: up to here every integer is a double */
#define EXACT_POWERS     22                 /* 10^0 .. 10^22 are doubles too */
#define SHORT_DIGITS_MAX 1000000000000000.0 /* 10^15: any two decimals of 15 digits are different doubles */
#define SHORT_POWERS     9
#define DIGITS_KEPT      800 /* 768 digits decide the rounding of any double; a longer tail only breaks ties */
#define EXPONENT_MAX     100000

static const double powers[EXACT_POWERS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A decimal number taken apart: value = 0.DIGITS x 10^point. */
struct decimal {
    char digits[20];
    int count; /* without trailing zeros, at least 1 */
    int point;
};

static size_t write_unsigned(uint64_t value, char *out)
{
    char reversed[20];
    size_t len = 0;
    do {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    return len;
}

/* The very large and the very small: the fewest digits printf can do it with. (Python does with one digit less for some
 * powers of two.) */
static void printed_digits(double value, struct decimal *out)
{
    char text[CELL_NUMBER_MAX];
    int precision = value < DBL_MIN ? 0 : 14; /* the doubles near zero have fewer digits than the others */
    for (; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (precision == 16 || strtod(text, NULL) == value)
            break;
    }
    const char *exponent = strchr(text, 'e');
    out->count = 0;
    for (const char *at = text; at < exponent; at++)
        if (*at >= '0' && *at <= '9')
            out->digits[out->count++] = *at;
    while (out->count > 1 && out->digits[out->count - 1] == '0')
        out->count--;
    out->point = atoi(exponent + 1) + 1;
}

/* The shortest digits that read back as `value` (finite, > 0). */
static void shortest_digits(double value, struct decimal *out)
{
    uint64_t digits;
    int exponent;
    if (!double_shortest(value, &digits, &exponent)) {
        printed_digits(value, out);
        return;
    }
    out->count = (int)write_unsigned(digits, out->digits);
    out->point = out->count + exponent;
}

static size_t put(char *out, size_t len, const char *bytes, size_t count)
{
    memcpy(out + len, bytes, count);
    return len + count;
}

static size_t put_zeros(char *out, size_t len, int count)
{
    if (count <= 0)
        return len;
    memset(out + len, '0', (size_t)count);
    return len + (size_t)count;
}

/* d.ddde+XX, at least two digits of exponent. */
static size_t write_scientific(const struct decimal *from, char *out)
{
    size_t len = put(out, 0, from->digits, 1);
    if (from->count > 1) {
        out[len++] = '.';
        len = put(out, len, from->digits + 1, (size_t)from->count - 1);
    }
    int exponent = from->point - 1;
    out[len++] = 'e';
    out[len++] = exponent < 0 ? '-' : '+';
    unsigned size = (unsigned)abs(exponent);
    if (size < 10)
        out[len++] = '0';
    return len + write_unsigned(size, out + len);
}

static size_t write_fixed(const struct decimal *from, char *out)
{
    if (from->point <= 0) {
        size_t len = put_zeros(out, put(out, 0, "0.", 2), -from->point);
        return put(out, len, from->digits, (size_t)from->count);
    }
    int whole = from->count < from->point ? from->count : from->point;
    size_t len = put_zeros(out, put(out, 0, from->digits, (size_t)whole), from->point - whole);
    out[len++] = '.';
    if (from->count == whole) {
        out[len++] = '0';
        return len;
    }
    return put(out, len, from->digits + whole, (size_t)(from->count - whole));
}

/* Prices and percentages: with k decimals and at most 15 digits, value x 10^k rounded and divided again gives value
 * only if those are its shortest digits. 0 when there are no such k. */
static size_t write_few_decimals(double value, char *out)
{
    for (int k = 1; k <= SHORT_POWERS; k++) {
        double scaled = rint(value * powers[k]);
        if (scaled >= SHORT_DIGITS_MAX)
            return 0;
        if (scaled / powers[k] != value)
            continue;
        uint64_t all = (uint64_t)scaled, unit = (uint64_t)powers[k];
        size_t len = write_unsigned(all / unit, out);
        char fraction[20];
        size_t digits = write_unsigned(all % unit, fraction);
        out[len++] = '.';
        len = put_zeros(out, len, k - (int)digits);
        return put(out, len, fraction, digits);
    }
    return 0;
}

static size_t write_positive(double value, char *out)
{
    if (value < SHORT_DIGITS_MAX && value == floor(value))
        return put(out, write_unsigned((uint64_t)value, out), ".0", 2);
    size_t len = value >= 1e-4 && value < SHORT_DIGITS_MAX ? write_few_decimals(value, out) : 0;
    if (len > 0)
        return len;
    struct decimal decimal;
    shortest_digits(value, &decimal);
    if (decimal.point < -3 || decimal.point > 16)
        return write_scientific(&decimal, out);
    return write_fixed(&decimal, out);
}

size_t number_repr(double value, char out[CELL_NUMBER_MAX])
{
    if (isnan(value))
        return put(out, 0, "nan", 3);
    size_t sign = signbit(value) ? put(out, 0, "-", 1) : 0;
    if (isinf(value))
        return put(out, sign, "inf", 3);
    return sign + write_positive(fabs(value), out + sign);
}

/* The parts of a number's text: [blanks][sign]digits[.digits][e[sign]digits][blanks], at least one digit before the e.
 */
struct scan {
    bool negative;
    bool integral; /* written without point and exponent */
    const char *digits;
    size_t span;       /* bytes of digits and point, from `digits` */
    uint64_t mantissa; /* all digits, if `significant` <= 19 */
    int significant;   /* digits without leading zeros, counted up to a few more than 19 */
    int scale;         /* value = mantissa x 10^scale */
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static void trim(const char **text, const char **end)
{
    while (*text < *end && is_blank(**text))
        (*text)++;
    while (*text < *end && is_blank((*end)[-1]))
        (*end)--;
}

static const char *scan_digits(struct scan *self, const char *at, const char *end)
{
    for (; at < end && is_digit(*at); at++) {
        if (self->significant > 0 || *at != '0')
            self->significant += self->significant < DIGITS_KEPT;
        if (self->significant <= 19)
            self->mantissa = self->mantissa * 10 + (uint64_t)(*at - '0');
    }
    return at;
}

static bool scan_exponent(const char *at, const char *end, int *out)
{
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (at == end)
        return false;
    int value = 0;
    for (; at < end && is_digit(*at); at++)
        value = value < EXPONENT_MAX ? value * 10 + (*at - '0') : value;
    *out = negative ? -value : value;
    return at == end;
}

static bool scan_number(struct scan *out, const char *text, const char *end)
{
    *out = (struct scan){.negative = text < end && *text == '-', .integral = true};
    text += text < end && (*text == '-' || *text == '+');
    out->digits = text;
    const char *at = scan_digits(out, text, end);
    ptrdiff_t digits = at - text;
    if (at < end && *at == '.') {
        out->integral = false;
        const char *fraction = at + 1;
        at = scan_digits(out, fraction, end);
        digits += at - fraction;
        out->scale = at - fraction < EXPONENT_MAX * 100 ? -(int)(at - fraction) : -EXPONENT_MAX * 100;
    }
    out->span = (size_t)(at - out->digits);
    if (digits == 0)
        return false;
    if (at == end)
        return true;
    int exponent = 0;
    if ((*at != 'e' && *at != 'E') || !scan_exponent(at + 1, end, &exponent))
        return false;
    out->integral = false;
    out->scale += exponent;
    return true;
}

/* What the fast path cannot round by itself goes to strtod() as "DIGITSe<exponent>", with at most DIGITS_KEPT digits.
 */
static double slow_value(const struct scan *self)
{
    char text[DIGITS_KEPT + 32];
    size_t len = 0;
    int dropped = 0;
    bool tail = false;
    for (size_t i = 0; i < self->span; i++) {
        char c = self->digits[i];
        if (c == '.' || (len == 0 && c == '0'))
            continue;
        if (len < DIGITS_KEPT) {
            text[len++] = c;
            continue;
        }
        dropped++;
        tail = tail || c != '0';
    }
    if (len == 0)
        return 0.0;
    if (tail)
        text[len - 1] = '1';
    snprintf(text + len, sizeof text - len, "e%d", self->scale + dropped);
    return strtod(text, NULL);
}

static double scan_value(const struct scan *self)
{
    double value;
    if (self->significant <= 19 && self->mantissa <= (uint64_t)EXACT_MAX && abs(self->scale) <= EXACT_POWERS) {
        /* Both are exact doubles, so the one operation rounds correctly. */
        value = (double)self->mantissa;
        value = self->scale < 0 ? value / powers[-self->scale] : value * powers[self->scale];
    } else if (self->significant > 19 || !double_nearest(self->mantissa, self->scale, &value)) {
        value = slow_value(self);
    }
    return self->negative ? -value : value;
}

static bool parse_infinity(const char *text, size_t len, double *out)
{
    bool negative = len > 0 && *text == '-';
    size_t sign = len > 0 && (*text == '-' || *text == '+');
    text += sign;
    len -= sign;
    if (!(len == 3 && strncasecmp(text, "inf", 3) == 0) && !(len == 8 && strncasecmp(text, "infinity", 8) == 0))
        return false;
    *out = negative ? -HUGE_VAL : HUGE_VAL;
    return true;
}

bool number_parse(const char *text, size_t len, double *out)
{
    const char *end = text + len;
    trim(&text, &end);
    struct scan scan;
    if (!scan_number(&scan, text, end))
        return parse_infinity(text, (size_t)(end - text), out);
    *out = scan_value(&scan);
    return true;
}

/* An integer as written keeps all its digits, however many a double would lose. */
static bool copy_integer(const struct scan *scan, char out[NUMBER_DIGITS_MAX], size_t *out_len)
{
    const char *at = scan->digits, *end = at + scan->span;
    while (end - at > 1 && *at == '0')
        at++;
    size_t len = (size_t)(end - at);
    if (len > NUMBER_DIGITS_MAX - 1)
        return false;
    size_t sign = scan->negative && *at != '0' ? put(out, 0, "-", 1) : 0;
    *out_len = put(out, sign, at, len);
    return true;
}

bool number_from_sheet(const char *text, size_t len, char out[NUMBER_DIGITS_MAX], size_t *out_len)
{
    const char *end = text + len;
    trim(&text, &end);
    struct scan scan;
    if (!scan_number(&scan, text, end))
        return false;
    if (scan.integral)
        return copy_integer(&scan, out, out_len);
    double value = scan_value(&scan);
    if (!isfinite(value))
        return false;
    if (value != floor(value)) {
        *out_len = number_repr(value, out);
        return true;
    }
    size_t sign = value < 0 ? put(out, 0, "-", 1) : 0;
    value = fabs(value);
    if (value < EXACT_MAX) {
        *out_len = sign + write_unsigned((uint64_t)value, out + sign);
        return true;
    }
    struct decimal decimal;
    shortest_digits(value, &decimal);
    size_t used = put(out, sign, decimal.digits, (size_t)decimal.count);
    *out_len = put_zeros(out, used, decimal.point - decimal.count);
    return true;
}
