/* xlsx_text - how a workbook spells characters that XML 1.0 cannot hold: `_xHHHH_` (ECMA-376 part 1, 22.9.2.19).
 *
 * `_x0007_` means the character U+0007, `_x005F_` an underscore where the text itself would look like an escape.
 * One spelling stays as it is in both directions: `_x000D_`. Excel writes it beside every line feed of a text that had
 * CR LF, and existing clients know such texts with it. A carriage return of ours is written as `&#13;`. */
#ifndef XLSX_TEXT_H
#define XLSX_TEXT_H

#include "buf.h"

#include <stdint.h>

#define XLSX_TEXT_CHARACTERS_MAX 32767 /* UTF-16 units in one cell: Excel's limit */

/* Replaces the escapes in place; the new length is never larger. */
size_t xlsx_text_unescape(char *text, size_t len);

/* Adds the text as character data of XML: markup and quotes as entities, the escapes above where needed. Broken UTF-8
 * becomes U+FFFD. */
enum err xlsx_text_escape(struct buf *to, const char *text, size_t len) MUST_CHECK;

/* The text is written as it is, without entities, escapes or xml:space: most are. */
bool xlsx_text_is_plain(const char *text, size_t len);

/* How many characters a reader counts (code points), and UTF-16 units. */
size_t xlsx_text_characters(const char *text, size_t len, size_t *units);

/* xml:space="preserve" is needed: the text begins or ends with white space, or has line ends or doubled blanks. */
bool xlsx_text_needs_preserve(const char *text, size_t len);

#endif
