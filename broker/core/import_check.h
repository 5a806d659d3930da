/* import_check - is the record of a dump one that a chat may have? Pure. */
#ifndef IMPORT_CHECK_H
#define IMPORT_CHECK_H

#include "core/change.h"

#include <jansson.h>

/* ERR_INVALID with what is wrong, for people. */
enum err import_check(const json_t *record, const char *chat_id, size_t event_bytes_max, struct fault *why) MUST_CHECK;

/* A member's text, "" when it is absent or of another type. */
const char *import_text(const json_t *object, const char *key);
/* A member's number between 0 and max; 0 when it is absent or of another type. */
int64_t import_number(const json_t *object, const char *key, int64_t max);

#endif
