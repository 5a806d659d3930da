#include "operations/normalize/date_print.h"

#include <string.h>

static const char *const month_names[12] = {"January", "February", "March",     "April",   "May",      "June",
                                            "July",    "August",   "September", "October", "November", "December"};
static const char *const day_names[7] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

/* Directives that stand for others. */
static const struct {
    char directive;
    const char *format;
} compounds[] = {
    {'D', "%m/%d/%y"}, {'F', "%Y-%m-%d"},    {'T', "%H:%M:%S"},
    {'R', "%H:%M"},    {'r', "%I:%M:%S %p"}, {'c', "%a %b %e %H:%M:%S %Y"},
    {'x', "%m/%d/%y"}, {'X', "%H:%M:%S"},    {'n', "\n"},
    {'t', "\t"},       {'%', "%"},           {'z', ""},
    {'Z', ""},
};

static const char *find_compound(char directive)
{
    for (size_t i = 0; i < sizeof compounds / sizeof *compounds; i++)
        if (compounds[i].directive == directive)
            return compounds[i].format;
    return NULL;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* ISO 8601: weeks begin on Monday, week 1 has the year's first Thursday. */
static int iso_week(const struct date_parts *date, int *year)
{
    int thursday = date->day_of_year + 3 - date->weekday; /* day of the year of this week's Thursday */
    *year = date->year;
    if (thursday < 1) {
        *year -= 1;
        thursday += 365 + is_leap(*year);
    } else if (thursday > 365 + is_leap(*year)) {
        thursday -= 365 + is_leap(*year);
        *year += 1;
    }
    return (thursday - 1) / 7 + 1;
}

/* A number, and how it is padded. */
struct field {
    int value, width;
    char pad;
};

static bool find_field(char directive, const struct date_parts *date, struct field *out)
{
    int year;
    switch (directive) {
    case 'Y': *out = (struct field){date->year, 4, '0'}; return true;
    case 'C': *out = (struct field){date->year / 100, 2, '0'}; return true;
    case 'y': *out = (struct field){date->year % 100, 2, '0'}; return true;
    case 'm': *out = (struct field){date->month, 2, '0'}; return true;
    case 'd': *out = (struct field){date->day, 2, '0'}; return true;
    case 'e': *out = (struct field){date->day, 2, ' '}; return true;
    case 'j': *out = (struct field){date->day_of_year, 3, '0'}; return true;
    case 'H': *out = (struct field){date->hour, 2, '0'}; return true;
    case 'I': *out = (struct field){(date->hour + 11) % 12 + 1, 2, '0'}; return true;
    case 'k': *out = (struct field){date->hour, 2, ' '}; return true;
    case 'l': *out = (struct field){(date->hour + 11) % 12 + 1, 2, ' '}; return true;
    case 'M': *out = (struct field){date->minute, 2, '0'}; return true;
    case 'S': *out = (struct field){date->second, 2, '0'}; return true;
    case 'f': *out = (struct field){date->microsecond, 6, '0'}; return true;
    case 'u': *out = (struct field){date->weekday + 1, 1, '0'}; return true;
    case 'w': *out = (struct field){(date->weekday + 1) % 7, 1, '0'}; return true;
    case 'U': *out = (struct field){(date->day_of_year + 6 - (date->weekday + 1) % 7) / 7, 2, '0'}; return true;
    case 'W': *out = (struct field){(date->day_of_year + 6 - date->weekday) / 7, 2, '0'}; return true;
    case 'V': *out = (struct field){iso_week(date, &year), 2, '0'}; return true;
    case 'G':
        iso_week(date, &year);
        *out = (struct field){year, 4, '0'};
        return true;
    case 'g':
        iso_week(date, &year);
        *out = (struct field){year % 100, 2, '0'};
        return true;
    }
    return false;
}

static enum err add_field(struct buf *to, const struct field *field, bool bare)
{
    if (bare)
        return buf_printf(to, "%d", field->value);
    return field->pad == '0' ? buf_printf(to, "%0*d", field->width, field->value)
                             : buf_printf(to, "%*d", field->width, field->value);
}

/* NULL: the directive is no word. */
static const char *find_word(char directive, const struct date_parts *date, size_t *len)
{
    const char *day = day_names[date->weekday], *month = month_names[date->month - 1], *half;
    switch (directive) {
    case 'A': *len = strlen(day); return day;
    case 'a': *len = 3; return day;
    case 'B': *len = strlen(month); return month;
    case 'b':
    case 'h': *len = 3; return month;
    case 'p':
        half = date->hour < 12 ? "AM" : "PM";
        *len = 2;
        return half;
    case 'P':
        half = date->hour < 12 ? "am" : "pm";
        *len = 2;
        return half;
    }
    return NULL;
}

static enum err add_directive(struct buf *to, const struct date_parts *date, const char *at, size_t len)
{
    char directive = at[len - 1];
    struct field field;
    if (find_field(directive, date, &field))
        return add_field(to, &field, len == 3);
    size_t word_len;
    const char *word = find_word(directive, date, &word_len);
    return word ? buf_add(to, word, word_len) : buf_add(to, at, len);
}

enum err date_print(struct buf *to, const struct date_parts *date, const char *format, size_t len)
{
    enum err err = ERR_OK;
    for (size_t at = 0; at < len && err == ERR_OK;) {
        size_t left = len - at;
        size_t used = format[at] != '%' || left < 2 ? 1 : format[at + 1] == '-' && left > 2 ? 3 : 2;
        const char *compound = used > 1 ? find_compound(format[at + used - 1]) : NULL;
        if (used == 1)
            err = buf_add(to, format + at, 1);
        else if (!compound)
            err = add_directive(to, date, format + at, used);
        else
            err = strlen(compound) > 1 ? date_print(to, date, compound, strlen(compound)) : buf_add_text(to, compound);
        at += used;
    }
    return err;
}
