/* fields - the fields of one request as the library parsed them: borrowed names and values, in the order received.
 * Any thread. Field names compare without regard to case (RFC 9110 5.1). */
#ifndef FIELDS_H
#define FIELDS_H

#include "err.h"

#include <stdint.h>

struct field {
    const char *name; /* NUL-terminated, like value */
    size_t name_len;
    const char *value;
    size_t value_len;
};

struct fields {
    struct field *at;
    size_t count;
    size_t room;
};

void fields_fini(struct fields *self);
enum err fields_add(struct fields *self, const struct field *field) MUST_CHECK;
/* The first field of that name, or NULL. */
const char *fields_find(const struct fields *self, const char *name);
size_t fields_count(const struct fields *self, const char *name);

/* Whether a media type (`Content-Type: application/json; charset=utf-8`) is `type`, whatever its parameters. */
bool field_media_type_is(const char *value, const char *type);
/* Whether a comma-separated list (RFC 9110 5.6.1) holds the token; parameters after `;` are ignored. */
bool field_list_has(const char *value, const char *token);
/* A token character of RFC 9110 5.6.2. */
bool field_token_char(unsigned char c);

#endif
