#include "core/import_check.h"

#include "core/chat.h"
#include "core/import.h"
#include "core/job.h"
#include "json_scan.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 200
#define TYPE_MAX_BYTES 64
#define ID_MAX_BYTES   128

const char *import_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int64_t import_number(const json_t *object, const char *key, int64_t max)
{
    int64_t number = json_integer_value(json_object_get(object, key));
    return number < 0 ? 0 : number < max ? number : max;
}

static enum err wrong(struct fault *why, const char *what, size_t i, const char *reason)
{
    return fault_set(why, ERR_INVALID, "The dump's record is not one of a conversation: %s %zu: %s", what, i + 1,
                     reason);
}

static bool is_object_text(const char *text)
{
    return json_scan_object(text, strlen(text), NULL, NULL) == ERR_OK;
}

static bool is_file_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_BYTES || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (const char *at = name; *at; at++)
        if (*at == '/' || *at == '\\' || (unsigned char)*at < 0x20 || *at == 0x7F)
            return false;
    return true;
}

static enum err check_file(const json_t *file, size_t i, struct fault *why)
{
    const char *key = import_text(file, "key");
    if (!is_file_name(import_text(file, "name")))
        return wrong(why, "file", i, "its name");
    if (file_type_of(import_text(file, "type")) < 0)
        return wrong(why, "file", i, "its type");
    return key[0] && strlen(key) < 320 ? ERR_OK : wrong(why, "file", i, "it is not there");
}

static enum err check_message(const json_t *message, size_t i, struct fault *why)
{
    const char *type = import_text(message, "message_type");
    const json_t *metadata = json_object_get(message, "metadata");
    if (!type[0] || strlen(type) > TYPE_MAX_BYTES || !json_is_string(json_object_get(message, "content")))
        return wrong(why, "message", i, "type or content");
    return !metadata || json_is_object(metadata) ? ERR_OK : wrong(why, "message", i, "metadata");
}

/* {chat}_workflow_{digits}_{8 hex digits}: then it can be of no other chat. */
static bool is_job_id(const char *id, const char *chat_id)
{
    size_t len = strlen(chat_id);
    static const char middle[] = "_workflow_";
    if (strlen(id) > JOB_ID_MAX || strncmp(id, chat_id, len) != 0 || strncmp(id + len, middle, sizeof middle - 1) != 0)
        return false;
    const char *at = id + len + sizeof middle - 1;
    size_t digits = strspn(at, "0123456789");
    at += digits;
    return digits > 0 && at[0] == '_' && strspn(at + 1, "0123456789abcdef") == 8 && at[9] == '\0';
}

static enum err check_step(const json_t *step, size_t i, struct fault *why)
{
    const char *result = import_text(step, "result");
    const char *operation = import_text(step, "operation");
    if (!operation[0] || strlen(operation) > OPERATION_MAX || strlen(import_text(step, "step_id")) > ID_MAX_BYTES)
        return wrong(why, "job", i, "a step's operation or id");
    if (step_status_of(import_text(step, "status")) < 0)
        return wrong(why, "job", i, "a step's status");
    if (!is_object_text(import_text(step, "arguments")) || (result[0] && !is_object_text(result)))
        return wrong(why, "job", i, "a step's arguments or result");
    return ERR_OK;
}

static enum err check_job(const json_t *job, const char *chat_id, size_t files, size_t i, struct fault *why)
{
    const json_t *steps = json_object_get(job, "steps"), *input = json_object_get(job, "input"), *step;
    size_t n;
    if (!is_job_id(import_text(job, "job_id"), chat_id))
        return wrong(why, "job", i, "its id is none of this conversation");
    if (job_status_of(import_text(job, "status")) < 0)
        return wrong(why, "job", i, "its status");
    if (json_is_integer(input) && (json_integer_value(input) < 0 || (size_t)json_integer_value(input) >= files))
        return wrong(why, "job", i, "its input");
    if (json_array_size(steps) > IMPORT_STEPS_MAX)
        return wrong(why, "job", i, "too many steps");
    enum err err = ERR_OK;
    json_array_foreach(steps, n, step)
    {
        err = err == ERR_OK ? check_step(step, i, why) : err;
    }
    return err;
}

static enum err check_event(const json_t *event, size_t bytes_max, size_t i, struct fault *why)
{
    struct json_members members;
    const json_t *body = json_object_get(event, "body");
    const char *type = import_text(event, "type"), *text = import_text(event, "body");
    size_t len = json_string_length(body);
    if (!type[0] || strlen(type) > TYPE_MAX_BYTES || strlen(import_text(event, "event_id")) > ID_MAX_BYTES)
        return wrong(why, "event", i, "type or event_id");
    if (len > bytes_max)
        return wrong(why, "event", i, "larger than wire.event_bytes_max");
    return json_scan_object(text, len, &members, NULL) == ERR_OK ? ERR_OK : wrong(why, "event", i, "not an object");
}

static enum err check_list(const json_t *record, const char *key, size_t max, struct fault *why)
{
    const json_t *list = json_object_get(record, key);
    if (list && !json_is_array(list))
        return fault_set(why, ERR_INVALID, "The dump's record is not one of a conversation: '%s' is not a list", key);
    if (json_array_size(list) > max)
        return fault_set(why, ERR_INVALID, "The dump's record has more than %zu %s", max, key);
    return ERR_OK;
}

static enum err check_lists(const json_t *record, struct fault *why)
{
    enum err err = check_list(record, "files", CHAT_FILES_MAX, why);
    if (err == ERR_OK)
        err = check_list(record, "messages", IMPORT_MESSAGES_MAX, why);
    if (err == ERR_OK)
        err = check_list(record, "jobs", IMPORT_JOBS_MAX, why);
    return err == ERR_OK ? check_list(record, "events", IMPORT_EVENTS_MAX, why) : err;
}

static enum err check_chat(const json_t *record, struct fault *why)
{
    const json_t *metadata = json_object_get(record, "metadata");
    if (strlen(import_text(record, "participant_name")) >= PARTICIPANT_MAX ||
        chat_status_of(import_text(record, "status")) < 0 || (metadata && !json_is_object(metadata)))
        return fault_set(why, ERR_INVALID,
                         "The dump's record is not one of a conversation: participant_name, status or metadata");
    return ERR_OK;
}

enum err import_check(const json_t *record, const char *chat_id, size_t event_bytes_max, struct fault *why)
{
    const json_t *one, *files = json_object_get(record, "files");
    size_t i;
    enum err err = check_chat(record, why);
    if (err == ERR_OK)
        err = check_lists(record, why);
    if (err != ERR_OK)
        return err;
    json_array_foreach(files, i, one)
    {
        err = err == ERR_OK ? check_file(one, i, why) : err;
    }
    json_array_foreach(json_object_get(record, "messages"), i, one)
    {
        err = err == ERR_OK ? check_message(one, i, why) : err;
    }
    json_array_foreach(json_object_get(record, "jobs"), i, one)
    {
        err = err == ERR_OK ? check_job(one, chat_id, json_array_size(files), i, why) : err;
    }
    json_array_foreach(json_object_get(record, "events"), i, one)
    {
        err = err == ERR_OK ? check_event(one, event_bytes_max, i, why) : err;
    }
    return err;
}
