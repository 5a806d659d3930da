/* json_stream - JSON as Python's json.dumps(ensure_ascii=False) prints it: `, ` and `: ` between, or an indent of two.
 * Only what the operations need: the pieces of which they make objects and arrays, streamed into an output. */
#ifndef JSON_STREAM_H
#define JSON_STREAM_H

#include "table/cell.h"
#include "table/output.h"

struct json_stream {
    struct output *to; /* borrowed */
    bool pretty;
};

/* The text in quotes; only `"`, `\` and control characters are escaped. */
enum err json_stream_string(const struct json_stream *self, const char *text, size_t len, struct fault *why) MUST_CHECK;
/* The same without the quotes, for a text made of pieces. */
enum err json_stream_text(const struct json_stream *self, const char *text, size_t len, struct fault *why) MUST_CHECK;
/* EMPTY "" as every other text, ERROR null, the typed kinds as JSON has them. */
enum err json_stream_cell(const struct json_stream *self, const struct cell *cell, struct fault *why) MUST_CHECK;
/* What stands before a member: `,` unless it is the first, then new line and indent, or a blank. */
enum err json_stream_next(const struct json_stream *self, bool first, unsigned depth, struct fault *why) MUST_CHECK;
/* What stands before the closing bracket of something that had members. */
enum err json_stream_close(const struct json_stream *self, unsigned depth, const char *bracket,
                           struct fault *why) MUST_CHECK;

#endif
