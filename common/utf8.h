/* utf8 - well-formed UTF-8, byte by byte (Unicode Standard, table 3-7: no overlong forms, no surrogates, nothing beyond
 * U+10FFFF). Any thread. */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length (1 to 4) of the well-formed sequence at `at`, which has `left` > 0 bytes; 0 when there is none. */
size_t utf8_sequence(const void *at, size_t left);

/* Writes the character `code` (a Unicode scalar value); returns the bytes it takes. */
size_t utf8_put(uint32_t code, char out[4]);

#endif
