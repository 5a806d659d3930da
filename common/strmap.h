/* strmap - a hash table from byte strings to pointers, keyed with SipHash-1-3 so that hostile keys cannot collide at
 * will. Keys are copied; values are borrowed. Not for several threads at once. */
#ifndef STRMAP_H
#define STRMAP_H

#include "err.h"

#include <stdint.h>

struct strmap;

enum err strmap_new(struct strmap **out) MUST_CHECK;
void strmap_destroy(struct strmap **self_p);
/* *place is where the key's value stands, NULL for a key that is new; valid until the next put or take. */
enum err strmap_place(struct strmap *self, const void *key, size_t len, void ***place) MUST_CHECK;
/* Replaces the value of an existing key; *old (may be NULL) receives the former value or NULL. */
enum err strmap_put(struct strmap *self, const void *key, size_t len, void *value, void **old) MUST_CHECK;
void *strmap_get(const struct strmap *self, const void *key, size_t len); /* NULL when absent */
void *strmap_take(struct strmap *self, const void *key, size_t len);      /* removes; NULL when absent */
void strmap_drop(struct strmap *self, const void *key, size_t len,
                 const void *value); /* removes if it has this value */
size_t strmap_count(const struct strmap *self);

/* Walks all entries in no special order. The map must not change meanwhile, except that strmap_take() of the entry just
 * returned is allowed. Start with *cursor = 0; false at the end. */
bool strmap_next(const struct strmap *self, size_t *cursor, const void **key, size_t *len, void **value);

/* SipHash-2-4 of the bytes under a 16-byte key (Aumasson, Bernstein: SipHash, 2012). */
uint64_t siphash(const uint8_t key[16], const void *bytes, size_t len);

#endif
