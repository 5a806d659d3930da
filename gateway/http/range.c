#include "http/range.h"

#include <string.h>

#define DIGITS_MAX 18 /* more digits than any file has bytes, and no overflow */

static bool read_number(const char **text, uint64_t *out)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > DIGITS_MAX)
        return false;
    *out = 0;
    for (size_t i = 0; i < digits; i++)
        *out = *out * 10 + (uint64_t)((*text)[i] - '0');
    *text += digits;
    return true;
}

static enum range_kind suffix(const char *text, uint64_t size, struct range *out)
{
    uint64_t last = 0;
    if (!read_number(&text, &last) || *text)
        return RANGE_WHOLE;
    if (last == 0 || size == 0)
        return RANGE_UNSATISFIABLE;
    uint64_t length = last < size ? last : size;
    *out = (struct range){size - length, length};
    return RANGE_PART;
}

enum range_kind range_parse(const char *header, uint64_t size, struct range *out)
{
    *out = (struct range){0, size};
    if (!header || strncasecmp(header, "bytes=", 6) != 0)
        return RANGE_WHOLE;
    const char *text = header + 6 + strspn(header + 6, " \t");
    if (*text == '-')
        return suffix(text + 1, size, out);
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    if (!read_number(&text, &first) || *text++ != '-')
        return RANGE_WHOLE;
    if (*text && (!read_number(&text, &last) || *text || last < first))
        return RANGE_WHOLE;
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    *out = (struct range){first, (last < size ? last + 1 : size) - first};
    return RANGE_PART;
}
