/* disposition - parameters of Content-Disposition and Content-Type: `form-data; name="file"; filename="a b.csv"`
 * (RFC 6266, RFC 2045 5.1). Pure; any thread.
 *
 * In quoted strings only `\"` and `\\` are escapes: browsers have always sent the backslashes of a Windows path bare.
 */
#ifndef DISPOSITION_H
#define DISPOSITION_H

#include "err.h"

/* The first parameter of that name, with a NUL; of a value longer than size - 1 its end is kept. false: absent. */
bool disposition_parameter(const char *value, const char *name, char *out, size_t size);
/* filename* (RFC 8187, UTF-8 only) if it is there and sound, otherwise filename. */
bool disposition_filename(const char *value, char *out, size_t size);

#endif
