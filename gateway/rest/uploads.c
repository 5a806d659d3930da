/* uploads - a file of a multipart form goes straight to disk under a key of its own, is synced by the disk threads
 * while the connection waits, and exists once the broker has recorded it. Whatever goes wrong before that leaves
 * nothing. */
#include "http/file_name.h"
#include "http/multipart.h"
#include "http/reply.h"
#include "json_text.h"
#include "rest/ask.h"
#include "rest/disk_pool.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum upload_object {
    UPLOAD_NONE,
    UPLOAD_WRITING,   /* open; abandoned when the request ends */
    UPLOAD_COMMITTED, /* on disk and known to nobody; removed when the request ends */
    UPLOAD_GIVEN,     /* the broker has been told */
};

struct upload {
    struct request *request;
    struct multipart form;
    enum upload_object object_state;
    struct files_new_object object;
    bool in_file;    /* the current part is the one we want */
    bool empty_name; /* the form's file has no name: nothing was chosen */
    char name[FILE_NAME_MAX + 1];
    char prefix[FILES_KEY_MAX];
    uint64_t bytes;
    uint64_t bytes_max;
    enum err commit_err;
    struct fault why;
};

static void free_upload(void *arg)
{
    struct upload *self = arg;
    const struct rest *rest = rest_of(self->request);
    switch (self->object_state) {
    case UPLOAD_WRITING: files_abandon(rest->files, &self->object); break;
    case UPLOAD_COMMITTED: disk_pool_remove(rest->pool, rest->files, self->object.key); break;
    case UPLOAD_NONE:
    case UPLOAD_GIVEN: break;
    }
    free(self);
}

static enum err begin_part(void *context, const struct multipart_part *part, struct fault *why)
{
    struct upload *self = context;
    bool wanted = strcmp(part->name, "file") == 0 && part->filename && self->object_state == UPLOAD_NONE;
    if (!wanted)
        return ERR_OK;
    if (!part->filename[0]) {
        self->empty_name = true;
        return ERR_OK;
    }
    enum err err = files_create(rest_of(self->request)->files, self->prefix, &self->object, why);
    if (err != ERR_OK)
        return err;
    self->object_state = UPLOAD_WRITING;
    self->in_file = true;
    file_name_clean(part->filename, strlen(part->filename), self->name);
    return ERR_OK;
}

static enum err write_part(void *context, const char *bytes, size_t len, struct fault *why)
{
    struct upload *self = context;
    if (!self->in_file)
        return ERR_OK;
    self->bytes += len;
    if (self->bytes > self->bytes_max)
        return fault_set(why, ERR_TOO_LARGE, "'%s' has more than %llu bytes (file.max_file_size_mb)", self->name,
                         (unsigned long long)self->bytes_max);
    enum err err = files_write(&self->object, bytes, len, why);
    if (err != ERR_OK)
        fault_prefix(why, "The file cannot be stored: ");
    return err;
}

static enum err end_part(void *context, struct fault *why)
{
    struct upload *self = context;
    (void)why;
    self->in_file = false;
    return ERR_OK;
}

static bool set_prefix(struct upload *self, const struct ask_answer *answer)
{
    json_t *body = json_loadb(answer->body, answer->len, 0, NULL);
    const char *place = json_string_value(json_object_get(body, "partition_key"));
    const char *chat = request_parameter(self->request, "chat");
    int len =
        place ? snprintf(self->prefix, sizeof self->prefix, "%s%s%s/uploads", place, place[0] ? "/" : "", chat) : -1;
    json_decref(body);
    return len > 0 && (size_t)len < sizeof self->prefix;
}

static void place_known(struct request *request, const struct ask_answer *answer)
{
    struct upload *self = request->state;
    if (!ask_succeeded(request, answer))
        return;
    if (!set_prefix(self, answer))
        reply_error(request, 500, "The broker's answer is not understood");
}

/* Without any body there is no type to check: what is missing then is the file. */
static bool read_boundary(struct request *request, char boundary[MULTIPART_BOUNDARY_MAX + 1])
{
    struct fault why = {.text = ""};
    boundary[0] = '\0';
    if (!request->framing.has_body)
        return true;
    if (multipart_boundary(request_field(request, "Content-Type"), boundary, &why) == ERR_OK)
        return true;
    reply_fault(request, &why);
    return false;
}

static void begin(struct request *request)
{
    char boundary[MULTIPART_BOUNDARY_MAX + 1];
    const char *chat = rest_chat(request);
    if (!chat || !read_boundary(request, boundary))
        return;
    struct upload *self = calloc(1, sizeof *self);
    if (!self) {
        reply_unavailable(request, "No memory for the upload");
        return;
    }
    self->request = request;
    self->bytes_max = (uint64_t)request->settings->file.max_file_size_mb << 20;
    struct multipart_sink sink = {self, begin_part, write_part, end_part};
    multipart_init(&self->form, boundary, &sink);
    request->state = self;
    request->free_state = free_upload;
    ask_simply(request, CALL_CHAT_PLACE, chat, NULL, place_known);
}

static void take_bytes(struct request *request, const char *bytes, size_t len)
{
    struct upload *self = request->state;
    struct fault why = {.text = ""};
    if (multipart_feed(&self->form, bytes, len, &why) == ERR_OK)
        return;
    reply_fault(request, &why);
    if (self->object_state == UPLOAD_WRITING) { /* its space is wanted now, not when the client has sent the rest */
        files_abandon(rest_of(request)->files, &self->object);
        self->object_state = UPLOAD_NONE;
    }
}

/* {"file_path","filename"} of the broker with our download_url. */
static char *describe(const struct request *request, const struct ask_answer *answer)
{
    struct buf url = BUF_INIT(8192);
    char *text = NULL;
    json_t *body = json_loadb(answer->body, answer->len, 0, NULL);
    const char *name = json_string_value(json_object_get(body, "filename"));
    if (name && rest_download_url(request, request_parameter(request, "chat"), name, &url) == ERR_OK &&
        buf_text(&url) && json_object_set_new(body, "download_url", json_string(buf_text(&url))) == 0)
        text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    buf_fini(&url);
    return text;
}

static void recorded(struct request *request, const struct ask_answer *answer)
{
    struct upload *self = request->state;
    if (!ask_succeeded(request, answer)) {
        if (answer->status != 504) /* then nobody knows whether the record names the file */
            self->object_state = UPLOAD_COMMITTED;
        return;
    }
    char *data = describe(request, answer);
    if (data)
        reply_data(request, 200, data, strlen(data), "File uploaded successfully");
    else
        reply_error(request, 500, "The broker's answer is not understood");
    free(data);
}

static enum err write_call(const struct upload *self, struct buf *out)
{
    enum err err = buf_add_text(out, "{");
    if (err == ERR_OK)
        err = json_text_member(out, "name", self->name);
    if (err == ERR_OK)
        err = json_text_member(out, "key", self->object.key);
    if (err == ERR_OK)
        err = json_text_member_int(out, "bytes", (int64_t)self->bytes);
    return err == ERR_OK ? buf_add_text(out, "}") : err;
}

static void committed(struct request *request)
{
    struct upload *self = request->state;
    if (self->commit_err != ERR_OK) {
        reply_fault(request, &self->why);
        return;
    }
    struct buf call = BUF_INIT(4096);
    if (write_call(self, &call) == ERR_OK && buf_text(&call)) {
        self->object_state = UPLOAD_GIVEN;
        ask_simply(request, CALL_ADD_UPLOAD, request_parameter(request, "chat"), buf_text(&call), recorded);
        if (request->answer.ready) /* it could not be asked */
            self->object_state = UPLOAD_COMMITTED;
    } else {
        reply_unavailable(request, "No memory for the upload");
    }
    buf_fini(&call);
}

/* In a disk thread. The request waits and cannot end before it is woken. */
static void commit(void *arg)
{
    struct upload *self = arg;
    self->commit_err = files_commit(rest_of(self->request)->files, &self->object, &self->bytes, &self->why);
    self->object_state = self->commit_err == ERR_OK ? UPLOAD_COMMITTED : UPLOAD_NONE;
    request_wake(self->request);
}

static void handle(struct request *request)
{
    struct upload *self = request->state;
    struct fault why = {.text = ""};
    if (request->framing.has_body && request->body_bytes > 0 && multipart_finish(&self->form, &why) != ERR_OK)
        reply_fault(request, &why);
    else if (self->object_state == UPLOAD_WRITING && disk_pool_run(rest_of(request)->pool, commit, self) == ERR_OK)
        request_wait(request, 0, 0, committed);
    else if (self->object_state == UPLOAD_WRITING)
        reply_unavailable(request, "Too many uploads are being written");
    else
        reply_error(request, 422, self->empty_name ? "Empty filename" : "No file provided");
}

const struct route upload_routes[] = {
    {HTTP_POST, "/chat/workflows/{chat}/upload", true, ROUTE_BODY_STREAM, begin, take_bytes, handle},
    {.pattern = NULL},
};
