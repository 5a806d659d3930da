/* placeholder - `{name[:type][|default]}` in a template, and the value a cell gives it. Shared by the SQL and the JSON
 * templates; blanks around the parts do not count, `{}` is no placeholder. Types: int, float, bool, datetime and
 * string (str, text); any other word means none. */
#ifndef PLACEHOLDER_H
#define PLACEHOLDER_H

#include "table/cell.h"
#include "table/number_text.h"

enum placeholder_type { PLACEHOLDER_PLAIN, PLACEHOLDER_INT, PLACEHOLDER_FLOAT, PLACEHOLDER_BOOL, PLACEHOLDER_TEXT };

struct placeholder {
    const char *name; /* borrowed from the template, as the other texts */
    size_t name_len;
    enum placeholder_type type;
    bool has_default;
    const char *standard; /* the default */
    size_t standard_len;
    const char *before, *behind; /* the wildcards of a pattern */
    size_t before_len, behind_len;
};

/* Reads the placeholder that begins with the `{` at text[0]; *used is its length with both braces. false: there is
 * none. */
bool placeholder_parse(const char *text, size_t len, struct placeholder *out, size_t *used);

/* The same, where `%` and `_` at both ends of `name[:type]` are SQL's wildcards: {%name:text%|default}. A name may
 * begin or end so by itself: ask placeholder_parse() first. */
bool placeholder_parse_pattern(const char *text, size_t len, struct placeholder *out, size_t *used);

enum value_kind {
    VALUE_NULL,   /* nothing, where nothing is a value of its own: for int and float, and of an error cell */
    VALUE_TEXT,   /* text that may be empty, or was not convertible */
    VALUE_NUMBER, /* digits as JSON and SQL write them */
    VALUE_TRUTH,
};

struct placeholder_value {
    enum value_kind kind;
    bool truth;
    const char *text; /* TEXT, NUMBER: borrowed from the cell, the template or `space`; TRUTH: "True" or "False" */
    size_t len;
    char space[NUMBER_DIGITS_MAX];
};

/* The cell, or the default when it is empty, as the type says. int cuts off the fraction, and keeps all digits of what
 * is written without one; what cannot be converted stays the text it is; an empty cell is no true word. */
void placeholder_value(const struct placeholder *self, const struct cell *cell, struct placeholder_value *out);

#endif
