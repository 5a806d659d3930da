#include "core/call.h"

#include "clock.h"
#include "core/compose.h"
#include "core/execution.h"
#include "core/follow.h"
#include "core/import.h"
#include "core/record.h"

#include <stdio.h>
#include <string.h>

#define LIST_LIMIT_MAX   10000
#define EVENTS_LIMIT_MAX 1000
#define EVENTS_LIMIT     100
#define NO_CHAT          "Conversation not found"

/* ---- what a call says ---- */

/* Members of the body; no members when it is empty or not an object. */
static void scan_body(const struct request_frame *frame, struct json_members *out)
{
    if (json_scan_object(frame->body.at, frame->body.len, out, NULL) != ERR_OK)
        out->count = 0;
}

static struct json_members body_of(const struct ask *ask)
{
    struct json_members members;
    scan_body(ask->frame, &members);
    return members;
}

bool call_chat(const struct request_frame *frame, char out[ID_CHAT_MAX + 1])
{
    memcpy(out, frame->chat, ID_CHAT_MAX + 1);
    if (out[0] || frame->call != CALL_CREATE_CHAT)
        return true;
    struct json_members body;
    scan_body(frame, &body);
    const struct json_member *named = json_members_find(&body, "chat_id");
    if (!named || named->kind == JSON_KIND_NULL)
        return true;
    return json_member_plain_text(named, out, ID_CHAT_MAX + 1) && id_chat_valid(out, strlen(out));
}

static int64_t int_or(const struct json_members *body, const char *key, int64_t standard, int64_t max)
{
    int64_t value;
    if (!json_member_int(json_members_find(body, key), &value) || value < 0)
        return standard;
    return value < max ? value : max;
}

static bool is_conversation(const struct chat *chat)
{
    return chat && chat->exists && !chat->room;
}

/* ---- reads: they leave for the reader thread after this turn's commit ---- */

static struct query *ask_query(struct core *core, const struct ask *ask, enum query_kind kind)
{
    struct effect *effect = core_effect(core, EFFECT_QUERY);
    struct query *query = effect ? core_alloc(core, sizeof *query) : NULL;
    if (!query)
        return NULL;
    query->kind = kind;
    query->peer = *ask->peer;
    memcpy(query->id, ask->frame->id, REQUEST_ID_LEN);
    memcpy(query->chat, ask->frame->chat, sizeof query->chat);
    effect->query = query;
    return query;
}

static void list_chats(struct core *core, const struct ask *ask, struct chat *chat)
{
    (void)chat;
    struct json_members body = body_of(ask);
    struct query *query = ask_query(core, ask, QUERY_CHATS);
    if (!query)
        return;
    const struct json_member *status = json_members_find(&body, "status");
    if (!json_member_plain_text(status, query->text, sizeof query->text))
        snprintf(query->text, sizeof query->text, "%s", status && status->kind == JSON_KIND_STRING ? "?" : "");
    query->limit = int_or(&body, "limit", 100, LIST_LIMIT_MAX);
    query->offset = int_or(&body, "offset", 0, INT64_MAX);
}

static void get_chat(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!is_conversation(chat))
        answer_refuse(core, ask, 404, NO_CHAT);
    else
        ask_query(core, ask, QUERY_CHAT);
}

/* NULL: the call is answered. */
static struct query *query_named(struct core *core, const struct ask *ask, const struct chat *chat,
                                 enum query_kind kind, const char *key, const char *missing)
{
    struct json_members body = body_of(ask);
    char name[QUERY_TEXT_MAX];
    if (!is_conversation(chat)) {
        answer_refuse(core, ask, 404, NO_CHAT);
        return NULL;
    }
    if (!json_member_plain_text(json_members_find(&body, key), name, sizeof name)) {
        answer_refuse(core, ask, 404, missing); /* names with escapes are no names of ours */
        return NULL;
    }
    struct query *query = ask_query(core, ask, kind);
    if (query)
        memcpy(query->text, name, sizeof name);
    return query;
}

static void find_file(struct core *core, const struct ask *ask, struct chat *chat)
{
    query_named(core, ask, chat, QUERY_FILE, "name", "File not found");
}

/* How far the step that runs has come is in no row: the question takes it along. */
static void get_job(struct core *core, const struct ask *ask, struct chat *chat)
{
    struct query *query = query_named(core, ask, chat, QUERY_JOB, "job_id", "Job not found");
    const struct job *job = query ? job_find_open(chat, query->text) : NULL;
    if (!job)
        return;
    query->step = job_next_step(job);
    query->percent = query->step < job->step_count ? job->steps[query->step].progress : 0;
}

static void list_jobs(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!is_conversation(chat)) {
        answer_refuse(core, ask, 404, NO_CHAT);
        return;
    }
    struct json_members body = body_of(ask);
    struct query *query = ask_query(core, ask, QUERY_JOBS);
    if (!query)
        return;
    query->limit = int_or(&body, "limit", 100, LIST_LIMIT_MAX);
    query->offset = int_or(&body, "offset", 0, INT64_MAX);
}

static void get_events(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!chat || !chat->exists) {
        answer_refuse(core, ask, 404, NO_CHAT);
        return;
    }
    struct json_members body = body_of(ask);
    struct query *query = ask_query(core, ask, QUERY_EVENTS);
    if (!query)
        return;
    query->since = (uint64_t)int_or(&body, "since", 0, INT64_MAX);
    query->limit = int_or(&body, "limit", EVENTS_LIMIT, EVENTS_LIMIT_MAX);
    query->head = chat->head;
    memcpy(query->epoch, chat->epoch, sizeof query->epoch);
}

static void export_chat(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!is_conversation(chat))
        answer_refuse(core, ask, 404, NO_CHAT);
    else
        ask_query(core, ask, QUERY_EXPORT);
}

static void backup(struct core *core, const struct ask *ask, struct chat *chat)
{
    (void)chat;
    ask_query(core, ask, QUERY_BACKUP);
}

/* ---- answers from memory ---- */

static void send_object(struct core *core, const struct ask *ask, uint16_t status, const char *message,
                        struct compose *body, bool keep)
{
    compose_plain(body, "}");
    struct bytes bytes = {body->buf.data, body->buf.len};
    if (body->err != ERR_OK)
        core_fail(core, body->err);
    else if (keep)
        answer_keep(core, ask, status, message, bytes, "");
    else
        answer_send(core, ask->peer, ask->frame->id, status, message, bytes);
    compose_fini(body);
}

static void ready(struct core *core, const struct ask *ask, struct chat *chat)
{
    (void)chat;
    struct core_counts counts = core_count(core);
    struct compose body = COMPOSE_INIT;
    compose_plain(&body, "{");
    compose_raw(&body, "ready", counts.workers > 0 ? "true" : "false");
    compose_int(&body, "workers", (int64_t)counts.workers);
    compose_int(&body, "free_slots", (int64_t)counts.free_slots);
    compose_int(&body, "publish_lost", (int64_t)counts.publish_lost);
    send_object(core, ask, 200, "Service is ready", &body, false);
}

static void chat_place(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!is_conversation(chat)) {
        answer_refuse(core, ask, 404, NO_CHAT);
        return;
    }
    struct compose body = COMPOSE_INIT;
    compose_plain(&body, "{");
    compose_text(&body, "partition_key", chat->partition);
    send_object(core, ask, 200, "", &body, false);
}

/* ---- changes ---- */

static void write_conversation(const struct chat *chat, struct compose *out)
{
    char created[CLOCK_TEXT_MAX], updated[CLOCK_TEXT_MAX];
    clock_iso_naive(chat->created_us, created);
    clock_iso_naive(chat->updated_us, updated);
    compose_plain(out, "{");
    compose_text(out, "chat_id", chat->id);
    compose_text(out, "participant_name", chat->participant_name);
    compose_text(out, "status", chat_status_name(chat->status));
    compose_raw(out, "messages", "[]");
    compose_raw(out, "workflow_steps", "[]");
    compose_raw(out, "uploaded_files", "[]");
    compose_raw(out, "output_files", "[]");
    compose_raw(out, "metadata", chat->metadata);
    compose_text(out, "created_at", created);
    compose_text(out, "updated_at", updated);
    compose_text(out, "partition_key", chat->partition);
}

static void create_chat(struct core *core, const struct ask *ask, struct chat *chat)
{
    char id[ID_UUID_LEN + 1];
    if (!chat) {
        core_uuid(core, id); /* the gateway left the name to us; nobody can have it yet */
        chat = chat_new(core, id);
    }
    if (!chat)
        return;
    if (is_conversation(chat)) {
        answer_refuse(core, ask, 409, "Conversation already exists");
        return;
    }
    bool first = !chat->exists;
    chat_found(core, chat, false);
    chat_put(core, chat);
    if (first)
        record_reset(core, chat);
    struct compose body = COMPOSE_INIT;
    write_conversation(chat, &body);
    struct ask named = *ask;
    named.made = chat->id;
    send_object(core, &named, 201, "Conversation created successfully", &body, true);
}

static void delete_chat(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!is_conversation(chat)) {
        answer_refuse(core, ask, 404, NO_CHAT);
        return;
    }
    while (chat->jobs)
        execution_cancel(core, chat->jobs, "The conversation was deleted");
    core_change(core, &(struct change){.kind = CHANGE_CHAT_DELETE,
                                       .of.chat = {.chat_id = chat->id, .updated_us = core->now.wall_us}});
    core_effect(core, EFFECT_SWEEP);
    answer_forget_chat(core, chat->id);
    chat_clear(core, chat);
    record_reset(core, chat);
    struct compose body = COMPOSE_INIT;
    compose_plain(&body, "{");
    compose_text(&body, "chat_id", chat->id);
    send_object(core, ask, 200, "Conversation deleted successfully", &body, true);
}

struct upload {
    char name[256], key[320];
    int64_t bytes;
};

static bool read_upload(const struct ask *ask, struct upload *out)
{
    struct json_members body = body_of(ask);
    return json_member_plain_text(json_members_find(&body, "name"), out->name, sizeof out->name) &&
           json_member_plain_text(json_members_find(&body, "key"), out->key, sizeof out->key) &&
           json_member_int(json_members_find(&body, "bytes"), &out->bytes) && out->bytes >= 0 && out->name[0] &&
           out->key[0];
}

static void upload_message(struct core *core, struct chat *chat, const char *name, const char *path)
{
    struct compose metadata = COMPOSE_INIT;
    compose_plain(&metadata, "{");
    compose_text(&metadata, "file_path", path);
    compose_plain(&metadata, "}");
    char content[300];
    snprintf(content, sizeof content, "File uploaded: %s", name);
    record_message(core, chat, "file_upload", content, buf_text(&metadata.buf));
    compose_fini(&metadata);
}

static void keep_upload(struct core *core, struct chat *chat, const struct upload *upload)
{
    char id[ID_UUID_LEN + 1];
    core_uuid(core, id);
    core_change(core, &(struct change){.kind = CHANGE_FILE_ADD,
                                       .of.file = {.file_id = id,
                                                   .chat_id = chat->id,
                                                   .name = upload->name,
                                                   .key = upload->key,
                                                   .type = FILE_UPLOADED,
                                                   .bytes = (uint64_t)upload->bytes,
                                                   .created_us = core->now.wall_us,
                                                   .job_id = ""}});
    chat_add_file(core, chat, upload->name, upload->key, FILE_UPLOADED);
    chat_put(core, chat);
}

static void add_upload(struct core *core, const struct ask *ask, struct chat *chat)
{
    struct upload upload;
    if (!is_conversation(chat)) {
        answer_refuse(core, ask, 404, NO_CHAT);
        return;
    }
    char full[80] = "";
    if (chat->file_count >= CHAT_FILES_MAX)
        snprintf(full, sizeof full, "Too many files in this conversation: at most %d", CHAT_FILES_MAX);
    if (full[0] || !read_upload(ask, &upload)) {
        answer_refuse(core, ask, 422, full[0] ? full : "No file provided");
        return;
    }
    keep_upload(core, chat, &upload);
    struct buf path = BUF_INIT(8192);
    struct compose body = COMPOSE_INIT;
    body.err = chat_path(core, chat, FILE_UPLOADED, upload.name, &path);
    upload_message(core, chat, upload.name, buf_text(&path));
    compose_plain(&body, "{");
    compose_text(&body, "file_path", buf_text(&path));
    compose_text(&body, "filename", upload.name);
    send_object(core, ask, 200, "File uploaded successfully", &body, true);
    buf_fini(&path);
}

/* ---- the table ---- */

static const struct route {
    void (*handle)(struct core *core, const struct ask *ask, struct chat *chat); /* chat NULL: the frame names none */
    bool changes;
} routes[CALL_KINDS] = {
    [CALL_READY] = {ready, false},
    [CALL_CREATE_CHAT] = {create_chat, true},
    [CALL_LIST_CHATS] = {list_chats, false},
    [CALL_GET_CHAT] = {get_chat, false},
    [CALL_DELETE_CHAT] = {delete_chat, true},
    [CALL_CHAT_PLACE] = {chat_place, false},
    [CALL_ADD_UPLOAD] = {add_upload, true},
    [CALL_FIND_FILE] = {find_file, false},
    [CALL_EXECUTE] = {execute_handle, true},
    [CALL_GET_JOB] = {get_job, false},
    [CALL_LIST_JOBS] = {list_jobs, false},
    [CALL_CANCEL_JOB] = {cancel_handle, true},
    [CALL_RETRY_JOB] = {retry_handle, true},
    [CALL_GET_EVENTS] = {get_events, false},
    [CALL_EXPORT_CHAT] = {export_chat, false},
    [CALL_IMPORT_CHAT] = {import_handle, true},
    [CALL_BACKUP] = {backup, false},
};

bool core_call_changes(enum call call)
{
    return (size_t)call < CALL_KINDS && routes[call].changes;
}

bool core_remembers_request(const struct core *self, const unsigned char id[REQUEST_ID_LEN])
{
    return answer_find(self, id) != NULL;
}

static void answer_again(struct core *core, const struct ask *ask, struct chat *chat, uint16_t status,
                         const char *message, const char *body, const char *job_id)
{
    if (job_id && job_id[0])
        execute_again(core, ask, chat, job_id);
    else
        answer_send(core, ask->peer, ask->frame->id, status, message, (struct bytes){body, strlen(body)});
}

/* true: there is an answer under this id, in memory or on record, and the caller has it. */
static bool answered_under(struct core *core, const struct ask *ask, struct chat *chat, const unsigned char *id,
                           const struct answer_row *prior)
{
    const struct kept_answer *kept = answer_find(core, id);
    bool keyed = id == ask->frame->key;
    if (!kept && !prior)
        return false;
    if (keyed && (kept ? kept->fingerprint : prior->fingerprint) != ask->frame->fingerprint)
        answer_refuse(core, ask, 422, "This Idempotency-Key was used before, for a different request");
    else if (kept)
        answer_again(core, ask, chat, kept->status, kept->message, kept->body, kept->job_id);
    else
        answer_again(core, ask, chat, prior->status, prior->message, prior->body, prior->job_id);
    return true;
}

/* true: this request was carried out before and has its answer again. */
static bool answered_before(struct core *core, const struct ask *ask, struct chat *chat, const struct answer_row *prior,
                            const struct answer_row *keyed)
{
    return answered_under(core, ask, chat, ask->frame->id, prior) ||
           (ask->frame->keyed && answered_under(core, ask, chat, ask->frame->key, keyed));
}

void call_handle(struct core *core, const struct ask *ask, const struct answer_row *prior,
                 const struct answer_row *keyed)
{
    size_t call = (size_t)ask->frame->call;
    if (call >= CALL_KINDS || !routes[call].handle) {
        answer_refuse(core, ask, 404, "Resource not found");
        return;
    }
    char name[ID_CHAT_MAX + 1];
    if (!call_chat(ask->frame, name)) {
        answer_refuse(core, ask, 422, "Invalid chat id");
        return;
    }
    struct chat *chat = name[0] ? chat_find(core, name) : NULL;
    if (chat)
        chat->used_ms = core->now.mono_ms;
    if (chat && chat_cleared_now(core, chat))
        keyed = NULL; /* keys go with their chat's history */
    if (routes[call].changes && answered_before(core, ask, chat, prior, keyed))
        return;
    routes[call].handle(core, ask, chat);
}
