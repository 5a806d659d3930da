/* archive - dumps of a chat and back, and snapshots of the record. The broker gives and takes the record; archives are
 * written and read by the disk threads while the connection waits. */
#include "archive/dump_restore.h"
#include "archive/dump_writer.h"
#include "clock.h"
#include "http/file_name.h"
#include "http/multipart.h"
#include "http/reply.h"
#include "json_text.h"
#include "rest/ask.h"
#include "rest/disk_pool.h"
#include "rest/file_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

static const atomic_bool *stopping(const struct request *request)
{
    return &rest_of(request)->archives->stopping;
}

/* Work for a disk thread, if one is free for archives. false: the request is answered. archive_done() must follow. */
static bool archive_run(struct request *request, void (*work)(void *arg), void *arg, request_step *then)
{
    struct archive_gate *gate = rest_of(request)->archives;
    bool room = atomic_fetch_add(&gate->running, 1) < ARCHIVES_AT_ONCE;
    if (room && disk_pool_run(rest_of(request)->pool, work, arg) == ERR_OK) {
        request_wait(request, 0, 0, then);
        return true;
    }
    atomic_fetch_sub(&gate->running, 1);
    reply_unavailable(request, "Other dumps are being written or restored");
    return false;
}

/* In the disk thread, last: the request may be gone afterwards. */
static void archive_done(struct request *request)
{
    atomic_fetch_sub(&rest_of(request)->archives->running, 1);
    request_wake(request);
}

static void reply_error_of(struct request *request, const struct fault *why)
{
    if (why->code == ERR_CANCELLED)
        reply_unavailable(request, why->text);
    else if (why->code == ERR_INVALID)
        reply_error(request, 422, "%s", why->text);
    else
        reply_fault(request, why);
}

static int64_t patience_ms(const struct request *request)
{
    return (int64_t)request->settings->http.execute_wait_seconds * 1000;
}

static void ask_patiently(struct request *request, enum call call, const char *chat, const char *json, size_t len,
                          ask_then *then)
{
    ask(request,
        &(struct ask){
            .call = call, .chat = chat, .json = json, .len = len, .deadline_ms = patience_ms(request), .then = then});
}

/* ---- dump ---- */

struct dump {
    struct request *request;
    char *export;
    size_t export_len;
    char name[DUMP_NAME_MAX];
    enum err err;
    struct fault why;
};

static void free_dump(void *arg)
{
    struct dump *self = arg;
    free(self->export);
    free(self);
}

static void write_dump(void *arg)
{
    struct dump *self = arg;
    const struct rest *rest = rest_of(self->request);
    struct dump_source source = {.files = rest->files,
                                 .folder = rest->settings->chat_workflows.storage.dumps_path,
                                 .chat = request_parameter(self->request, "chat"),
                                 .export = self->export,
                                 .export_len = self->export_len,
                                 .record_bytes_max = rest->settings->chat_workflows.dump.record_mb_max * MIB,
                                 .wall_us = clock_wall_us(),
                                 .stopping = stopping(self->request)};
    self->err = dump_write(&source, self->name, &self->why);
    archive_done(self->request);
}

static void dumped(struct request *request)
{
    struct dump *self = request->state;
    if (self->err != ERR_OK) {
        reply_error_of(request, &self->why);
        return;
    }
    struct buf data = BUF_INIT(8192), url = BUF_INIT(4096);
    if (rest_dump_url(request, self->name, &url) == ERR_OK && buf_text(&url) && buf_add_text(&data, "{") == ERR_OK &&
        json_text_member(&data, "dump_file", self->name) == ERR_OK &&
        json_text_member(&data, "download_url", buf_text(&url)) == ERR_OK && buf_add_text(&data, "}") == ERR_OK)
        reply_data(request, 200, data.data, data.len, "Conversation dumped successfully");
    else
        reply_error(request, 500, "No memory for the answer");
    buf_fini(&data);
    buf_fini(&url);
}

static void exported(struct request *request, const struct ask_answer *answer)
{
    if (!ask_succeeded(request, answer))
        return;
    struct dump *self = calloc(1, sizeof *self);
    char *copy = malloc(answer->len + 1);
    if (!self || !copy) {
        free(self);
        free(copy);
        reply_unavailable(request, "No memory for the dump");
        return;
    }
    memcpy(copy, answer->body, answer->len);
    *self = (struct dump){.request = request, .export = copy, .export_len = answer->len};
    request->state = self;
    request->free_state = free_dump;
    archive_run(request, write_dump, self, dumped);
}

static void dump(struct request *request)
{
    const char *chat = rest_chat(request);
    if (chat)
        ask_patiently(request, CALL_EXPORT_CHAT, chat, "{}", 2, exported);
}

static void download(struct request *request)
{
    const char *name = request_parameter(request, "name");
    struct file_answer file = {.name = name, .fd = -1};
    struct fault why = {.text = ""};
    const char *folder = request->settings->chat_workflows.storage.dumps_path;
    if (dump_open(folder, name, &file.fd, &file.bytes, &why) != ERR_OK) {
        reply_fault(request, &why);
        return;
    }
    /* The name of a dump is never given twice, but its time may be all that differs: its end is the validator. */
    size_t len = strlen(name), tail = FILE_ANSWER_ETAG_MAX - 3;
    snprintf(file.etag, sizeof file.etag, "\"%s\"", len > tail ? name + len - tail : name);
    file_answer_send(request, &file);
}

/* ---- restore ---- */

enum restore_files {
    RESTORE_NONE,
    RESTORE_STORED, /* on disk and known to nobody; removed when the request ends */
    RESTORE_GIVEN,  /* the broker has been told */
};

struct restore {
    struct request *request;
    struct multipart form;
    int fd; /* the dump, without a name */
    bool is_form, in_file, has_file, empty_name;
    enum restore_files files;
    struct dump_restored restored;
    enum err err;
    struct fault why;
};

/* Removing is the disk threads' work; when they have too much of it, it is done here. */
static void remove_files(void *arg)
{
    struct dump_restored *restored = arg;
    dump_restored_remove(restored);
    free(restored);
}

static void give_up_files(struct restore *self)
{
    struct dump_restored *restored = malloc(sizeof *restored);
    if (!restored) {
        dump_restored_remove(&self->restored);
        return;
    }
    *restored = self->restored;
    if (disk_pool_run(rest_of(self->request)->pool, remove_files, restored) != ERR_OK)
        remove_files(restored);
}

static void free_restore(void *arg)
{
    struct restore *self = arg;
    switch (self->files) {
    case RESTORE_STORED: give_up_files(self); break;
    case RESTORE_GIVEN: dump_restored_fini(&self->restored); break;
    case RESTORE_NONE: break;
    }
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

static enum err begin_part(void *context, const struct multipart_part *part, struct fault *why)
{
    struct restore *self = context;
    if (strcmp(part->name, "dump_file") != 0 || !part->filename || self->has_file)
        return ERR_OK;
    if (!part->filename[0]) {
        self->empty_name = true;
        return ERR_OK;
    }
    enum err err = dump_scratch(self->request->settings->chat_workflows.storage.dumps_path, &self->fd, why);
    self->in_file = self->has_file = err == ERR_OK;
    return err;
}

static enum err write_part(void *context, const char *bytes, size_t len, struct fault *why)
{
    struct restore *self = context;
    while (self->in_file && len > 0) {
        ssize_t written = write(self->fd, bytes, len);
        if (written < 0 && errno != EINTR)
            return fault_errno(why, "The dump cannot be stored");
        bytes += written > 0 ? written : 0;
        len -= written > 0 ? (size_t)written : 0;
    }
    return ERR_OK;
}

static enum err end_part(void *context, struct fault *why)
{
    struct restore *self = context;
    (void)why;
    self->in_file = false;
    return ERR_OK;
}

static void begin(struct request *request)
{
    char boundary[MULTIPART_BOUNDARY_MAX + 1] = "";
    struct fault why = {.text = ""};
    const char *type = request_field(request, "Content-Type");
    bool is_form = type && field_media_type_is(type, "multipart/form-data");
    if (is_form && multipart_boundary(type, boundary, &why) != ERR_OK) {
        reply_fault(request, &why);
        return;
    }
    struct restore *self = calloc(1, sizeof *self);
    if (!self) {
        reply_unavailable(request, "No memory for the dump");
        return;
    }
    self->request = request;
    self->fd = -1;
    self->is_form = is_form;
    multipart_init(&self->form, boundary, &(struct multipart_sink){self, begin_part, write_part, end_part});
    request->state = self;
    request->free_state = free_restore;
}

static void take_bytes(struct request *request, const char *bytes, size_t len)
{
    struct restore *self = request->state;
    struct fault why = {.text = ""};
    if (!self->is_form || multipart_feed(&self->form, bytes, len, &why) == ERR_OK)
        return;
    reply_fault(request, &why);
    if (self->fd >= 0) /* its space is wanted now, not when the client has sent the rest */
        close(self->fd);
    self->fd = -1;
}

static void shown(struct request *request, const struct ask_answer *answer)
{
    if (ask_succeeded(request, answer))
        reply_data(request, 200, answer->body, answer->len, "Conversation restored successfully");
}

static void imported(struct request *request, const struct ask_answer *answer)
{
    struct restore *self = request->state;
    if (ask_succeeded(request, answer))
        ask_simply(request, CALL_GET_CHAT, self->restored.chat, NULL, shown);
    else if (answer->status != 504) /* then nobody knows whether the record names the files */
        self->files = RESTORE_STORED;
}

static void unpacked(struct request *request)
{
    struct restore *self = request->state;
    if (self->err != ERR_OK) {
        reply_error_of(request, &self->why);
        return;
    }
    self->files = RESTORE_GIVEN;
    ask_patiently(request, CALL_IMPORT_CHAT, self->restored.chat, self->restored.import.data, self->restored.import.len,
                  imported);
    if (request->answer.ready) /* it could not be asked */
        self->files = RESTORE_STORED;
}

static void unpack(void *arg)
{
    struct restore *self = arg;
    const struct settings *settings = self->request->settings;
    struct dump_limits limits = {.unpacked_bytes_max = settings->chat_workflows.dump.unpacked_mb_max * MIB,
                                 .member_bytes_max = settings->chat_workflows.dump.member_mb_max * MIB,
                                 .record_bytes_max = settings->chat_workflows.dump.record_mb_max * MIB,
                                 .members_max = settings->chat_workflows.dump.members_max,
                                 .stopping = stopping(self->request)};
    if (lseek(self->fd, 0, SEEK_SET) != 0)
        self->err = fault_errno(&self->why, "The dump cannot be read");
    else
        self->err = dump_restore(self->fd, rest_of(self->request)->files, &limits, clock_wall_us(), &self->restored,
                                 &self->why);
    self->files = self->err == ERR_OK ? RESTORE_STORED : RESTORE_NONE;
    archive_done(self->request);
}

static void restore(struct request *request)
{
    struct restore *self = request->state;
    struct fault why = {.text = ""};
    if (self->is_form && request->body_bytes > 0 && multipart_finish(&self->form, &why) != ERR_OK)
        reply_fault(request, &why);
    else if (!self->has_file)
        reply_error(request, 422, self->empty_name ? "Empty filename" : "No dump file provided");
    else
        archive_run(request, unpack, self, unpacked);
}

/* ---- backup ---- */

static void backed_up(struct request *request, const struct ask_answer *answer)
{
    if (ask_succeeded(request, answer))
        reply_data(request, 200, answer->body, answer->len, "Database backup created successfully");
}

static void backup(struct request *request)
{
    ask_patiently(request, CALL_BACKUP, NULL, "{}", 2, backed_up);
}

const struct route archive_routes[] = {
    {HTTP_POST, "/chat/workflows/{chat}/dump", true, ROUTE_BODY_DROPPED, NULL, NULL, dump},
    {HTTP_POST, "/chat/workflows/restore", true, ROUTE_BODY_DUMP, begin, take_bytes, restore},
    {HTTP_GET, "/chat/downloads/{name}", true, ROUTE_BODY_DROPPED, NULL, NULL, download},
    {HTTP_POST, "/chat/sqlite/backup", true, ROUTE_BODY_DROPPED, NULL, NULL, backup},
    {.pattern = NULL},
};
