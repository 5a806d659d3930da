/* letter_case - upper, lower and title case of any script (Unicode 14: SpecialCasing.txt, without the rules of single
 * languages), and blanks at the ends, as Python's str methods have them. */
#ifndef LETTER_CASE_H
#define LETTER_CASE_H

#include "buf.h"

enum letter_case {
    CASE_UPPER, /* ß -> SS */
    CASE_LOWER, /* a Greek capital sigma at the end of a word becomes ς */
    CASE_TITLE, /* the first of each run of letters that have case; the others lower: o'neil -> O'Neil */
};

/* Appends the text in that case. */
enum err letter_case_add(struct buf *to, enum letter_case wanted, const char *text, size_t len) MUST_CHECK;

/* Moves both ends past blanks: White_Space (PropList.txt) and the separators U+001C to U+001F. */
void letter_case_strip(const char **text, size_t *len);

#endif
