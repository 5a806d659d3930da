/* sql_words - the words that cannot be a table's or column's name without quotes. */
#ifndef SQL_WORDS_H
#define SQL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQL_RESERVED_POSTGRESQL 1u
#define SQL_RESERVED_MYSQL      2u
#define SQL_RESERVED_SQLITE     4u

/* In any case. */
bool sql_reserved(const char *word, size_t len, uint8_t dialects);

#endif
