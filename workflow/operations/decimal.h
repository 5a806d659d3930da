/* decimal - compares numbers written as text exactly, digit by digit, however many digits they have: floating point
 * would call 9007199254740993 and 9007199254740992 equal. Parsing reads the text once and copies nothing.
 * What counts as a number is the rule of number_text.h: blanks around, `+5`, `.5`, `5.`, `1e3`, `inf`, `00012`;
 * not `0x10`, `1_000`, `1,000`, `nan` or nothing. */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decimal {
    int sign;           /* -1, 0, 1 */
    int64_t magnitude;  /* the value is 0.DIGITS x 10^magnitude; INT64_MAX for infinity */
    const char *digits; /* from the first digit that is not 0; may contain the point; borrowed from the text */
    const char *end;
};

bool decimal_parse(const char *text, size_t len, struct decimal *out);

/* <0, 0, >0 as a is less than, equal to or greater than b. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

#endif
