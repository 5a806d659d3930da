/* date_text - dates: spreadsheet serials to text, and texts to comparable times. */
#ifndef DATE_TEXT_H
#define DATE_TEXT_H

#include "table/cell.h"

#define DATE_TEXT_MAX 40

/* A serial number in a date format (ECMA-376 part 1, 18.17.4) as the contract prints it: `YYYY-MM-DD
 * HH:MM:SS[.ffffff]`, 0 <= v < 1 -> `HH:MM:SS`, the 1900 leap bug handled (60 -> 1900-02-28, 61 -> 1900-03-01),
 * fractions rounded to milliseconds. Returns the length, 0 when the serial is out of range. */
size_t date_from_serial(double serial, bool date1904, char out[DATE_TEXT_MAX]);

/* true when a number format code (e.g. "yyyy\-mm\-dd;@") or built-in id is a date (contract section 6). */
bool date_format_code(const char *code);
bool date_format_id(uint32_t num_fmt_id);

/* Parses a date text as the conditions before/after do: ISO with - or /, with or without time, fraction and zone,
 * `20240115`; day/month guesses as in contract Q18 are made per cell (`13/02/2024` = Feb 13, `01/02/2024` = Jan 2),
 * English month names are understood. Out: microseconds since 0001-01-01, zone applied when given. */
bool date_parse(const char *text, size_t len, int64_t *out_us);
/* The same date and time as written: a zone is read, but not applied. */
bool date_parse_as_written(const char *text, size_t len, int64_t *out_us);

struct date_parts {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second, microsecond;
    int weekday;     /* 0 = Monday */
    int day_of_year; /* from 1 */
};

/* us: microseconds since 0001-01-01, not negative. */
void date_split(int64_t us, struct date_parts *out);

#endif
