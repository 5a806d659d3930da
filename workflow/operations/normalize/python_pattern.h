/* python_pattern - search and replace with a regular expression in the syntax of Python's `re`, run by PCRE2.
 *
 * Existing clients send Python patterns. Where the two differ, the pattern is rewritten (\Z, \v, \uXXXX, {,n}, a `[`
 * inside a class) or refused (escapes of letters that Python does not know, (*VERBS)); \p{...} is allowed in addition.
 * \s \w \d \b and upper and lower case are those of Unicode. The replacement knows \1 to \99, \g<1>, \g<name>, \n and
 * its like, and octal escapes; a group that took no part in the match is empty.
 * Patterns are hostile input: size, steps, depth and memory of a match are limited, no code is generated.
 * Used by one thread. */
#ifndef PYTHON_PATTERN_H
#define PYTHON_PATTERN_H

#include "buf.h"

#define PATTERN_BYTES_MAX       16384
#define PATTERN_MATCH_STEPS_MAX 1000000 /* backtracking steps of one match */
#define PATTERN_DEPTH_MAX       100000  /* nested backtracking points */
#define PATTERN_HEAP_KIB_MAX    65536

struct python_pattern;

/* ERR_INVALID: pattern or replacement is wrong, and why says how and where. */
enum err python_pattern_new(struct python_pattern **out, const char *pattern, size_t pattern_len,
                            const char *replacement, size_t replacement_len, struct fault *why) MUST_CHECK;
void python_pattern_destroy(struct python_pattern **self_p);

/* Appends the text (UTF-8) with every match replaced, as re.sub() does: an empty match may follow a match, but not an
 * empty one at the same place. ERR_FULL: `to` is full. ERR_TOO_LARGE: a limit, named in why. */
enum err python_pattern_replace(struct python_pattern *self, const char *text, size_t len, struct buf *to,
                                struct fault *why) MUST_CHECK;

#endif
