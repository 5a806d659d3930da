#include "table/xlsx_cell_head.h"

#include "table/xlsx_column.h"

#include <string.h>

#define LETTERS_MAX     3
#define ROW_DIGITS_MAX  7
#define FORMAT_DIGITS   5
#define COMMON_HEAD_MAX 64 /* `<c r="XFD1048576" s="65535" t="inlineStr"><is><t>` is the longest one taken at once */

static const struct {
    char name[12]; /* with the quote behind it */
    size_t len;    /* without it */
    enum xlsx_value_type type;
} types[] = {{"s\"", 1, XLSX_VALUE_SHARED}, {"n\"", 1, XLSX_VALUE_NUMBER}, {"inlineStr\"", 9, XLSX_VALUE_INLINE},
             {"str\"", 3, XLSX_VALUE_TEXT}, {"b\"", 1, XLSX_VALUE_TRUTH},  {"e\"", 1, XLSX_VALUE_ERROR},
             {"d\"", 1, XLSX_VALUE_DATE}};

#define TYPES (sizeof types / sizeof *types)

bool xlsx_cell_digits(const char *text, size_t len, uint32_t *out)
{
    uint32_t value = 0;
    if (len == 0 || len > 9)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    *out = value;
    return true;
}

static enum err parse_reference(const char *text, size_t len, uint32_t *column, struct fault *why)
{
    return xlsx_column_parse(text, len, column)
               ? ERR_OK
               : fault_set(why, ERR_INVALID, "'%.*s' is no cell of a sheet", len < 20 ? (int)len : 20, text);
}

static enum xlsx_value_type parse_type(const char *text, size_t len)
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].len == len && xml_scan_same(types[i].name, text, len))
            return types[i].type;
    return XLSX_VALUE_NUMBER;
}

enum err xlsx_cell_head_read(const struct xml_scan *scan, struct xlsx_cell_head *out, struct fault *why)
{
    for (uint32_t i = 0; i < scan->attribute_count; i++) {
        const struct xml_attribute *attribute = &scan->attribute[i];
        if (attribute->name_len != 1)
            continue;
        enum err err = ERR_OK;
        switch (attribute->name[0]) {
        case 'r': err = parse_reference(attribute->value, attribute->value_len, &out->column, why); break;
        case 't': out->type = parse_type(attribute->value, attribute->value_len); break;
        case 's':
            if (!xlsx_cell_digits(attribute->value, attribute->value_len, &out->format))
                out->format = 0;
            break;
        default: break;
        }
        if (err != ERR_OK)
            return err;
    }
    return out->column < XLSX_COLUMNS_MAX ? ERR_OK
                                          : fault_set(why, ERR_INVALID, "more than %d cells", XLSX_COLUMNS_MAX);
}

/* The functions below look at COMMON_HEAD_MAX bytes that are there, so nothing but the lengths of numbers is checked.
 * Each goes on behind what it takes, or returns NULL. */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

#define STARTS(at, literal) (memcmp((at), (literal), sizeof(literal) - 1) == 0)

static const char *take_reference(const char *at, uint32_t *column)
{
    uint32_t letters = 0, digits = 0, value = 0;
    for (; letters < LETTERS_MAX && *at >= 'A' && *at <= 'Z'; at++, letters++)
        value = value * 26 + (uint32_t)(*at - 'A') + 1;
    for (; digits < ROW_DIGITS_MAX && is_digit(*at); at++)
        digits++;
    if (letters == 0 || digits == 0 || *at != '"' || value > XLSX_COLUMNS_MAX)
        return NULL;
    *column = value - 1;
    return at + 1;
}

static const char *take_format(const char *at, uint32_t *format)
{
    uint32_t digits = 0, value = 0;
    for (; digits < FORMAT_DIGITS && is_digit(*at); at++, digits++)
        value = value * 10 + (uint32_t)(*at - '0');
    *format = value;
    return digits > 0 && *at == '"' ? at + 1 : NULL;
}

static const char *take_type(const char *at, enum xlsx_value_type *type)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (*at != types[i].name[0] || !xml_scan_same(types[i].name, at, types[i].len + 1))
            continue;
        *type = types[i].type;
        return at + types[i].len + 1;
    }
    return NULL;
}

static const char *take_head(const char *at, struct xlsx_cell_head *out)
{
    struct xlsx_cell_head head = {.type = XLSX_VALUE_NUMBER};
    if (!STARTS(at, "<c r=\""))
        return NULL;
    at = take_reference(at + 6, &head.column);
    if (at && STARTS(at, " s=\""))
        at = take_format(at + 4, &head.format);
    if (at && STARTS(at, " t=\""))
        at = take_type(at + 4, &head.type);
    *out = head;
    return at && *at == '>' ? at + 1 : NULL;
}

#define VALUE_START  "<v>"
#define VALUE_END    "</v></c>"
#define INLINE_START "<is><t>"
#define INLINE_END   "</t></is></c>"

bool xlsx_cell_head_take(struct xml_scan *scan, struct xlsx_cell_head *out)
{
    size_t left;
    const char *start = xml_scan_ahead(scan, &left), *stop = start + left;
    struct xlsx_cell_head head;
    const char *at = left >= COMMON_HEAD_MAX ? take_head(start, &head) : NULL;
    if (!at)
        return false;
    bool is_inline = head.type == XLSX_VALUE_INLINE;
    if (is_inline ? !STARTS(at, INLINE_START) : !STARTS(at, VALUE_START))
        return false;
    at += is_inline ? sizeof INLINE_START - 1 : sizeof VALUE_START - 1;
    size_t end_len = is_inline ? sizeof INLINE_END - 1 : sizeof VALUE_END - 1;
    const char *end = memchr(at, '<', (size_t)(stop - at));
    if (!end || (size_t)(stop - end) < end_len || (is_inline ? !STARTS(end, INLINE_END) : !STARTS(end, VALUE_END)))
        return false;
    *out = head;
    xml_scan_take(scan, at, (size_t)(end - at), end + end_len);
    return true;
}
