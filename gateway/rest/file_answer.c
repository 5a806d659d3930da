#include "rest/file_answer.h"

#include "http/file_name.h"
#include "http/range.h"
#include "http/reply.h"

#include <string.h>
#include <unistd.h>

static void add_fields(struct request *request, const struct file_answer *file)
{
    struct buf disposition = BUF_INIT(4096);
    if (file_name_disposition(&disposition, file->name) == ERR_OK && buf_text(&disposition))
        reply_field(request, "Content-Disposition", "%s", buf_text(&disposition));
    buf_fini(&disposition);
    reply_field(request, "ETag", "%s", file->etag);
    reply_field(request, "Accept-Ranges", "bytes");
    reply_field(request, "Cache-Control", "private, no-cache");
    reply_field(request, "X-Content-Type-Options", "nosniff");
}

/* A part is given only of the file the client has the beginning of (RFC 9110 13.1.5). */
static enum range_kind wanted_range(const struct request *request, const struct file_answer *file, struct range *out)
{
    const char *if_range = request_field(request, "If-Range");
    bool same = !if_range || strcmp(if_range, file->etag) == 0;
    bool get = request->method == HTTP_GET;
    return range_parse(same && get ? request_field(request, "Range") : NULL, file->bytes, out);
}

void file_answer_send(struct request *request, const struct file_answer *file)
{
    struct range range;
    const char *none_match = request_field(request, "If-None-Match");
    if (none_match && (field_list_has(none_match, file->etag) || field_list_has(none_match, "*"))) {
        close(file->fd);
        reply_empty(request, 304);
        add_fields(request, file);
        return;
    }
    switch (wanted_range(request, file, &range)) {
    case RANGE_WHOLE: reply_file(request, 200, file->fd, 0, file->bytes); break;
    case RANGE_PART:
        reply_file(request, 206, file->fd, range.first, range.length);
        reply_field(request, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)range.first,
                    (unsigned long long)(range.first + range.length - 1), (unsigned long long)file->bytes);
        break;
    case RANGE_UNSATISFIABLE:
        close(file->fd);
        reply_error(request, 416, "The range lies beyond the file's %llu bytes", (unsigned long long)file->bytes);
        reply_field(request, "Content-Range", "bytes */%llu", (unsigned long long)file->bytes);
        return;
    }
    reply_field(request, "Content-Type", "%s", file_name_media_type(file->name));
    add_fields(request, file);
}
