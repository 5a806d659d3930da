/* json_weight - how much memory a JSON text takes as a tree, before it is made one. A text of empty lists takes forty
 * times its length, so that the length alone bounds nothing. Pure; any thread. */
#ifndef JSON_WEIGHT_H
#define JSON_WEIGHT_H

#include <stddef.h>

/* Bytes a jansson tree of it takes, with what malloc() adds: an estimate from above, but for numbers and letters that
 * a tree holds in place of the text. The text need not be JSON. */
size_t json_weight(const char *text, size_t len);

#endif
