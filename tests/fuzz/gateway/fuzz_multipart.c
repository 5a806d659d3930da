/* Any bytes as a form, read at once and in pieces: both readings see the same, whatever it is. */
#include "http/multipart.h"

#include "buf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static enum err begin(void *context, const struct multipart_part *part, struct fault *why)
{
    (void)why;
    return buf_printf(context, "%s/%s/%s{", part->name, part->filename ? part->filename : "-", part->content_type);
}

static enum err data(void *context, const char *bytes, size_t len, struct fault *why)
{
    (void)why;
    if (len == 0)
        abort();
    return buf_add(context, bytes, len);
}

static enum err end(void *context, struct fault *why)
{
    (void)why;
    return buf_add_text(context, "}");
}

static enum err read_form(const char *boundary, const uint8_t *bytes, size_t len, size_t step, struct buf *seen)
{
    struct multipart reader;
    struct multipart_sink sink = {seen, begin, data, end};
    struct fault why = {.text = ""};
    multipart_init(&reader, boundary, &sink);
    enum err err = ERR_OK;
    for (size_t at = 0; at < len && err == ERR_OK; at += step)
        err = multipart_feed(&reader, (const char *)bytes + at, len - at < step ? len - at : step, &why);
    if (err == ERR_OK)
        err = multipart_finish(&reader, &why);
    if (err != ERR_OK && !why.text[0])
        abort();
    return err;
}

/* First byte: the size of the pieces. Then a Content-Type up to the first line feed, or the boundary "b" without one.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    size_t step = (size_t)bytes[0] + 1;
    bytes++, len--;
    char boundary[MULTIPART_BOUNDARY_MAX + 1] = "b";
    const uint8_t *line_end = memchr(bytes, '\n', len);
    if (line_end && line_end - bytes < 500) {
        char type[512] = "multipart/form-data; ";
        size_t used = strlen(type);
        size_t line =
            (size_t)(line_end - bytes) < sizeof type - used - 1 ? (size_t)(line_end - bytes) : sizeof type - used - 1;
        memcpy(type + used, bytes, line);
        if (multipart_boundary(type, boundary, NULL) == ERR_OK) {
            len -= (size_t)(line_end - bytes) + 1;
            bytes = line_end + 1;
        } else {
            strcpy(boundary, "b");
        }
    }
    struct buf whole = BUF_INIT(1 << 24);
    struct buf pieces = BUF_INIT(1 << 24);
    enum err err = read_form(boundary, bytes, len, len, &whole);
    if (read_form(boundary, bytes, len, step, &pieces) != err || whole.len != pieces.len ||
        (whole.len && memcmp(whole.data, pieces.data, whole.len) != 0))
        abort();
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
