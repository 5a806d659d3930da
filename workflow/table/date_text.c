#include "table/date_text.h"

#include <math.h>
#include <strings.h>

#define US_PER_SECOND   1000000
#define US_PER_DAY      (86400LL * US_PER_SECOND)
#define MS_PER_DAY      86400000
#define YEAR_MAX        9999
#define AMOUNT_YEAR_MIN 1678 /* a text that could be an amount as well is a year from here ... */
#define AMOUNT_YEAR_MAX 2262 /* ... to here: those that count in nanoseconds since 1970 have no others */
#define DATE_BYTES_MAX  64   /* no date text is longer */

/* Days from 0001-01-01 of the proleptic Gregorian calendar. */
static int64_t days_before_year(int year)
{
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static const int days_before_month[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static int month_days(int year, int month)
{
    return days_before_month[month] - days_before_month[month - 1] + (month == 2 && is_leap(year));
}

static int64_t days_from_date(int year, int month, int day)
{
    return days_before_year(year) + days_before_month[month - 1] + (month > 2 && is_leap(year)) + day - 1;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    int y = (int)(days * 400 / 146097) + 1;
    while (days_before_year(y + 1) <= days)
        y++;
    while (days_before_year(y) > days)
        y--;
    int rest = (int)(days - days_before_year(y));
    int m = 1;
    while (rest >= month_days(y, m))
        rest -= month_days(y, m++);
    *year = y;
    *month = m;
    *day = rest + 1;
}

/* printf() took a tenth of the time in which a sheet with a column of dates is read. */
static char *print_digits(char *to, int value, int digits, char behind)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
    to[digits] = behind;
    return to + digits + 1;
}

static size_t print_time(char *out, int64_t ms)
{
    int seconds = (int)(ms / 1000), fraction = (int)(ms % 1000);
    char *to = print_digits(out, seconds / 3600, 2, ':');
    to = print_digits(to, seconds / 60 % 60, 2, ':');
    to = print_digits(to, seconds % 60, 2, '.');
    if (fraction != 0)
        to = print_digits(to, fraction * 1000, 6, '.');
    return (size_t)(to - out) - 1; /* without the last point */
}

/* Serial 0 is 1899-12-30, or 1904-01-01. The first lets serials from 61 be right although their makers believe in a
 * 1900-02-29 (serial 60); those below are one day off and corrected. */
size_t date_from_serial(double serial, bool date1904, char out[DATE_TEXT_MAX])
{
    if (!(fabs(serial) < 4e6))
        return 0;
    double whole = floor(serial);
    int64_t day_number = (int64_t)whole;
    int64_t ms = (int64_t)rint((serial - whole) * MS_PER_DAY);
    if (serial >= 0 && serial < 1 && ms < MS_PER_DAY)
        return print_time(out, ms);
    if (serial > 0 && serial < 60 && !date1904)
        day_number++;
    day_number += ms / MS_PER_DAY + (date1904 ? days_from_date(1904, 1, 1) : days_from_date(1899, 12, 30));
    if (day_number < 0 || day_number >= days_before_year(YEAR_MAX + 1))
        return 0;
    int year, month, day;
    date_from_days(day_number, &year, &month, &day);
    char *to = print_digits(print_digits(print_digits(out, year, 4, '-'), month, 2, '-'), day, 2, ' ');
    return (size_t)(to - out) + print_time(to, ms % MS_PER_DAY);
}

/* [h] [mm] [ss]: elapsed time, unlike colours, conditions and locales in brackets. */
static bool is_elapsed(const char *inside, size_t len)
{
    if (len == 0 || len > 2 || !strchr("hmsHMS", inside[0]))
        return false;
    return len == 1 || inside[1] == inside[0];
}

bool date_format_code(const char *code)
{
    while (*code && *code != ';') {
        size_t len;
        switch (*code) {
        case '"':
            len = strcspn(code + 1, "\"");
            code += 1 + len + (code[1 + len] != '\0');
            break;
        case '[':
            len = strcspn(code + 1, "]");
            if (code[1 + len] != '\0' && is_elapsed(code + 1, len))
                return true;
            code += 1 + len + (code[1 + len] != '\0');
            break;
        case '\\':
        case '_':
        case '*': code += 1 + (code[1] != '\0'); break;
        default:
            if (strchr("dmhysDMHYS", *code))
                return true;
            code++;
        }
    }
    return false;
}

bool date_format_id(uint32_t num_fmt_id)
{
    return (num_fmt_id >= 14 && num_fmt_id <= 22) || (num_fmt_id >= 45 && num_fmt_id <= 47);
}

/* A date text is read as a run of tokens: up to three numbers or a month name make the date; a number before ':' (or
 * before am/pm) begins the time; what follows the time may be a zone. `hour` < 0: no time yet. */
struct reading {
    const char *begin;
    const char *at;
    const char *end;
    int number[3];
    int digits[3]; /* digits each number was written with */
    int count;
    int month;      /* by name, else 0 */
    int month_slot; /* numbers that stood before the name */
    int hour, minute, second;
    int64_t us;
    bool afternoon_seen;
    bool zone_seen;
    bool iso; /* year came first: bare time digits may follow */
    int64_t zone_us;
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static bool is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static size_t digit_run(const struct reading *self)
{
    size_t len = 0;
    while (self->at + len < self->end && is_digit(self->at[len]))
        len++;
    return len;
}

static int take_number(struct reading *self, size_t len)
{
    int value = 0;
    for (size_t i = 0; i < len; i++)
        value = value * 10 + (*self->at++ - '0');
    return value;
}

static char peek(const struct reading *self, size_t ahead)
{
    return self->at + ahead < self->end ? self->at[ahead] : '\0';
}

static bool take_char(struct reading *self, char c)
{
    if (peek(self, 0) != c)
        return false;
    self->at++;
    return true;
}

static void skip_blanks(struct reading *self)
{
    while (peek(self, 0) == ' ' || peek(self, 0) == '\t')
        self->at++;
}

static bool take_fraction(struct reading *self)
{
    size_t len = digit_run(self);
    if (len == 0)
        return false;
    int64_t us = 0;
    for (size_t i = 0; i < 6; i++)
        us = us * 10 + (i < len ? self->at[i] - '0' : 0);
    self->us = us;
    self->at += len;
    return true;
}

/* `12:30[:45[.678]]`, the hour being `hour_digits` long. */
static bool take_clock(struct reading *self, size_t hour_digits)
{
    if (self->hour >= 0 || hour_digits > 2)
        return false;
    self->hour = take_number(self, hour_digits);
    if (take_char(self, ':')) {
        size_t len = digit_run(self);
        if (len == 0 || len > 2)
            return false;
        self->minute = take_number(self, len);
        if (take_char(self, ':')) {
            len = digit_run(self);
            if (len == 0 || len > 2)
                return false;
            self->second = take_number(self, len);
            if ((peek(self, 0) == '.' || peek(self, 0) == ',') && is_digit(peek(self, 1))) {
                self->at++;
                return take_fraction(self);
            }
        }
    }
    return true;
}

/* `T123045`: hour, hour and minute, or all three without colons. */
static bool take_packed_clock(struct reading *self, size_t len)
{
    if (self->hour >= 0 || (len != 2 && len != 4 && len != 6))
        return false;
    self->hour = take_number(self, 2);
    self->minute = len >= 4 ? take_number(self, 2) : 0;
    self->second = len == 6 ? take_number(self, 2) : 0;
    if (len == 6 && peek(self, 0) == '.' && is_digit(peek(self, 1))) {
        self->at++;
        return take_fraction(self);
    }
    return true;
}

static bool take_offset(struct reading *self)
{
    int sign = *self->at++ == '-' ? -1 : 1;
    size_t len = digit_run(self);
    if (self->zone_seen || (len != 1 && len != 2 && len != 4))
        return false;
    int hours = take_number(self, len == 4 ? 2 : len), minutes = 0;
    if (len == 4) {
        minutes = take_number(self, 2);
    } else if (take_char(self, ':')) {
        if (digit_run(self) != 2)
            return false;
        minutes = take_number(self, 2);
    }
    self->zone_seen = true;
    self->zone_us = sign * (hours * 3600LL + minutes * 60LL) * US_PER_SECOND;
    return hours < 24 && minutes < 60;
}

/* 20240115, 202401151230, 20240115123045 */
static bool take_packed_date(struct reading *self, size_t len)
{
    if (self->count > 0 || self->month > 0)
        return false;
    self->number[0] = take_number(self, 4);
    self->number[1] = take_number(self, 2);
    self->number[2] = take_number(self, 2);
    self->digits[0] = 4;
    self->digits[1] = self->digits[2] = 2;
    self->count = 3;
    self->iso = true;
    return len == 8 || take_packed_clock(self, len - 8);
}

static bool take_date_number(struct reading *self, size_t len)
{
    if (len == 8 || len == 12 || len == 14)
        return take_packed_date(self, len);
    if ((len > 2 && len != 4) || self->count >= 3)
        return false;
    self->iso = self->iso || (self->count == 0 && len == 4);
    self->digits[self->count] = (int)len;
    self->number[self->count++] = take_number(self, len);
    return true;
}

static bool date_complete(const struct reading *self)
{
    return self->count + (self->month > 0) == 3;
}

/* `10 pm`, `10pm`: the half of the day follows the number. */
static bool half_follows(const struct reading *self, size_t len)
{
    while (peek(self, len) == ' ')
        len++;
    char half = (char)(peek(self, len) | 0x20);
    return (half == 'a' || half == 'p') && (peek(self, len + 1) | 0x20) == 'm' && !is_letter(peek(self, len + 2));
}

static bool take_digits(struct reading *self)
{
    size_t len = digit_run(self);
    if (self->hour < 0 && len <= 2 && (peek(self, len) == ':' || half_follows(self, len)))
        return take_clock(self, len);
    if (self->iso && date_complete(self) && self->hour < 0)
        return len == 2 && take_packed_clock(self, len);
    return take_date_number(self, len);
}

static const char *const month_names[12] = {"january", "february", "march",     "april",   "may",      "june",
                                            "july",    "august",   "september", "october", "november", "december"};
static const char *const day_names[7] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};

/* Whole names and their usual short forms: three letters, "sept", "tues", "thur", "thurs". 0: none of them. */
static int name_number(const char *const *names, int count, const char *word, size_t len)
{
    for (int i = 0; i < count; i++) {
        size_t whole = strlen(names[i]);
        if ((len == whole || (len >= 3 && len <= 5 && len < whole)) && strncasecmp(names[i], word, len) == 0)
            return i + 1;
    }
    return 0;
}

static bool is_word(const char *word, size_t len, const char *list)
{
    for (; *list; list += strlen(list) + 1)
        if (strlen(list) == len && strncasecmp(list, word, len) == 0)
            return true;
    return false;
}

static bool take_half(struct reading *self, bool afternoon)
{
    if (self->hour < 0 || self->hour > 12 || self->afternoon_seen)
        return false;
    self->afternoon_seen = true;
    self->hour = self->hour % 12 + (afternoon ? 12 : 0);
    return true;
}

static bool take_month(struct reading *self, int month)
{
    if (self->month > 0 || self->count > 2)
        return false;
    self->month = month;
    self->month_slot = self->count;
    return true;
}

static bool take_zone_name(struct reading *self)
{
    if (self->zone_seen || self->hour < 0)
        return false;
    self->zone_seen = true;
    return true;
}

static bool take_word(struct reading *self)
{
    const char *word = self->at;
    bool after_digit = self->count > 0 && is_digit(word[-1]);
    while (is_letter(peek(self, 0)))
        self->at++;
    size_t len = (size_t)(self->at - word);
    if (is_word(word, len, "am\0"))
        return take_half(self, false);
    if (is_word(word, len, "pm\0"))
        return take_half(self, true);
    int month = name_number(month_names, 12, word, len);
    if (month > 0)
        return take_month(self, month);
    if (is_word(word, len, "z\0utc\0gmt\0"))
        return take_zone_name(self);
    if (is_word(word, len, "t\0")) {
        size_t digits = digit_run(self);
        if (digits == 0 || !date_complete(self))
            return false;
        return peek(self, digits) == ':' ? take_clock(self, digits) : take_packed_clock(self, digits);
    }
    if (is_word(word, len, "st\0nd\0rd\0th\0"))
        return after_digit;
    return name_number(day_names, 7, word, len) > 0 || is_word(word, len, "of\0at\0on\0");
}

static bool take_token(struct reading *self)
{
    char c = *self->at;
    if (is_digit(c))
        return take_digits(self);
    if (is_letter(c))
        return take_word(self);
    if (self->hour >= 0 && (c == '+' || (c == '-' && date_complete(self))))
        return take_offset(self);
    if (!memchr("-/.,", c, 4) || self->at == self->begin)
        return false;
    self->at++;
    skip_blanks(self);
    return is_digit(peek(self, 0)) || is_letter(peek(self, 0));
}

static int full_year(int year, int digits)
{
    if (digits > 2)
        return year;
    return year < 69 ? 2000 + year : 1900 + year;
}

struct date {
    int year, month, day;
};

/* With a month's name the longer or larger number is the year: 15 Jan 2024, Jan 15 24, 2024 Jan 15, Jan 2024. */
static bool settle_named(const struct reading *self, struct date *out)
{
    out->month = self->month;
    if (self->count == 1) {
        out->day = 1;
        out->year = self->number[0];
        return self->digits[0] == 4;
    }
    if (self->count != 2)
        return false;
    int year = self->digits[0] == 4 || (self->digits[1] != 4 && self->number[0] > 31) ? 0 : 1;
    out->year = full_year(self->number[year], self->digits[year]);
    out->day = self->number[1 - year];
    return true;
}

/* 2024, 2024-01, 01/2024, and three numbers: year first if it can only be one, else month first unless it is over 12.
 */
static bool settle_numbers(const struct reading *self, struct date *out)
{
    const int *n = self->number;
    const int *digits = self->digits;
    if (self->count == 1) {
        *out = (struct date){n[0], 1, 1};
        return digits[0] == 4 && self->hour < 0;
    }
    if (self->count == 2) {
        *out = digits[0] == 4 ? (struct date){n[0], n[1], 1} : (struct date){n[1], n[0], 1};
        return (digits[0] == 4) != (digits[1] == 4) && self->hour < 0;
    }
    if (digits[0] == 4 || n[0] > 31)
        *out = (struct date){full_year(n[0], digits[0]), n[1], n[2]};
    else if (n[0] > 12)
        *out = (struct date){full_year(n[2], digits[2]), n[1], n[0]};
    else
        *out = (struct date){full_year(n[2], digits[2]), n[0], n[1]};
    return true;
}

/* 1234 and 1234.50 are years and months only by chance. */
static bool may_be_amount(const struct reading *self)
{
    for (const char *at = self->begin; self->count <= 2 && at < self->end; at++)
        if (!is_digit(*at) && *at != '.')
            return false;
    return self->count <= 2;
}

static bool settle(const struct reading *self, int64_t *out_us)
{
    struct date date;
    if (!(self->month > 0 ? settle_named(self, &date) : self->count > 0 && settle_numbers(self, &date)))
        return false;
    if (may_be_amount(self) && (date.year < AMOUNT_YEAR_MIN || date.year > AMOUNT_YEAR_MAX))
        return false;
    if (date.year < 1 || date.year > YEAR_MAX || date.month < 1 || date.month > 12 || date.day < 1 ||
        date.day > month_days(date.year, date.month))
        return false;
    int hour = self->hour < 0 ? 0 : self->hour;
    if (hour > 23 || self->minute > 59 || self->second > 59)
        return false;
    int64_t seconds = hour * 3600LL + self->minute * 60LL + self->second;
    *out_us = days_from_date(date.year, date.month, date.day) * US_PER_DAY + seconds * US_PER_SECOND + self->us;
    return true;
}

static bool parse(const char *text, size_t len, int64_t *out_us, int64_t *zone_us)
{
    struct reading reading = {.at = text, .end = text + len, .hour = -1};
    while (reading.end > reading.at && memchr(" \t\r\n", reading.end[-1], 4))
        reading.end--;
    while (reading.at < reading.end && memchr(" \t\r\n", *reading.at, 4))
        reading.at++;
    reading.begin = reading.at;
    if (reading.end - reading.at > DATE_BYTES_MAX)
        return false;
    for (skip_blanks(&reading); reading.at < reading.end; skip_blanks(&reading))
        if (!take_token(&reading))
            return false;
    *zone_us = reading.zone_us;
    return settle(&reading, out_us);
}

bool date_parse(const char *text, size_t len, int64_t *out_us)
{
    int64_t zone_us;
    if (!parse(text, len, out_us, &zone_us))
        return false;
    *out_us -= zone_us;
    return true;
}

bool date_parse_as_written(const char *text, size_t len, int64_t *out_us)
{
    int64_t zone_us;
    return parse(text, len, out_us, &zone_us);
}

void date_split(int64_t us, struct date_parts *out)
{
    int64_t days = us / US_PER_DAY, rest = us % US_PER_DAY;
    int seconds = (int)(rest / US_PER_SECOND);
    date_from_days(days, &out->year, &out->month, &out->day);
    out->hour = seconds / 3600;
    out->minute = seconds / 60 % 60;
    out->second = seconds % 60;
    out->microsecond = (int)(rest % US_PER_SECOND);
    out->weekday = (int)(days % 7); /* 0001-01-01 was a Monday */
    out->day_of_year = (int)(days - days_before_year(out->year)) + 1;
}
