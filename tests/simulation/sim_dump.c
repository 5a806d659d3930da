/* Dumps: a chat's record as it stands on disk, in the words of CALL_IMPORT_CHAT. People keep one of each chat, and
 * restore it when they like, however old it is by then. */
#include "model_store.h"
#include "sim.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 60 /* of a dump: more only take time */

static json_t *take_files(const struct model_chat *chat)
{
    static const char *const types[] = {[FILE_UPLOADED] = "uploaded",
                                        [FILE_OUTPUT] = "output",
                                        [FILE_INTERMEDIATE] = "intermediate",
                                        [FILE_RESULT] = "result"};
    json_t *files = json_array();
    for (size_t i = 0; i < chat->file_count; i++) {
        const struct file_row *row = &chat->files[i];
        json_array_append_new(files, json_pack("{s:s, s:s, s:s, s:I, s:s, s:I}", "name", row->name, "key", row->key,
                                               "type", types[row->type], "bytes", (json_int_t)row->bytes, "job_id",
                                               row->job_id, "created_us", (json_int_t)row->created_us));
    }
    return files;
}

static json_t *take_steps(const struct model_job *job)
{
    json_t *steps = json_array();
    for (uint32_t i = 0; i < job->row.total_steps; i++) {
        const struct step_row *row = &job->steps[i];
        json_array_append_new(steps, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "step_id", row->step_id,
                                               "operation", row->operation, "arguments", row->arguments, "input_file",
                                               row->input_file, "output_file", row->output_file, "result", row->result,
                                               "status", step_status_name(row->status), "progress",
                                               (json_int_t)row->progress, "error_message", row->error_message));
    }
    return steps;
}

static json_t *take_jobs(const struct world *world, const char *chat_id)
{
    json_t *jobs = json_array();
    for (const struct model_job *job = model_jobs(world); job; job = job->next) {
        const struct job_row *row = &job->row;
        if (job->gone || strcmp(row->chat_id, chat_id) != 0)
            continue;
        json_array_append_new(
            jobs, json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:s, s:o}", "job_id", row->job_id, "status",
                            job_status_name(row->status), "attempts", (json_int_t)row->attempts, "input_name",
                            row->input_name, "error", row->error, "submitted_us", (json_int_t)row->submitted_us,
                            "started_us", (json_int_t)row->started_us, "completed_us", (json_int_t)row->completed_us,
                            "retry_of", row->retry_of, "steps", take_steps(job)));
    }
    return jobs;
}

static json_t *take_events(const struct model_history *history)
{
    json_t *events = json_array();
    for (size_t i = history->trimmed; i < history->count; i++) {
        const struct event_row *row = &history->events[i];
        json_array_append_new(events, json_pack("{s:s, s:s, s:s, s:s%, s:I}", "type", row->type, "job_id", row->job_id,
                                                "event_id", row->event_id ? row->event_id : "", "body", row->body,
                                                row->body_len, "created_us", (json_int_t)row->created_us));
    }
    return events;
}

static void forget(struct dump *dump)
{
    free(dump->record);
    *dump = (struct dump){.record = NULL};
}

void sim_dump_take(struct world *world, int number)
{
    const struct model_chat *chat = model_chat(world, number);
    struct dump *dump = &world->dumps[number];
    if (!chat->exists || chat->row.room || chat->history->count - chat->history->trimmed > EVENTS_MAX)
        return;
    forget(dump);
    json_t *files = take_files(chat), *jobs = take_jobs(world, world_chats[number]);
    json_t *events = take_events(chat->history);
    dump->files = json_array_size(files);
    dump->events = json_array_size(events);
    for (size_t i = 0; i < json_array_size(jobs); i++) { /* what has not ended gets a last word with the restore */
        const char *status = json_string_value(json_object_get(json_array_get(jobs, i), "status"));
        dump->events += strcmp(status, "pending") == 0 || strcmp(status, "running") == 0;
    }
    json_t *record = json_pack(
        "{s:s, s:s, s:s, s:{}, s:I, s:[], s:o, s:o, s:o}", "participant_name", chat->row.participant_name, "status",
        chat_status_name(chat->row.status), "partition_key", chat->row.partition_key, "metadata", "created_us",
        (json_int_t)chat->row.created_us, "messages", "files", files, "jobs", jobs, "events", events);
    dump->record = json_dumps(record, JSON_COMPACT);
    if (!dump->record)
        abort();
    json_decref(record);
}

void sim_dumps_free(struct world *world)
{
    for (int i = 0; i < CHATS; i++)
        forget(&world->dumps[i]);
}
