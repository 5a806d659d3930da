/* key_table - byte strings (keys) and, for each, a byte string (its value): for joining and for finding duplicates.
 *
 * Keys are hashed under a random key of its own, so that nobody can make a file whose keys all collide. Memory is
 * bounded by the limit given; nothing is ever removed. Used by one thread. */
#ifndef KEY_TABLE_H
#define KEY_TABLE_H

#include "buf.h"
#include "table/cell.h"

struct key_table;

/* memory_max: bytes it may hold, 0 = no limit. ERR_MEMORY, here and below: no memory, or the limit is reached. */
enum err key_table_new(struct key_table **out, uint64_t memory_max) MUST_CHECK;
void key_table_destroy(struct key_table **self_p);

/* The value of the key, borrowed; NULL when there is none. A value of no bytes is not NULL. */
const char *key_table_find(const struct key_table *self, const char *key, size_t len);
/* The same in three calls, for those who look up many keys: in a large table each look-up waits twice for memory, which
 * the waits of other look-ups can hide. First each key's hash, then key_table_approach() for each hash, then the finds.
 */
uint32_t key_table_hash(const struct key_table *self, const char *key, size_t len);
void key_table_approach(const struct key_table *self, uint32_t hash);
const char *key_table_find_hashed(const struct key_table *self, uint32_t hash, const char *key, size_t len);
/* Adds key and value; *added = false when the key was there, whose value then stays. */
enum err key_table_add(struct key_table *self, const char *key, size_t len, const char *value, size_t value_len,
                       bool *added) MUST_CHECK;
size_t key_table_count(const struct key_table *self);
uint64_t key_table_bytes(const struct key_table *self); /* of memory it holds */

/* The cells as one key: length and text of each, so that ("a", "bc") is not ("ab", "c"). Numbers and truth values are
 * their texts; empty cells and error values are both nothing. Overwrites `to`. */
enum err key_table_encode(const struct cell *cell, uint32_t count, struct buf *to) MUST_CHECK;

#endif
