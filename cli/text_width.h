/* text_width - how many terminal columns UTF-8 text takes (Unicode Standard Annex 11): an emoji takes two, an accent
 * that joins its letter none. Any thread. */
#ifndef TEXT_WIDTH_H
#define TEXT_WIDTH_H

#include "buf.h"

int text_width(const char *text);
/* Appends as many whole characters as fit into the columns. */
enum err text_width_cut(struct buf *out, const char *text, int columns) MUST_CHECK;

#endif
