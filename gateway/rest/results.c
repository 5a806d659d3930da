#include "rest/results.h"

#include "json_text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Gives a result its download_url, where it has a file. `name` is between broker and gateway only. */
static void link_result(const struct request *request, json_t *result)
{
    struct buf url = BUF_INIT(8192);
    const char *name = json_string_value(json_object_get(result, "name"));
    if (name && rest_download_url(request, request_parameter(request, "chat"), name, &url) == ERR_OK && buf_text(&url))
        (void)json_object_set_new(result, "download_url", json_string(buf_text(&url)));
    (void)json_object_del(result, "name");
    buf_fini(&url);
}

static enum err add_json(const json_t *value, struct buf *out)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    enum err err = text ? buf_add_text(out, text) : ERR_MEMORY;
    free(text);
    return err;
}

/* `,"MEMBER":` and the content of the file behind it; the object is still open. */
static enum err add_file(const struct request *request, const char *member, const char *key, struct buf *out,
                         struct splices *files, struct fault *why)
{
    int fd = -1;
    uint64_t bytes = 0;
    enum err err = files_open(rest_of(request)->files, key, &fd, &bytes, why);
    if (err != ERR_OK) /* the conversation was deleted between the two looks, or the file is lost */
        return err == ERR_NOT_FOUND ? fault_set(why, err, "The result of a step is gone") : err;
    err = buf_add_byte(out, ',');
    if (err == ERR_OK)
        err = json_text_string(out, member, strlen(member));
    if (err == ERR_OK)
        err = buf_add_byte(out, ':');
    if (err == ERR_OK)
        return splices_add(files, out->len, fd, bytes);
    close(fd);
    return err;
}

static enum err write_result(const struct request *request, json_t *result, struct buf *out, struct splices *files,
                             struct fault *why)
{
    json_t *key = json_incref(json_object_get(result, "result_key"));
    const char *member = json_string_value(json_object_get(result, "result_member"));
    link_result(request, result);
    (void)json_object_del(result, "result_key");
    enum err err = add_json(result, out);
    if (err == ERR_OK && json_is_string(key) && member) {
        out->len--; /* the bracket comes behind the file */
        err = add_file(request, member, json_string_value(key), out, files, why);
        if (err == ERR_OK)
            err = buf_add_byte(out, '}');
    }
    json_decref(key);
    return err;
}

enum err results_write(const struct request *request, json_t *from, struct buf *out, struct splices *files,
                       struct fault *why)
{
    json_t *results = json_object_get(from, "results"), *result;
    size_t i;
    fault_set(why, ERR_MEMORY, "No memory for the answer");
    enum err err = buf_add_text(out, "{\"results\":[");
    json_array_foreach(results, i, result)
    {
        if (err == ERR_OK && i > 0)
            err = buf_add_byte(out, ',');
        if (err == ERR_OK)
            err = write_result(request, result, out, files, why);
    }
    if (err == ERR_OK)
        err = buf_add_text(out, "],\"output_files\":");
    if (err == ERR_OK)
        err = add_json(json_object_get(from, "output_files"), out);
    return err == ERR_OK ? buf_add_byte(out, '}') : err;
}
