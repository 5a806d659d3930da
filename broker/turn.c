#include "turn.h"

#include "clock.h"
#include "id.h"
#include "json_scan.h"
#include "log.h"
#include "outlet.h"

#include <string.h>

#define ANSWER_TEXT_MAX ((size_t)64 << 20)

void turn_begin(struct broker *self)
{
    self->now = (struct core_time){clock_monotonic_ms(), clock_wall_us()};
    self->inputs = 0;
    self->caller_count = 0;
    self->failed = false;
}

bool turn_open(const struct broker *self)
{
    return !self->failed && self->inputs < self->settings->broker.batch_inputs_max;
}

static void fail(struct broker *self, const char *what, const struct fault *why)
{
    log_error("turn failed", "while", what, "error", why->text, NULL);
    self->failed = true;
}

/* ---- loading ---- */

static enum err load_chat(struct broker *self, const char *chat_id, struct fault *why)
{
    const struct store_load to = {.context = self->core,
                                  .chat = core_load_chat,
                                  .job = core_load_job,
                                  .step = core_load_step,
                                  .event = core_load_event,
                                  .file = core_load_file};
    enum err err = core_load_begin(self->core, chat_id, self->now);
    if (err == ERR_OK)
        err = store_load_chat(self->store, chat_id, self->settings->broker.chat_events_kept, &to, why);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    return core_load_end(self->core);
}

static enum err load_past(struct broker *self, const char *chat_id, const char *job_id, struct fault *why)
{
    const struct store_load to = {.context = self->core, .job = core_load_job, .step = core_load_step};
    core_load_past(self->core, chat_id, self->now);
    enum err err = store_load_job(self->store, chat_id, job_id, &to, why);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err load_busy(void *context, const char *chat_id)
{
    struct broker *self = context;
    return load_chat(self, chat_id, NULL);
}

static void system_random(void *context, void *out, size_t len)
{
    (void)context;
    id_random(out, len);
}

/* store_busy_chats() holds a statement open while it calls; the ids are taken first. */
static enum err keep_id(void *context, const char *chat_id)
{
    return buf_add(context, chat_id, strlen(chat_id) + 1);
}

enum err turn_load(struct broker *self, struct fault *why)
{
    struct token newest = {self->term, self->core ? core_newest_token(self->core).counter : 0};
    uint64_t rooms = 0, open_jobs = 0;
    core_destroy(&self->core);
    self->now = (struct core_time){clock_monotonic_ms(), clock_wall_us()};
    enum err err = store_counts(self->store, &rooms, &open_jobs, why);
    if (err == ERR_OK)
        err = core_new(&self->core, &self->core_settings, &(struct random_source){system_random, NULL}, newest, rooms);
    struct buf ids = BUF_INIT(ANSWER_TEXT_MAX);
    if (err == ERR_OK)
        err = store_busy_chats(self->store, keep_id, &ids, why);
    for (size_t at = 0; err == ERR_OK && at < ids.len; at += strlen(ids.data + at) + 1)
        err = load_busy(self, ids.data + at);
    buf_fini(&ids);
    if (err == ERR_OK && open_jobs > 0)
        log_info("unfinished jobs loaded", "jobs", LOG_NUMBER((long long)open_jobs), NULL);
    return err;
}

/* ---- deciding ---- */

static void note_caller(struct broker *self, const struct input *input, const struct event_name *event)
{
    struct caller *caller = &self->callers[self->caller_count];
    if (input->kind == INPUT_OUTSIDE && input->peer.len > 0)
        *caller = (struct caller){.publisher = true, .peer = input->peer, .event = *event};
    else if (input->kind == INPUT_REQUEST && input->of.request.frame->kind == REQUEST_CALL) {
        const struct request_frame *frame = input->of.request.frame;
        *caller = (struct caller){.peer = input->peer, .keyed = frame->keyed};
        memcpy(caller->id, frame->id, REQUEST_ID_LEN);
        memcpy(caller->key, frame->key, REQUEST_ID_LEN);
    } else {
        return;
    }
    self->caller_count++;
}

/* What the record holds under an id. */
struct kept {
    struct answer_row row;
    struct buf space;
};

static enum err find_kept(struct broker *self, const unsigned char *id, struct kept *kept,
                          const struct answer_row **out, struct fault *why)
{
    if (core_remembers_request(self->core, id))
        return ERR_OK;
    enum err err = store_find_answer(self->store, id, &kept->row, &kept->space, why);
    if (err == ERR_OK)
        *out = &kept->row;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The record's answers to a request that may have been sent before, or by somebody else under the same key. */
static enum err find_answers(struct broker *self, struct input *input, struct kept kept[2], struct fault *why)
{
    const struct request_frame *frame = input->of.request.frame;
    if (frame->kind != REQUEST_CALL || !core_call_changes(frame->call))
        return ERR_OK;
    enum err err = frame->again ? find_kept(self, frame->id, &kept[0], &input->of.request.prior, why) : ERR_OK;
    if (err == ERR_OK && frame->keyed)
        err = find_kept(self, frame->key, &kept[1], &input->of.request.keyed, why);
    return err;
}

/* Most events have no id and cost one search for it. */
static void read_event_name(const struct input *input, struct event_name *out)
{
    struct bytes json = input->of.outside.json, chat = input->of.outside.chat;
    struct json_members members;
    bool named = memmem(json.at, json.len, "\"event_id\"", 10) && id_chat_valid(chat.at, chat.len) &&
                 json_scan_object(json.at, json.len, &members, NULL) == ERR_OK &&
                 json_member_plain_text(json_members_find(&members, "event_id"), out->event_id, sizeof out->event_id);
    if (!named) {
        out->event_id[0] = '\0';
        return;
    }
    memcpy(out->chat, chat.at, chat.len);
    out->chat[chat.len] = '\0';
}

/* The number an outside event got when it was published before. */
static enum err find_event(struct broker *self, struct input *input, const struct event_name *event, struct fault *why)
{
    if (!event->event_id[0])
        return ERR_OK;
    enum err err = store_find_event_id(self->store, event->chat, event->event_id, &input->of.outside.prior_seq, why);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err prepare(struct broker *self, struct input *input, const struct event_name *event, struct kept kept[2],
                        struct fault *why)
{
    char chat[ID_CHAT_MAX + 1], job[JOB_ID_MAX + 1];
    enum err err = ERR_OK;
    if (core_wants_chat(self->core, input, chat))
        err = load_chat(self, chat, why);
    if (err == ERR_OK && core_wants_job(self->core, input, job))
        err = load_past(self, input->of.request.frame->chat, job, why);
    if (err == ERR_OK && input->kind == INPUT_REQUEST)
        err = find_answers(self, input, kept, why);
    if (err == ERR_OK && input->kind == INPUT_OUTSIDE)
        err = find_event(self, input, event, why);
    return err;
}

void turn_input(struct broker *self, const struct input *input)
{
    struct input prepared = *input;
    struct kept kept[2] = {{.space = BUF_INIT(ANSWER_TEXT_MAX)}, {.space = BUF_INIT(ANSWER_TEXT_MAX)}};
    static const char no_memory[] = "out of memory"; /* unless somebody knows better */
    struct fault why;                                /* large: not cleared for every input */
    memcpy(why.text, no_memory, sizeof no_memory);
    struct event_name event;
    event.chat[0] = event.event_id[0] = '\0';
    if (input->kind == INPUT_OUTSIDE)
        read_event_name(input, &event);
    self->inputs++;
    note_caller(self, input, &event);
    if (!self->failed && prepare(self, &prepared, &event, kept, &why) != ERR_OK)
        fail(self, "reading the record", &why);
    if (!self->failed && core_decide(self->core, &prepared, self->now, self->changes, &self->effects) != ERR_OK)
        fail(self, "deciding", &why);
    buf_fini(&kept[0].space);
    buf_fini(&kept[1].space);
}

/* ---- ending ---- */

static bool has_answer(struct broker *self, const unsigned char id[REQUEST_ID_LEN])
{
    struct answer_row row;
    struct buf space = BUF_INIT(ANSWER_TEXT_MAX);
    enum err err = store_find_answer(self->store, id, &row, &space, NULL);
    buf_fini(&space);
    return err != ERR_NOT_FOUND;
}

static bool has_event(struct broker *self, const struct event_name *event)
{
    uint64_t seq;
    return event->event_id[0] &&
           store_find_event_id(self->store, event->chat, event->event_id, &seq, NULL) != ERR_NOT_FOUND;
}

/* A request that came again, by its id or its key, may have been carried out in an earlier turn, and to refuse it would
 * be a lie. Its gateway sends it once more on the link it opens now, and then gets its answer from the record. An event
 * that came again is the same: its publisher hears nothing, sends it once more, and is told its number. */
static bool may_be_on_record(struct broker *self, const struct caller *caller)
{
    if (caller->publisher)
        return has_event(self, &caller->event);
    return has_answer(self, caller->id) || (caller->keyed && has_answer(self, caller->key));
}

/* What the callers of a turn that cannot be kept are told; everybody else notices by his beats. */
static void refuse_callers(struct broker *self, enum err err)
{
    for (uint32_t i = 0; i < self->caller_count; i++)
        if (!may_be_on_record(self, &self->callers[i]))
            outlet_refuse(self, &self->callers[i], err);
}

static enum err start_over(struct broker *self, enum err cause, struct fault *why)
{
    effects_clear(&self->effects);
    changes_clear(self->changes);
    refuse_callers(self, cause);
    log_warning("memory thrown away and rebuilt from the record", "cause", err_name(cause), NULL);
    enum err err = turn_load(self, why);
    if (err != ERR_OK)
        fault_prefix(why, "the record cannot be read any more: ");
    return err;
}

enum err turn_end(struct broker *self, struct fault *why)
{
    enum err err = self->failed ? ERR_INTERNAL : ERR_OK;
    if (err == ERR_OK)
        err = core_finish_turn(self->core, self->now, self->changes, &self->effects);
    if (err == ERR_OK && changes_count(self->changes) > 0) {
        err = store_commit(self->store, self->changes, why);
        if (err == ERR_IO)
            return err; /* nobody knows what is on disk: only reading it again, in a new process, tells */
        if (err != ERR_OK)
            log_error("commit failed", "error", why->text, NULL);
    }
    if (err != ERR_OK)
        return start_over(self, err, why);
    changes_clear(self->changes);
    outlet_release(self);
    core_trim(self->core, self->now);
    return ERR_OK;
}
