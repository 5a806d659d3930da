#include "archive/dump_record.h"

#include "archive/json_weight.h"
#include "http/file_name.h"
#include "strmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECORD_VERSION 1

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static enum err invalid(struct fault *why, const char *reason, const char *about)
{
    return fault_set(why, ERR_INVALID, "Invalid dump file: %s%.200s", reason, about);
}

/* ---- bounds ---- */

enum err dump_record_weigh(const char *text, size_t len, size_t record_bytes_max, struct fault *why)
{
    if (json_weight(text, len) <= record_bytes_max * DUMP_WEIGHT_PER_BYTE)
        return ERR_OK;
    return fault_set(why, ERR_TOO_LARGE,
                     "The conversation's record has too many values for a dump of %zu MiB"
                     " (chat_workflows.dump.record_mb_max)",
                     record_bytes_max >> 20);
}

static enum err count_rows(size_t rows, size_t max, const char *what, struct fault *why)
{
    return rows <= max
               ? ERR_OK
               : fault_set(why, ERR_TOO_LARGE,
                           "The dump's record has more than %zu %s (chat_workflows.dump.record_mb_max)", max, what);
}

static size_t count_steps(const json_t *jobs)
{
    const json_t *job;
    size_t i, count = 0;
    json_array_foreach(jobs, i, job) count += json_array_size(json_object_get(job, "steps"));
    return count;
}

static enum err check_counts(const json_t *metadata, size_t record_bytes_max, struct fault *why)
{
    const json_t *record = json_object_get(metadata, "record"), *jobs = json_object_get(record, "jobs");
    size_t events_max = record_bytes_max / DUMP_BYTES_PER_EVENT, rows_max = record_bytes_max / DUMP_BYTES_PER_ROW;
    enum err err = count_rows(json_array_size(json_object_get(record, "events")), events_max, "events", why);
    if (err == ERR_OK)
        err = count_rows(json_array_size(json_object_get(metadata, "messages")), rows_max, "messages", why);
    if (err == ERR_OK)
        err = count_rows(json_array_size(jobs), rows_max, "runs", why);
    return err == ERR_OK ? count_rows(count_steps(jobs), rows_max, "steps", why) : err;
}

/* ---- writing ---- */

static const char *folder_of_type(const char *type)
{
    enum dump_folder folder = strcmp(type, "output") == 0         ? DUMP_OUTPUTS
                              : strcmp(type, "intermediate") == 0 ? DUMP_INTERMEDIATE
                              : strcmp(type, "result") == 0       ? DUMP_RESULTS
                                                                  : DUMP_UPLOADS;
    return dump_folder_name(folder);
}

/* How many files that are newer have this member name; one more from now on. */
static enum err count_name(struct strmap *names, const char *member, uintptr_t *newer)
{
    *newer = (uintptr_t)strmap_get(names, member, strlen(member));
    return strmap_put(names, member, strlen(member), (void *)(*newer + 1), NULL);
}

static enum err name_member(struct strmap *names, json_t *file)
{
    char member[DUMP_MEMBER_MAX];
    uintptr_t newer = 0;
    int len = snprintf(member, sizeof member, "%s/%s", folder_of_type(text_of(file, "type")), text_of(file, "name"));
    if (len < 0 || (size_t)len > sizeof member - 32)
        return ERR_TOO_LARGE;
    enum err err = count_name(names, member, &newer);
    if (newer > 0)
        snprintf(member + len, sizeof member - (size_t)len, ".~%zu~", (size_t)newer);
    if (err == ERR_OK && json_object_set_new(file, "member", json_string(member)) != 0)
        err = ERR_MEMORY;
    return err;
}

enum err dump_record_name_members(json_t *record)
{
    json_t *files = json_object_get(record, "files");
    struct strmap *names = NULL;
    enum err err = strmap_new(&names);
    for (size_t i = json_array_size(files); err == ERR_OK && i > 0; i--)
        err = name_member(names, json_array_get(files, i - 1));
    strmap_destroy(&names);
    return err;
}

static json_t *without_keys(const json_t *record)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)record), *files = json_array();
    const json_t *file;
    size_t i;
    json_array_foreach(json_object_get(record, "files"), i, file)
    {
        json_t *shown = json_copy((json_t *)(uintptr_t)file);
        json_object_del(shown, "key");
        json_array_append_new(files, shown);
    }
    json_object_set_new(copy, "files", files);
    return copy;
}

static int write_piece(const char *piece, size_t len, void *context)
{
    return buf_add(context, piece, len) == ERR_OK ? 0 : -1;
}

enum err dump_record_write(const json_t *export, struct buf *out)
{
    json_t *metadata = json_copy(json_object_get(export, "conversation"));
    json_object_set_new(metadata, "record", without_keys(json_object_get(export, "record")));
    buf_clear(out);
    int failed = metadata ? json_dump_callback(metadata, write_piece, out, JSON_COMPACT) : -1;
    json_decref(metadata);
    return failed ? ERR_MEMORY : ERR_OK;
}

/* ---- reading ---- */

int64_t dump_record_time(const char *text)
{
    struct tm parts = {0};
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    int64_t fraction = 0, scale = 1000000;
    if (!at)
        return 0;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++) {
            scale /= 10;
            fraction += scale * (*at - '0');
        }
    if (*at && strcmp(at, "Z") != 0 && strcmp(at, "+00:00") != 0)
        return 0;
    int64_t wall_us = (int64_t)timegm(&parts) * 1000000 + fraction;
    return wall_us > 0 ? wall_us : 0;
}

/* The original knows more states than we do. */
static const char *status_of(const json_t *conversation)
{
    const char *status = text_of(conversation, "status");
    if (strcmp(status, "active") == 0)
        return "created";
    return strcmp(status, "archived") == 0 ? "completed" : status;
}

static json_t *messages_of(const json_t *conversation)
{
    json_t *messages = json_array();
    const json_t *message;
    size_t i;
    json_array_foreach(json_object_get(conversation, "messages"), i, message)
    {
        const json_t *metadata = json_object_get(message, "metadata");
        json_t *one = json_pack("{s:s, s:s, s:I}", "message_type", text_of(message, "message_type"), "content",
                                text_of(message, "content"), "created_us",
                                (json_int_t)dump_record_time(text_of(message, "created_at")));
        if (json_is_object(metadata))
            json_object_set(one, "metadata", (json_t *)(uintptr_t)metadata);
        json_array_append_new(messages, one);
    }
    return messages;
}

struct stored {
    const struct dump_file *list;
    size_t count;
    struct strmap *by_member; /* to struct dump_file; taken out when used */
};

static enum err index_files(struct stored *self)
{
    enum err err = strmap_new(&self->by_member);
    for (size_t i = 0; err == ERR_OK && i < self->count; i++) {
        const struct dump_file *file = &self->list[i];
        err = strmap_put(self->by_member, file->member, strlen(file->member), (void *)(uintptr_t)file, NULL);
    }
    return err;
}

static const struct dump_file *take_file(struct stored *self, const char *member)
{
    return strmap_take(self->by_member, member, strlen(member));
}

/* A file as its record describes it, with the key it has now. */
static enum err place_file(struct stored *self, const json_t *described, json_t *files, struct fault *why)
{
    const char *member = text_of(described, "member"), *name = text_of(described, "name");
    const struct dump_file *file = take_file(self, member);
    char clean[FILE_NAME_MAX + 1];
    if (!file)
        return invalid(why, "it lacks or repeats ", member[0] ? member : "a file");
    file_name_clean(name, strlen(name), clean);
    if (strcmp(clean, name) != 0)
        return invalid(why, "not a file name: ", name);
    json_t *one = json_copy((json_t *)(uintptr_t)described);
    json_object_del(one, "member");
    json_object_set_new(one, "key", json_string(file->key));
    json_object_set_new(one, "bytes", json_integer((json_int_t)file->bytes));
    return json_array_append_new(files, one) == 0 ? ERR_OK : ERR_MEMORY;
}

static enum err files_of_record(struct stored *self, const json_t *record, json_t *files, struct fault *why)
{
    const json_t *described;
    size_t i;
    json_array_foreach(json_object_get(record, "files"), i, described)
    {
        enum err err = place_file(self, described, files, why);
        if (err != ERR_OK)
            return err;
    }
    if (strmap_count(self->by_member) > 0)
        return invalid(why, "it holds files its record does not name", "");
    return ERR_OK;
}

static enum err add_found(const struct dump_file *file, int64_t created_us, json_t *files)
{
    static const char *const types[] = {[DUMP_UPLOADS] = "uploaded",
                                        [DUMP_OUTPUTS] = "output",
                                        [DUMP_INTERMEDIATE] = "intermediate",
                                        [DUMP_RESULTS] = "result"};
    const char *slash = strchr(file->member, '/');
    char clean[FILE_NAME_MAX + 1];
    file_name_clean(slash + 1, strlen(slash + 1), clean);
    json_t *one =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:I}", "name", clean, "key", file->key, "type", types[file->folder],
                  "bytes", (json_int_t)file->bytes, "job_id", "", "created_us", (json_int_t)created_us);
    return json_array_append_new(files, one) == 0 ? ERR_OK : ERR_MEMORY;
}

/* The member of the i-th path in uploaded_files, unless the same path comes again later. */
static const struct dump_file *listed_upload(struct stored *self, const json_t *uploads, size_t i)
{
    const char *path = json_string_value(json_array_get(uploads, i));
    const char *slash = path ? strrchr(path, '/') : NULL;
    char member[DUMP_MEMBER_MAX];
    if (!slash)
        return NULL;
    for (size_t later = i + 1; later < json_array_size(uploads); later++)
        if (json_equal(json_array_get(uploads, i), json_array_get(uploads, later)))
            return NULL;
    snprintf(member, sizeof member, "%s/%s", dump_folder_name(DUMP_UPLOADS), slash + 1);
    return take_file(self, member);
}

#define LEGACY_UPLOADS_MAX 10000

/* Of the original's dumps: what was not uploaded first, then the uploads in their order, so that the last is the last.
 */
static enum err files_found(struct stored *self, const json_t *conversation, int64_t created_us, json_t *files,
                            struct fault *why)
{
    const json_t *uploads = json_object_get(conversation, "uploaded_files");
    const struct dump_file *file;
    json_t *last = json_array();
    enum err err = json_array_size(uploads) <= LEGACY_UPLOADS_MAX ? ERR_OK : invalid(why, "too many uploads", "");
    for (size_t i = 0; err == ERR_OK && i < json_array_size(uploads); i++)
        if ((file = listed_upload(self, uploads, i)))
            err = add_found(file, created_us, last);
    for (size_t i = 0; err == ERR_OK && i < self->count; i++)
        if ((file = take_file(self, self->list[i].member)))
            err = add_found(file, created_us, files);
    if (err == ERR_OK && json_array_extend(files, last) != 0)
        err = ERR_MEMORY;
    json_decref(last);
    return err;
}

static enum err build(const json_t *metadata, struct stored *stored, json_t *import, struct fault *why)
{
    static const char *const passed[] = {"jobs", "events"};
    const json_t *record = json_object_get(metadata, "record"), *details = json_object_get(metadata, "metadata");
    int64_t created_us = dump_record_time(text_of(metadata, "created_at"));
    json_t *files = json_array();
    json_object_set_new(import, "participant_name", json_string(text_of(metadata, "participant_name")));
    json_object_set_new(import, "status", json_string(status_of(metadata)));
    json_object_set_new(import, "partition_key", json_string(text_of(metadata, "partition_key")));
    json_object_set_new(import, "created_us", json_integer(created_us));
    json_object_set_new(import, "messages", messages_of(metadata));
    json_object_set_new(import, "files", files);
    if (json_is_object(details))
        json_object_set(import, "metadata", (json_t *)(uintptr_t)details);
    for (size_t i = 0; record && i < sizeof passed / sizeof *passed; i++)
        json_object_set(import, passed[i], json_object_get(record, passed[i]));
    return record ? files_of_record(stored, record, files, why) : files_found(stored, metadata, created_us, files, why);
}

static enum err check_metadata(const json_t *metadata, const char *chat, struct fault *why)
{
    const json_t *record = json_object_get(metadata, "record");
    if (!json_is_object(metadata))
        return invalid(why, "conversation_metadata.json is not a JSON object", "");
    if (strcmp(text_of(metadata, "chat_id"), chat) != 0)
        return invalid(why, "its metadata is of another conversation: ", text_of(metadata, "chat_id"));
    if (record && json_integer_value(json_object_get(record, "version")) != RECORD_VERSION)
        return invalid(why, "this version of its record is not known", "");
    return ERR_OK;
}

enum err dump_record_import(const struct buf *metadata, const char *chat, const struct dump_file *files, size_t count,
                            struct buf *out, struct fault *why)
{
    struct stored stored = {.list = files, .count = count};
    const char *text = metadata->data ? metadata->data : "";
    enum err err = dump_record_weigh(text, metadata->len, out->limit, why);
    if (err != ERR_OK)
        return err;
    json_t *parsed = json_loadb(text, metadata->len, JSON_REJECT_DUPLICATES, NULL);
    json_t *import = json_object();
    err = check_metadata(parsed, chat, why);
    if (err == ERR_OK)
        err = check_counts(parsed, out->limit, why);
    if (err == ERR_OK)
        err = index_files(&stored);
    if (err == ERR_OK)
        err = build(parsed, &stored, import, why);
    buf_clear(out);
    if (err == ERR_OK && json_dump_callback(import, write_piece, out, JSON_COMPACT) != 0)
        err =
            fault_set(why, ERR_TOO_LARGE,
                      "The dump's record is larger than %zu MiB (chat_workflows.dump.record_mb_max)", out->limit >> 20);
    if (err == ERR_MEMORY)
        err = fault_set(why, ERR_MEMORY, "No memory for the dump");
    strmap_destroy(&stored.by_member);
    json_decref(import);
    json_decref(parsed);
    return err;
}
