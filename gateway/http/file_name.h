/* file_name - names that came from outside, made harmless; and names put into headers and URLs. Pure; any thread.
 *
 * The rules for a name that a client sends:
 *   - `/` and white space (Unicode's too) become `_`, runs of them one; at both ends they vanish;
 *   - of ASCII, letters, digits and `_ . -` stay and everything else goes (`dir\win.csv` -> `dirwin.csv`);
 *   - other characters stay, but for control, formatting and direction characters and bytes that are not UTF-8;
 *   - leading and trailing `.` and `_` go (`../../etc/x` -> `etc_x`);
 *   - at most FILE_NAME_MAX bytes, cut before the extension and never inside a character;
 *   - a name of which nothing but an extension is left is `file` with that extension (`???.csv` -> `file.csv`); a name
 * of which nothing is left is `file`. */
#ifndef FILE_NAME_H
#define FILE_NAME_H

#include "buf.h"

#define FILE_NAME_MAX 200

/* Writes the harmless name with a NUL; never empty. */
void file_name_clean(const char *name, size_t len, char out[FILE_NAME_MAX + 1]);

/* Percent-encodes everything but unreserved characters (RFC 3986 2.3): for a path segment and for filename*. */
enum err file_name_percent(struct buf *out, const char *name) MUST_CHECK;
/* `attachment; filename="ascii"`, with `filename*=UTF-8''...` (RFC 6266, RFC 8187) when the name is not plain ASCII. */
enum err file_name_disposition(struct buf *out, const char *name) MUST_CHECK;
/* The media type its extension stands for; application/octet-stream when unknown. */
const char *file_name_media_type(const char *name);
/* Whether the bytes are well-formed UTF-8 without control characters: what a name in a URL must be to be looked up. */
bool file_name_plausible(const char *name);

#endif
