/* dedupe - remembers the newest `max` keys with a value each, first in, first out, and all that came since it was last
 * settled, however many: what the turn of a loop remembers is on record only when the turn has ended. Values are freed
 * with free(3). */
#ifndef DEDUPE_H
#define DEDUPE_H

#include "err.h"

#include <stdint.h>

struct dedupe;

enum err dedupe_new(struct dedupe **out, uint32_t max) MUST_CHECK;
void dedupe_destroy(struct dedupe **self_p);
/* Takes *value whatever the result; a key that is already there keeps its place and gets the new value. */
enum err dedupe_put(struct dedupe *self, const void *key, size_t len, void **value) MUST_CHECK;
/* From here on nothing but the newest `max` need be remembered. */
void dedupe_settle(struct dedupe *self);
/* Forgets every key whose value is one of those. Looks at all. */
void dedupe_forget(struct dedupe *self, bool (*one_of)(const void *value, const void *context), const void *context);
void *dedupe_get(const struct dedupe *self, const void *key, size_t len); /* borrowed; NULL = not remembered */

#endif
