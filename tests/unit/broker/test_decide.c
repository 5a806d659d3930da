/* Anything may happen in any order: a seeded storm of clients, workers, publishers, lost links, lost workers, deleted
 * chats and broker restarts on a real record. Whatever comes, a client that resumes sees every durable event once and
 * in order, and every accepted run ends exactly once. */
#include "scene.h"

#include "store/store.h"

#include <unistd.h>

#define CHATS   3
#define CLIENTS 6
#define LEASES  8
#define JOBS    512
#define STEPS   1000

struct client {
    uint64_t attach; /* 0: not attached */
    int chat;
    enum { WAITING, REPLAYING, LIVE } state;
    char epoch[EPOCH_MAX];
    uint64_t cursor;
    bool has_since;
};

struct lease {
    struct token token;
    uint64_t number;
    uint32_t step, steps;
    bool started;
};

struct storm {
    struct scene *scene;
    struct store *store;
    struct store_reader *reader;
    char path[64];
    struct client clients[CLIENTS];
    uint64_t attaches;
    uint64_t received, acked;
    struct lease leases[LEASES];
    int lease_count;
    char jobs[JOBS][JOB_ID_MAX + 1]; /* accepted runs */
    int ends[JOBS];
    bool ended_on_feed[JOBS];
    int job_count;
    uint64_t heads[CHATS];
    char epochs[CHATS][EPOCH_MAX];
    struct query *queries[256];
    int query_count;
    uint32_t requests;
};

static const char *const names[CHATS] = {"chat-a", "chat-b", "room-c"};

static uint32_t dice(struct storm *self, uint32_t sides)
{
    uint32_t value;
    scene_random(self->scene, &value, sizeof value);
    return value % sides;
}

static int chat_of(struct bytes name)
{
    for (int i = 0; i < CHATS; i++)
        if (strlen(names[i]) == name.len && memcmp(names[i], name.at, name.len) == 0)
            return i;
    fail_msg("an unknown chat");
    return 0;
}

static int job_of(const struct storm *self, const char *id, size_t len)
{
    for (int i = 0; i < self->job_count; i++)
        if (strlen(self->jobs[i]) == len && memcmp(self->jobs[i], id, len) == 0)
            return i;
    return -1;
}

/* ---- what the gateway sees ---- */

static void place(struct client *client, const struct feed_record *record)
{
    snprintf(client->epoch, sizeof client->epoch, "%.*s", (int)record->epoch.len, record->epoch.at);
    client->cursor = record->seq;
    client->has_since = record->epoch.len > 0;
}

static void next_event(struct client *client, const struct feed_record *record)
{
    assert_int_equal(record->seq, client->cursor + 1); /* no hole, nothing twice */
    client->cursor = record->seq;
}

static void see_live(struct storm *self, const struct feed_record *record)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &self->clients[i];
        if (client->attach == 0 || client->state != LIVE || client->chat != chat_of(record->chat))
            continue;
        if (record->kind == FEED_EVENT)
            next_event(client, record);
        else if (record->kind == FEED_RESET)
            place(client, record);
    }
    const char *slash = record->kind == FEED_PROGRESS ? memchr(record->key.at, '/', record->key.len) : NULL;
    int job = slash ? job_of(self, record->key.at, (size_t)(slash - record->key.at)) : -1;
    if (job >= 0)
        assert_false(self->ended_on_feed[job]); /* the terminal event is the last word */
}

static void see_one(struct client *client, const struct feed_record *record)
{
    if (client->attach != record->attach)
        return;
    if (record->kind == FEED_ATTACHED) {
        assert_true(client->state != LIVE);
        place(client, record);
        client->state = REPLAYING;
    } else if (record->kind == FEED_REPLAY) {
        assert_int_equal(client->state, REPLAYING);
        next_event(client, record);
    } else {
        assert_int_equal(record->kind, FEED_LIVE);
        assert_int_equal(client->state, REPLAYING);
        client->state = LIVE;
    }
}

static void see_record(struct storm *self, const struct feed_record *record)
{
    switch (record->kind) {
    case FEED_ATTACHED:
    case FEED_REPLAY:
    case FEED_LIVE:
        for (int i = 0; i < CLIENTS; i++)
            see_one(&self->clients[i], record);
        break;
    case FEED_EVENT:
    case FEED_PROGRESS:
    case FEED_RESET: see_live(self, record); break;
    }
    const char *at = record->terminal ? memmem(record->body.at, record->body.len, "\"job_id\":\"", 10) : NULL;
    int job = at ? job_of(self, at + 10, strcspn(at + 10, "\"")) : -1;
    if (job >= 0 && record->kind == FEED_EVENT)
        self->ended_on_feed[job] = true;
}

static void see_batch(struct storm *self, const struct effect *effect)
{
    struct feed_batch batch;
    struct unpack rest;
    assert_int_equal(feed_batch_read(&batch, &rest, effect->bytes.data, effect->bytes.len), ERR_OK);
    assert_int_equal(batch.number, self->received + (batch.count > 0));
    self->received = batch.number;
    assert_true(self->received - self->acked <= self->scene->settings.link_window);
    for (uint32_t i = 0; i < batch.count; i++) {
        struct feed_record record;
        assert_int_equal(feed_record_read(&record, &rest), ERR_OK);
        see_record(self, &record);
    }
}

static void see_answer(struct storm *self, const struct effect *effect)
{
    struct request_frame frame;
    assert_int_equal(request_frame_read(&frame, effect->bytes.data, effect->bytes.len), ERR_OK);
    if (frame.kind != REQUEST_ACCEPTED)
        return;
    assert_true(self->job_count < JOBS);
    snprintf(self->jobs[self->job_count++], JOB_ID_MAX + 1, "%.*s", (int)frame.body.len, frame.body.at);
}

/* ---- what the worker sees ---- */

static void drop_lease(struct storm *self, int i)
{
    self->leases[i] = self->leases[--self->lease_count];
}

static void see_job(struct storm *self, const struct work_frame *frame)
{
    struct json_members job;
    int64_t first;
    assert_int_equal(json_scan_object(frame->body.at, frame->body.len, &job, NULL), ERR_OK);
    assert_true(json_member_int(json_members_find(&job, "first_step"), &first));
    assert_true(self->lease_count < LEASES);
    self->leases[self->lease_count++] =
        (struct lease){.token = frame->token, .number = 1, .step = (uint32_t)first, .steps = 2};
}

static void see_work(struct storm *self, const struct effect *effect)
{
    static struct work_frame frame;
    assert_int_equal(work_frame_read(&frame, effect->bytes.data, effect->bytes.len), ERR_OK);
    if (frame.kind == WORK_JOB)
        see_job(self, &frame);
    for (int i = 0; frame.kind == WORK_REVOKE && i < self->lease_count; i++)
        if (memcmp(&self->leases[i].token, &frame.token, sizeof frame.token) == 0)
            drop_lease(self, i--);
}

static void see_effect(struct scene *scene, const struct effect *effect)
{
    struct storm *self = scene->watcher;
    switch (effect->kind) {
    case EFFECT_ANSWER: see_answer(self, effect); break;
    case EFFECT_FEED: see_batch(self, effect); break;
    case EFFECT_WORK: see_work(self, effect); break;
    case EFFECT_QUERY:
        assert_true(self->query_count < 256);
        self->queries[self->query_count] = malloc(sizeof(struct query));
        *self->queries[self->query_count++] = *effect->query;
        break;
    case EFFECT_PUBLISHED:
    case EFFECT_TAP:
    case EFFECT_SWEEP:
    case EFFECT_NOTE: break;
    }
}

/* ---- the record ---- */

static void see_change(struct scene *scene, const struct change *change)
{
    struct storm *self = scene->watcher;
    if (change->kind == CHANGE_CHAT_PUT) {
        int chat = chat_of((struct bytes){change->of.chat.chat_id, strlen(change->of.chat.chat_id)});
        snprintf(self->epochs[chat], EPOCH_MAX, "%s", change->of.chat.epoch);
        self->heads[chat] = change->of.chat.head;
    } else if (change->kind == CHANGE_CHAT_DELETE) {
        int chat = chat_of((struct bytes){change->of.chat.chat_id, strlen(change->of.chat.chat_id)});
        self->heads[chat] = 0;
        self->epochs[chat][0] = '\0';
    } else if (change->kind == CHANGE_EVENT_ADD) {
        const struct event_row *row = &change->of.event;
        self->heads[chat_of((struct bytes){row->chat_id, strlen(row->chat_id)})] = row->seq;
        int job = job_of(self, row->job_id, strlen(row->job_id));
        bool terminal = strcmp(row->type, "workflow_completed") == 0 || strcmp(row->type, "workflow_failed") == 0 ||
                        strcmp(row->type, "workflow_cancelled") == 0;
        if (job >= 0 && terminal)
            self->ends[job]++;
    }
}

static void load_chat(struct storm *self, const char *chat)
{
    struct core *core = self->scene->core;
    struct store_load to = {core, core_load_chat, core_load_job, core_load_step, core_load_event, core_load_file};
    assert_int_equal(core_load_begin(core, chat, self->scene->now), ERR_OK);
    enum err err = store_load_chat(self->store, chat, 8, &to, NULL);
    assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
    assert_int_equal(core_load_end(core), ERR_OK);
}

/* One turn with one input, its changes on a real record before anything leaves. */
static void turn(struct storm *self, const struct input *input)
{
    struct scene *scene = self->scene;
    char chat[ID_CHAT_MAX + 1];
    if (core_wants_chat(scene->core, input, chat))
        load_chat(self, chat);
    assert_int_equal(core_decide(scene->core, input, scene->now, scene->changes, &scene->effects), ERR_OK);
    assert_int_equal(core_finish_turn(scene->core, scene->now, scene->changes, &scene->effects), ERR_OK);
    struct fault why = {.text = ""};
    if (changes_count(scene->changes) > 0 && store_commit(self->store, scene->changes, &why) != ERR_OK)
        fail_msg("%s", why.text);
    for (size_t i = 0; i < changes_count(scene->changes); i++)
        see_change(scene, changes_at(scene->changes, i));
    for (size_t i = 0; i < scene->effects.count; i++)
        see_effect(scene, &scene->effects.list[i]);
    changes_clear(scene->changes);
    effects_clear(&scene->effects);
    core_trim(scene->core, scene->now);
}

/* ---- what may happen ---- */

static void request(struct storm *self, struct request_frame *frame)
{
    frame->link = SCENE_LINK;
    struct input input = {.kind = INPUT_REQUEST, .peer = scene_peer("gw"), .of.request = {.frame = frame}};
    turn(self, &input);
}

static void call(struct storm *self, enum call what, int chat, const char *body)
{
    struct request_frame frame = {.kind = REQUEST_CALL, .call = what, .body = {body, strlen(body)}};
    self->requests++;
    memcpy(frame.id, &self->requests, sizeof self->requests);
    snprintf(frame.chat, sizeof frame.chat, "%s", names[chat]);
    request(self, &frame);
}

static void make_conversation(struct storm *self, int chat)
{
    call(self, CALL_CREATE_CHAT, chat, "{}");
    call(self, CALL_ADD_UPLOAD, chat, "{\"name\":\"in.csv\",\"key\":\"k/in\",\"bytes\":1}");
}

static void attach(struct storm *self, struct client *client)
{
    struct request_frame frame = {
        .kind = REQUEST_ATTACH, .attach = client->attach, .has_since = client->has_since, .since = client->cursor};
    snprintf(frame.chat, sizeof frame.chat, "%s", names[client->chat]);
    memcpy(frame.epoch, client->epoch, sizeof frame.epoch);
    client->state = WAITING;
    request(self, &frame);
}

static void change_client(struct storm *self)
{
    struct client *client = &self->clients[dice(self, CLIENTS)];
    if (client->attach > 0 && dice(self, 2) == 0) {
        struct request_frame frame = {.kind = REQUEST_DETACH, .attach = client->attach};
        client->attach = 0;
        request(self, &frame);
        return;
    }
    int chat = (int)dice(self, CHATS);
    if (chat != client->chat)
        *client = (struct client){.attach = client->attach, .chat = chat};
    client->attach = client->attach > 0 ? client->attach : ++self->attaches;
    attach(self, client);
}

static void open_link(struct storm *self)
{
    self->received = self->acked = 0;
    struct input input = {.kind = INPUT_LINK_OPEN, .of.link = SCENE_LINK};
    for (int i = 0; i < CLIENTS; i++)
        self->clients[i].state = WAITING;
    turn(self, &input);
    for (int i = 0; i < CLIENTS; i++)
        if (self->clients[i].attach > 0)
            attach(self, &self->clients[i]);
}

static void beat(struct storm *self, bool all)
{
    self->acked = all ? self->received : self->acked + dice(self, (uint32_t)(self->received - self->acked) + 1);
    struct request_frame frame = {.kind = REQUEST_BEAT, .number = self->acked};
    request(self, &frame);
}

static void publish(struct storm *self)
{
    const char *const events[] = {"{\"type\":\"note\",\"text\":\"x\"}",
                                  "{\"type\":\"progress\",\"step_id\":\"s\",\"progress\":5}",
                                  "{\"type\":\"step_result\",\"step_id\":\"s\"}"};
    const char *chat = names[dice(self, CHATS)], *json = events[dice(self, 3)];
    struct input input = {.kind = INPUT_OUTSIDE, .peer = scene_peer("pub")};
    input.of.outside.chat = (struct bytes){chat, strlen(chat)};
    input.of.outside.json = (struct bytes){json, strlen(json)};
    turn(self, &input);
}

static void work(struct storm *self, struct work_frame *frame)
{
    strcpy(frame->worker, "w1");
    struct input input = {.kind = INPUT_WORK, .peer = scene_peer("w1"), .of.work = frame};
    turn(self, &input);
}

static void worker_says(struct storm *self, enum work_kind kind)
{
    struct work_frame frame = {.kind = kind, .slots = 3, .free_slots = 3u - (uint32_t)self->lease_count};
    for (int i = 0; i < self->lease_count; i++)
        frame.tokens[frame.token_count++] = self->leases[i].token;
    work(self, &frame);
}

static void report(struct storm *self, int i, enum work_what what, const char *event, const char *detail)
{
    bool progress = what == WORK_PROGRESS;
    struct work_frame frame = {.kind = WORK_EVENT,
                               .token = self->leases[i].token,
                               .number = progress ? self->leases[i].number - 1 : self->leases[i].number++,
                               .what = what,
                               .event = {event, strlen(event)},
                               .body = {detail, strlen(detail)}};
    work(self, &frame);
}

static void advance_job(struct storm *self)
{
    if (self->lease_count == 0)
        return;
    int i = (int)dice(self, (uint32_t)self->lease_count);
    struct lease *lease = &self->leases[i];
    char index[32], done[200];
    snprintf(index, sizeof index, "{\"index\":%u}", lease->step);
    snprintf(done, sizeof done,
             "{\"index\":%u,\"file\":{\"name\":\"o.csv\",\"key\":\"k/%u\",\"bytes\":1},\"result\":{}}", lease->step,
             dice(self, 1000000000));
    if (lease->step == lease->steps) {
        struct lease last = *lease;
        drop_lease(self, i);
        self->leases[self->lease_count] = last; /* beyond the end: report() still finds its token */
        report(self, self->lease_count, WORK_RUN_DONE, "{}", "{}");
    } else if (!lease->started) {
        lease->started = true;
        report(self, i, WORK_STEP_STARTED, "{}", index);
    } else if (dice(self, 3) == 0) {
        report(self, i, WORK_PROGRESS, "{\"progress\":50}", index);
    } else if (dice(self, 12) == 0) {
        report(self, i, WORK_STEP_FAILED, "{}", "{\"index\":9,\"message\":\"x\",\"kind\":\"user\"}");
    } else {
        lease->started = false;
        lease->step++;
        report(self, i, WORK_STEP_DONE, "{}", done);
    }
}

/* Rows are borrowed for the call: the newest range is kept here. */
static struct event_row range_rows[256];
static char range_bodies[256][1024], range_types[256][65];

static enum err keep_row(void *context, const struct event_row *row)
{
    struct range *range = context;
    size_t i = range->count++;
    snprintf(range_types[i], sizeof range_types[i], "%s", row->type);
    memcpy(range_bodies[i], row->body, row->body_len);
    range_rows[i] =
        (struct event_row){.seq = row->seq, .type = range_types[i], .body = range_bodies[i], .body_len = row->body_len};
    return ERR_OK;
}

static void answer_query(struct storm *self)
{
    if (self->query_count == 0)
        return;
    struct query *query = self->queries[0];
    memmove(self->queries, self->queries + 1, (size_t)--self->query_count * sizeof *self->queries);
    struct range range = {.link = query->link,
                          .generation = query->generation,
                          .since = query->since,
                          .failed = dice(self, 8) == 0,
                          .rows = range_rows};
    memcpy(range.chat, query->chat, sizeof range.chat);
    if (!range.failed)
        assert_int_equal(store_read_events(self->reader, query->chat, query->since, (uint32_t)query->limit,
                                           (size_t)1 << 20, keep_row, &range, NULL),
                         ERR_OK);
    if (query->kind == QUERY_RANGE)
        turn(self, &(struct input){.kind = INPUT_RANGE, .of.range = &range});
    free(query);
}

static void wait_a_while(struct storm *self, int64_t ms)
{
    self->scene->now.mono_ms += ms;
    self->scene->now.wall_us += ms * 1000;
    turn(self, &(struct input){.kind = INPUT_TICK});
}

/* ---- lost and found ---- */

static void drop_queries(struct storm *self)
{
    while (self->query_count > 0)
        free(self->queries[--self->query_count]);
}

static enum err keep_busy(void *context, const char *chat)
{
    char(*busy)[ID_CHAT_MAX + 1] = context;
    while ((*busy)[0])
        busy++;
    snprintf(*busy, sizeof *busy, "%s", chat);
    return ERR_OK;
}

static void load_record(struct storm *self)
{
    struct scene *scene = self->scene;
    uint64_t term, rooms, open_jobs;
    struct fault why = {.text = ""};
    if (store_open(&self->store, self->path, &term, &why) != ERR_OK)
        fail_msg("%s", why.text);
    assert_int_equal(store_reader_open(&self->reader, self->store, NULL), ERR_OK);
    assert_int_equal(store_counts(self->store, &rooms, &open_jobs, NULL), ERR_OK);
    struct random_source random = {scene_random, scene};
    assert_int_equal(core_new(&scene->core, &scene->settings, &random, (struct token){term, 0}, rooms), ERR_OK);
    char busy[CHATS + 1][ID_CHAT_MAX + 1] = {{0}};
    assert_int_equal(store_busy_chats(self->store, keep_busy, busy, NULL), ERR_OK);
    for (int i = 0; busy[i][0]; i++)
        load_chat(self, busy[i]);
}

static void restart_broker(struct storm *self)
{
    core_destroy(&self->scene->core);
    store_reader_close(&self->reader);
    store_close(&self->store);
    drop_queries(self);
    load_record(self);
    open_link(self);
    worker_says(self, WORK_HELLO);
}

static void lose_worker(struct storm *self)
{
    self->lease_count = 0;
    worker_says(self, WORK_HELLO);
}

static void delete_and_make(struct storm *self)
{
    int chat = (int)dice(self, 2);
    call(self, CALL_DELETE_CHAT, chat, "{}");
    make_conversation(self, chat);
}

static void happen(struct storm *self)
{
    uint32_t what = dice(self, 100);
    if (what < 25)
        publish(self);
    else if (what < 30)
        call(self, CALL_EXECUTE, (int)dice(self, 2), SCENE_TWO_STEPS);
    else if (what < 55)
        advance_job(self);
    else if (what < 65)
        change_client(self);
    else if (what < 77)
        beat(self, false);
    else if (what < 88)
        answer_query(self);
    else if (what < 93)
        wait_a_while(self, dice(self, 900));
    else if (what < 96)
        worker_says(self, WORK_BEAT);
    else if (what < 97)
        open_link(self);
    else if (what < 98)
        lose_worker(self);
    else if (what < 99)
        delete_and_make(self);
    else
        restart_broker(self);
}

/* Everybody does what he should until nothing is left to do. */
static void settle(struct storm *self)
{
    worker_says(self, WORK_HELLO);
    for (int i = 0; i < 3000; i++) {
        beat(self, true);
        answer_query(self);
        advance_job(self);
        if (i % 10 == 0)
            worker_says(self, WORK_BEAT);
        wait_a_while(self, 100);
    }
}

static void check(const struct storm *self)
{
    for (int i = 0; i < self->job_count; i++)
        assert_int_equal(self->ends[i], 1);
    assert_int_equal(core_count(self->scene->core).open_jobs, 0);
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *client = &self->clients[i];
        if (client->attach == 0)
            continue;
        assert_int_equal(client->state, LIVE);
        assert_int_equal(client->cursor, self->heads[client->chat]);
        assert_string_equal(client->epoch, self->epochs[client->chat]);
    }
}

static void storm(uint64_t seed)
{
    struct scene scene;
    struct storm *self = calloc(1, sizeof *self);
    scene_init(&scene);
    core_destroy(&scene.core);
    scene.settings.chat_events_kept = 3; /* memory is short, */
    scene.settings.link_window = 3;      /* and so is patience */
    scene.seed = seed;
    scene.watcher = self;
    self->scene = &scene;
    strcpy(self->path, "/tmp/sheetwire-storm-XXXXXX");
    assert_non_null(mkdtemp(self->path));
    strcat(self->path, "/chat.db");
    load_record(self);
    open_link(self);
    worker_says(self, WORK_HELLO);
    make_conversation(self, 0);
    make_conversation(self, 1);
    for (int i = 0; i < STEPS; i++)
        happen(self);
    settle(self);
    assert_true(self->job_count > 10);
    check(self);
    drop_queries(self);
    store_reader_close(&self->reader);
    store_close(&self->store);
    scene_fini(&scene);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %.30s", self->path);
    command[7 + strlen("/tmp/sheetwire-storm-XXXXXX")] = '\0';
    assert_int_equal(system(command), 0);
    free(self);
}

static void whatever_happens_nothing_is_lost_and_nothing_comes_twice(void **state)
{
    (void)state;
    const char *given = getenv("SHEETWIRE_STORM_SEED");
    for (uint64_t seed = 1; seed <= (given ? 1 : 2); seed++) {
        print_message("seed %llu\n", given ? strtoull(given, NULL, 10) : (unsigned long long)seed);
        storm(given ? strtoull(given, NULL, 10) : seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_nothing_is_lost_and_nothing_comes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
