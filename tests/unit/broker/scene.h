/* scene - a core on a stage: virtual time, seeded ids, a gateway, workers, and no record but the one the test keeps.
 * Every call is one turn of the loop; what left the broker is collected as text lines, one a frame, so that a test can
 * say what it expects to read in order. Included by the scenario tests of this folder. */
#ifndef SCENE_H
#define SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/core.h"
#include "json_scan.h"
#include "wire/feed_frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCENE_LINK 7
#define UNUSED     __attribute__((unused))

struct scene_event {
    char chat[ID_CHAT_MAX + 1], type[65];
    uint64_t seq;
    char *body;
};

struct scene {
    struct core *core;
    struct core_settings settings;
    struct core_time now;
    struct changes *changes;
    struct effects effects;
    uint64_t seed;
    struct token newest;
    struct buf said;                /* lines of everything that left since scene_clear() */
    struct buf written;             /* lines of everything that was committed since scene_clear() */
    struct scene_event events[512]; /* the durable events of all chats: what a range is read from */
    size_t event_count;
    struct query *queries[64]; /* not answered yet */
    size_t query_count;
    struct token token;          /* of the newest JOB frame */
    char job[8192];              /* its body */
    uint64_t batch;              /* newest batch number seen on SCENE_LINK */
    char job_id[JOB_ID_MAX + 1]; /* of the newest ACCEPTED */
    uint64_t next_number;        /* of the next worker event */
    /* What a test wants to follow itself; set, nothing is kept as text. */
    void (*watch)(struct scene *scene, const struct effect *effect);
    void (*watch_change)(struct scene *scene, const struct change *change);
    void *watcher;
    unsigned char setup_id; /* of the newest request of scene_chat_with_file() */
};

static void scene_random(void *context, void *out, size_t len)
{
    struct scene *self = context;
    unsigned char *at = out;
    while (len-- > 0) {
        self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
        *at++ = (unsigned char)(self->seed >> 56);
    }
}

static UNUSED void scene_start_core(struct scene *self)
{
    struct random_source random = {scene_random, self};
    assert_int_equal(core_new(&self->core, &self->settings, &random, self->newest, 0), ERR_OK);
}

static UNUSED void scene_init(struct scene *self)
{
    memset(self, 0, sizeof *self);
    self->settings = (struct core_settings){.beat_ms = 1000,
                                            .lease_ms = 10000,
                                            .run_timeout_ms = 3600000,
                                            .attempts_max = 3,
                                            .queue_jobs_max = 100,
                                            .chat_events_kept = 8,
                                            .rooms_max = 4,
                                            .link_window = 4,
                                            .link_batch_bytes = 60 << 10,
                                            .event_bytes_max = 4096,
                                            .max_steps = 5,
                                            .remembered_max = 64,
                                            .save_intermediate_files = true,
                                            .workflows_path = "./automation/workflows",
                                            .api_prefix = "/api/v1"};
    self->now = (struct core_time){1000, 1763800000000000};
    self->seed = 42;
    self->newest = (struct token){1, 0};
    self->said = self->written = BUF_INIT((size_t)16 << 20);
    self->next_number = 1;
    self->setup_id = 198;
    assert_int_equal(changes_new(&self->changes), ERR_OK);
    scene_start_core(self);
}

static UNUSED void scene_fini(struct scene *self)
{
    core_destroy(&self->core);
    changes_destroy(&self->changes);
    effects_fini(&self->effects);
    buf_fini(&self->said);
    buf_fini(&self->written);
    for (size_t i = 0; i < self->event_count; i++)
        free(self->events[i].body);
    for (size_t i = 0; i < self->query_count; i++)
        free(self->queries[i]);
}

static UNUSED void scene_clear(struct scene *self)
{
    buf_clear(&self->said);
    buf_clear(&self->written);
}

static void scene_line(struct buf *out, const char *format, ...) PRINTF_LIKE(2, 3);
static void scene_line(struct buf *out, const char *format, ...)
{
    char line[32768];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_int_equal(buf_printf(out, "%s\n", line), ERR_OK);
}

/* ---- what was committed ---- */

static void scene_keep_event(struct scene *self, const struct event_row *row)
{
    assert_true(self->event_count < sizeof self->events / sizeof *self->events);
    struct scene_event *event = &self->events[self->event_count++];
    snprintf(event->chat, sizeof event->chat, "%s", row->chat_id);
    snprintf(event->type, sizeof event->type, "%s", row->type);
    event->seq = row->seq;
    event->body = strndup(row->body, row->body_len);
}

static void scene_commit_one(struct scene *self, const struct change *change)
{
    struct buf *out = &self->written;
    switch (change->kind) {
    case CHANGE_CHAT_PUT:
        scene_line(out, "chat %s %s%s", change->of.chat.chat_id, chat_status_name(change->of.chat.status),
                   change->of.chat.room ? " room" : "");
        break;
    case CHANGE_CHAT_DELETE: scene_line(out, "delete %s", change->of.chat.chat_id); break;
    case CHANGE_MESSAGE_ADD:
        scene_line(out, "message %s: %s", change->of.message.message_type, change->of.message.content);
        break;
    case CHANGE_FILE_ADD: scene_line(out, "file %s %s", change->of.file.name, change->of.file.key); break;
    case CHANGE_JOB_PUT:
        scene_line(out, "job %s attempts=%u number=%" PRIu64, job_status_name(change->of.job.status),
                   change->of.job.attempts, change->of.job.last_number);
        break;
    case CHANGE_STEP_PUT:
        scene_line(out, "step %u %s %u", change->of.step.index, step_status_name(change->of.step.status),
                   change->of.step.progress);
        break;
    case CHANGE_EVENT_ADD:
        scene_line(out, "event %" PRIu64 " %s", change->of.event.seq, change->of.event.type);
        scene_keep_event(self, &change->of.event);
        break;
    case CHANGE_ANSWER_PUT: scene_line(out, "answer %u", change->of.answer.status); break;
    case CHANGE_GARBAGE_ADD: scene_line(out, "garbage %s", change->of.garbage_key); break;
    }
}

/* ---- what left ---- */

static void scene_say_answer(struct scene *self, const struct effect *effect)
{
    struct request_frame frame;
    assert_int_equal(request_frame_read(&frame, effect->bytes.data, effect->bytes.len), ERR_OK);
    if (frame.kind == REQUEST_HELLO)
        scene_line(&self->said, "hello");
    else if (frame.kind == REQUEST_ACCEPTED) {
        snprintf(self->job_id, sizeof self->job_id, "%.*s", (int)frame.body.len, frame.body.at);
        scene_line(&self->said, "accepted #%u", frame.id[0]);
    } else
        scene_line(&self->said, "answer #%u %u %.*s %.*s", frame.id[0], frame.status, (int)frame.message.len,
                   frame.message.at, (int)frame.body.len, frame.body.at);
}

static void scene_say_record(struct scene *self, const struct feed_record *r)
{
    static const char *const kinds[] = {
        [FEED_ATTACHED] = "attached", [FEED_REPLAY] = "replay",     [FEED_LIVE] = "live",
        [FEED_EVENT] = "event",       [FEED_PROGRESS] = "progress", [FEED_RESET] = "reset"};
    static const char *const resumes[] = {
        [FEED_SNAPSHOT] = "snapshot", [FEED_RESUMED] = "resumed", [FEED_GAP] = "gap", [FEED_RESET_HISTORY] = "reset"};
    switch (r->kind) {
    case FEED_ATTACHED:
        scene_line(&self->said, "attached @%" PRIu64 " %s seq=%" PRIu64 " head=%" PRIu64 "%s %.*s", r->attach,
                   resumes[r->resume], r->seq, r->head, r->epoch.len ? "" : " no-epoch", (int)r->body.len, r->body.at);
        break;
    case FEED_REPLAY:
        scene_line(&self->said, "replay @%" PRIu64 " seq=%" PRIu64 " %.*s", r->attach, r->seq, (int)r->body.len,
                   r->body.at);
        break;
    case FEED_LIVE: scene_line(&self->said, "live @%" PRIu64, r->attach); break;
    case FEED_RESET:
        scene_line(&self->said, "reset head=%" PRIu64 "%s %.*s", r->head, r->epoch.len ? "" : " no-epoch",
                   (int)r->body.len, r->body.at);
        break;
    case FEED_EVENT:
    case FEED_PROGRESS:
        scene_line(&self->said, "%s%s%s %.*s", kinds[r->kind], r->closing ? " closing" : "",
                   r->terminal ? " terminal" : "", (int)r->body.len, r->body.at);
        break;
    }
}

static void scene_say_feed(struct scene *self, const struct effect *effect)
{
    struct feed_batch batch;
    struct unpack rest;
    assert_int_equal(feed_batch_read(&batch, &rest, effect->bytes.data, effect->bytes.len), ERR_OK);
    if (batch.count == 0) {
        scene_line(&self->said, "beat %" PRIu64, batch.number);
        return;
    }
    if (effect->link == SCENE_LINK) {
        assert_int_equal(batch.number, self->batch + 1); /* never a hole */
        self->batch = batch.number;
    }
    for (uint32_t i = 0; i < batch.count; i++) {
        struct feed_record record;
        assert_int_equal(feed_record_read(&record, &rest), ERR_OK);
        scene_say_record(self, &record);
    }
    assert_true(unpack_done(&rest));
}

static void scene_say_work(struct scene *self, const struct effect *effect)
{
    static struct work_frame frame;
    assert_int_equal(work_frame_read(&frame, effect->bytes.data, effect->bytes.len), ERR_OK);
    const char *worker = (const char *)effect->peer.id;
    int len = effect->peer.len;
    switch (frame.kind) {
    case WORK_WELCOME: scene_line(&self->said, "%.*s< welcome %" PRIu64, len, worker, frame.term); break;
    case WORK_ACK: scene_line(&self->said, "%.*s< ack %" PRIu64, len, worker, frame.number); break;
    case WORK_REVOKE: scene_line(&self->said, "%.*s< revoke %" PRIu64, len, worker, frame.token.counter); break;
    case WORK_JOB:
        self->token = frame.token;
        self->next_number = 1;
        snprintf(self->job, sizeof self->job, "%.*s", (int)frame.body.len, frame.body.at);
        scene_line(&self->said, "%.*s< job %" PRIu64 " %s", len, worker, frame.token.counter, self->job);
        break;
    case WORK_HELLO:
    case WORK_BEAT:
    case WORK_EVENT:
    case WORK_BYE: fail_msg("a worker's word from the broker");
    }
}

static void scene_say(struct scene *self, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_ANSWER: scene_say_answer(self, effect); break;
    case EFFECT_FEED: scene_say_feed(self, effect); break;
    case EFFECT_WORK: scene_say_work(self, effect); break;
    case EFFECT_PUBLISHED: scene_line(&self->said, "published %.*s", (int)effect->bytes.len, effect->bytes.data); break;
    case EFFECT_TAP:
        scene_line(&self->said, "tap %s %.*s", effect->topic, (int)effect->bytes.len, effect->bytes.data);
        break;
    case EFFECT_QUERY:
        assert_true(self->query_count < 64);
        scene_line(&self->said, "query %d since=%" PRIu64, (int)effect->query->kind, effect->query->since);
        self->queries[self->query_count] = malloc(sizeof(struct query));
        *self->queries[self->query_count++] = *effect->query;
        break;
    case EFFECT_SWEEP: scene_line(&self->said, "sweep"); break;
    case EFFECT_NOTE: break;
    }
}

/* ---- turns ---- */

static UNUSED void scene_decide(struct scene *self, const struct input *input)
{
    char chat[ID_CHAT_MAX + 1];
    if (core_wants_chat(self->core, input, chat)) {
        assert_int_equal(core_load_begin(self->core, chat, self->now), ERR_OK);
        assert_int_equal(core_load_end(self->core), ERR_OK);
    }
    assert_int_equal(core_decide(self->core, input, self->now, self->changes, &self->effects), ERR_OK);
}

static UNUSED void scene_finish(struct scene *self)
{
    assert_int_equal(core_finish_turn(self->core, self->now, self->changes, &self->effects), ERR_OK);
    for (size_t i = 0; i < changes_count(self->changes); i++)
        (self->watch_change ? self->watch_change : scene_commit_one)(self, changes_at(self->changes, i));
    for (size_t i = 0; i < self->effects.count; i++)
        (self->watch ? self->watch : scene_say)(self, &self->effects.list[i]);
    changes_clear(self->changes);
    effects_clear(&self->effects);
    core_trim(self->core, self->now);
}

static UNUSED void scene_turn(struct scene *self, const struct input *input)
{
    scene_decide(self, input);
    scene_finish(self);
}

/* The inputs of one turn, in order. */
static UNUSED void scene_turn_of(struct scene *self, const struct input *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        scene_decide(self, &inputs[i]);
    scene_finish(self);
}

/* Time passes in ticks of 50 ms. */
static UNUSED void scene_wait(struct scene *self, int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= 50) {
        int64_t step = left < 50 ? left : 50;
        self->now.mono_ms += step;
        self->now.wall_us += step * 1000;
        scene_turn(self, &(struct input){.kind = INPUT_TICK});
    }
}

/* ---- a gateway ---- */

static UNUSED struct peer scene_peer(const char *name)
{
    struct peer peer = {.len = (uint8_t)strlen(name)};
    memcpy(peer.id, name, peer.len);
    return peer;
}

static UNUSED void scene_link(struct scene *self)
{
    self->batch = 0;
    scene_turn(self, &(struct input){.kind = INPUT_LINK_OPEN, .of.link = SCENE_LINK});
}

static UNUSED void scene_request(struct scene *self, const struct request_frame *frame)
{
    struct input input = {.kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = frame}};
    scene_turn(self, &input);
}

static UNUSED void scene_beat(struct scene *self)
{
    scene_request(self, &(struct request_frame){.kind = REQUEST_BEAT, .link = SCENE_LINK, .number = self->batch});
}

/* since < 0: none */
static UNUSED void scene_attach(struct scene *self, uint64_t attach, const char *chat, int64_t since, const char *epoch)
{
    struct request_frame frame = {.kind = REQUEST_ATTACH,
                                  .link = SCENE_LINK,
                                  .attach = attach,
                                  .has_since = since >= 0,
                                  .since = since >= 0 ? (uint64_t)since : 0};
    snprintf(frame.chat, sizeof frame.chat, "%s", chat);
    snprintf(frame.epoch, sizeof frame.epoch, "%s", epoch ? epoch : "");
    scene_request(self, &frame);
}

static struct request_frame scene_call_frame(enum call call, unsigned char id, const char *chat, const char *body)
{
    struct request_frame frame = {
        .kind = REQUEST_CALL, .link = SCENE_LINK, .id = {id}, .call = call, .body = {body, strlen(body)}};
    snprintf(frame.chat, sizeof frame.chat, "%s", chat);
    return frame;
}

static UNUSED void scene_call(struct scene *self, enum call call, unsigned char id, const char *chat, const char *body)
{
    struct request_frame frame = scene_call_frame(call, id, chat, body);
    scene_request(self, &frame);
}

/* A conversation `chat` with one uploaded file, on an open link. */
static UNUSED void scene_chat_with_file(struct scene *self, const char *chat)
{
    self->setup_id += 2;
    scene_call(self, CALL_CREATE_CHAT, self->setup_id, chat, "{}");
    scene_call(self, CALL_ADD_UPLOAD, (unsigned char)(self->setup_id + 1), chat,
               "{\"name\":\"orders.csv\",\"key\":\"k/orders\",\"bytes\":10}");
}

#define SCENE_TWO_STEPS                                                                                                \
    "{\"steps\":[{\"operation\":\"csv/search\",\"arguments\":{\"column\":\"a\"}},{\"operation\":\"json/generate\"}]}"

/* ---- workers ---- */

static UNUSED void scene_work(struct scene *self, const char *worker, struct work_frame *frame)
{
    snprintf(frame->worker, sizeof frame->worker, "%s", worker);
    struct input input = {.kind = INPUT_WORK, .peer = scene_peer(worker), .of.work = frame};
    scene_turn(self, &input);
}

static UNUSED void scene_hello(struct scene *self, const char *worker, uint32_t slots)
{
    struct work_frame frame = {.kind = WORK_HELLO, .slots = slots, .free_slots = slots};
    scene_work(self, worker, &frame);
}

/* token counter 0: names none */
static UNUSED void scene_work_beat(struct scene *self, const char *worker, uint32_t slots, struct token token)
{
    struct work_frame frame = {.kind = WORK_BEAT, .slots = slots, .free_slots = slots};
    if (token.counter > 0) {
        frame.tokens[frame.token_count++] = token;
        frame.free_slots--;
    }
    scene_work(self, worker, &frame);
}

static UNUSED void scene_event(struct scene *self, const char *worker, struct token token, uint64_t number,
                               enum work_what what, const char *event, const char *detail)
{
    struct work_frame frame = {.kind = WORK_EVENT,
                               .token = token,
                               .number = number,
                               .what = what,
                               .event = {event, strlen(event)},
                               .body = {detail, strlen(detail)}};
    scene_work(self, worker, &frame);
}

/* The next event of the newest lease. */
static UNUSED void scene_report(struct scene *self, enum work_what what, const char *event, const char *detail)
{
    uint64_t number = what == WORK_PROGRESS ? self->next_number - 1 : self->next_number++;
    scene_event(self, "w1", self->token, number, what, event, detail);
}

/* ---- outside ---- */

static UNUSED void scene_publish(struct scene *self, const char *chat, const char *json)
{
    struct input input = {.kind = INPUT_OUTSIDE, .peer = scene_peer("pub")};
    input.of.outside.chat = (struct bytes){chat, strlen(chat)};
    input.of.outside.json = (struct bytes){json, strlen(json)};
    scene_turn(self, &input);
}

/* Answers the oldest range query from the events that were committed. */
static UNUSED void scene_answer_range(struct scene *self)
{
    assert_true(self->query_count > 0);
    struct query *query = self->queries[0];
    memmove(self->queries, self->queries + 1, --self->query_count * sizeof *self->queries);
    assert_int_equal(query->kind, QUERY_RANGE);
    struct event_row rows[512];
    struct range range = {.link = query->link, .generation = query->generation, .since = query->since, .rows = rows};
    memcpy(range.chat, query->chat, sizeof range.chat);
    for (size_t i = 0; i < self->event_count && range.count < (size_t)query->limit; i++) {
        const struct scene_event *event = &self->events[i];
        if (strcmp(event->chat, query->chat) == 0 && event->seq > query->since)
            rows[range.count++] = (struct event_row){
                .seq = event->seq, .type = event->type, .body = event->body, .body_len = strlen(event->body)};
    }
    scene_turn(self, &(struct input){.kind = INPUT_RANGE, .of.range = &range});
    free(query);
}

/* ---- looking ---- */

/* Finds the needles in this order in what was said; says what is missing. */
static UNUSED void expect_in_order(const struct buf *text, const char *const *needles)
{
    struct buf copy = *text;
    const char *at = buf_text(&copy);
    for (; *needles; needles++) {
        const char *found = strstr(at, *needles);
        if (!found)
            fail_msg("'%s' does not follow in:\n%s", *needles, buf_text(&copy));
        else
            at = found + strlen(*needles);
    }
}

#define EXPECT_SAID(scene, ...)    expect_in_order(&(scene)->said, (const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_WRITTEN(scene, ...) expect_in_order(&(scene)->written, (const char *const[]){__VA_ARGS__, NULL})

static UNUSED void expect_not_said(struct scene *self, const char *needle)
{
    if (strstr(buf_text(&self->said), needle))
        fail_msg("'%s' was said:\n%s", needle, buf_text(&self->said));
}

static UNUSED size_t count_said(struct scene *self, const char *needle)
{
    size_t count = 0;
    for (const char *at = buf_text(&self->said); (at = strstr(at, needle)); at += strlen(needle))
        count++;
    return count;
}

static UNUSED int scene_setup(void **state)
{
    struct scene *scene = malloc(sizeof *scene);
    scene_init(scene);
    scene_link(scene);
    scene_clear(scene);
    *state = scene;
    return 0;
}

static UNUSED int scene_teardown(void **state)
{
    scene_fini(*state);
    free(*state);
    return 0;
}

#define SCENARIO(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

#endif
