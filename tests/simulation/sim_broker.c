/* The broker: the real core and the real turn.c (load, decide, commit, release), over the model store. What this file
 * puts in place of sockets and threads is the shell's reading of frames, outlet.h, and the reader of query.c. */
#include "sim.h"

#include "broker.h"
#include "core/chat.h"
#include "json_scan.h"
#include "model_store.h"
#include "outlet.h"
#include "referee.h"
#include "turn.h"
#include "wire/feed_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS         100
#define INPUTS_MAX      24 /* of one turn */
#define PEER_BYTES      5
#define READER_US       30000
#define LINKS_HEARD     32
#define FRAME_BYTES_MAX ((size_t)1 << 20)

/* Letters in the inbox besides those of connections. */
enum { LETTER_FEED_LOST = 32, LETTER_RANGE, LETTER_ANSWER, LETTER_ROOM_OLD };

/* What the reader's thread is asked. */
struct asking {
    struct asking *next;
    struct query *query;
    uint32_t incarnation;
};

struct range_letter {
    struct range range;
    struct event_row rows[];
};

/* What the gateway of a link has acknowledged, by the frames that came. */
struct heard {
    uint64_t link, received;
};

struct sim_broker {
    struct broker broker; /* first: outlet.h hands it back */
    struct world *world;
    struct process process;
    struct settings settings;
    struct asking *asked;
    struct heard heard[LINKS_HEARD]; /* of the newest links */
    size_t heard_next;
    bool room_told[CHATS]; /* that it is old: one letter at a time is on its way */
    bool fresh;
};

static void work(struct world *world, void *owner);

enum err sim_broker_new(struct world *world)
{
    struct sim_broker *self = calloc(1, sizeof *self);
    world->broker = self;
    if (!self)
        return ERR_MEMORY;
    self->world = world;
    self->process = (struct process){.name = "broker", .slow_us = 4000, .work = work, .owner = self};
    self->settings.broker.batch_inputs_max = INPUTS_MAX + 8;
    self->settings.broker.chat_events_kept =
        (uint32_t)chance_between(&world->chance, 1, chance_hit(&world->chance, 500) ? 2 : 10);
    self->broker.settings = &self->settings;
    self->broker.store = world->disk;
    self->broker.core_settings =
        (struct core_settings){.beat_ms = SIM_BEAT_MS,
                               .lease_ms = SIM_LEASE_MS,
                               .run_timeout_ms = SIM_RUN_TIMEOUT_MS,
                               .attempts_max = SIM_ATTEMPTS,
                               .queue_jobs_max = 6,
                               .chat_events_kept = self->settings.broker.chat_events_kept,
                               .rooms_max = 2,
                               .link_window = (uint32_t)chance_between(&world->chance, 1, SIM_WINDOW),
                               .link_batch_bytes = (uint32_t)chance_between(&world->chance, 1, SIM_BATCH_BYTES),
                               .event_bytes_max = SIM_EVENT_BYTES,
                               .max_steps = SIM_STEPS_MAX,
                               .remembered_max = (uint32_t)chance_between(&world->chance, 1, INPUTS_MAX),
                               .save_intermediate_files = chance_hit(&world->chance, 500),
                               .workflows_path = "files",
                               .api_prefix = "/api/v1"};
    self->broker.callers = calloc(INPUTS_MAX + 9, sizeof *self->broker.callers);
    return self->broker.callers ? changes_new(&self->broker.changes) : ERR_MEMORY;
}

static void forget_asked(struct sim_broker *self)
{
    while (self->asked) {
        struct asking *asking = self->asked;
        self->asked = asking->next;
        free(asking->query);
        free(asking);
    }
}

void sim_broker_free(struct world *world)
{
    struct sim_broker *self = world->broker;
    world->broker = NULL;
    if (!self)
        return;
    core_destroy(&self->broker.core);
    changes_destroy(&self->broker.changes);
    effects_fini(&self->broker.effects);
    process_end(&self->process);
    forget_asked(self);
    free(self->broker.callers);
    free(self);
}

struct process *sim_broker_process(struct world *world)
{
    return &world->broker->process;
}

const struct core *sim_broker_core(const struct world *world)
{
    return world->broker->process.up ? world->broker->broker.core : NULL;
}

int64_t sim_broker_outside_progress(const struct world *world, int number, int step)
{
    const struct core *core = sim_broker_core(world);
    const struct chat *chat = core ? chat_find(core, world_chats[number]) : NULL;
    char key[16];
    int64_t pub_seq = 0;
    snprintf(key, sizeof key, "outside/s%d", step);
    for (uint32_t i = 0; chat && i < chat->progress_count; i++) {
        const struct step_progress *progress = &chat->progress[i];
        struct json_members members;
        if (strcmp(progress->key, key) == 0 &&
            json_scan_object(progress->body, progress->len, &members, NULL) == ERR_OK)
            json_member_int(json_members_find(&members, "pub_seq"), &pub_seq);
    }
    return pub_seq;
}

/* ---- life ---- */

static void restart(struct world *world, void *who, uint64_t arg)
{
    (void)who;
    (void)arg;
    sim_broker_start(world);
}

void sim_broker_crash(struct world *world)
{
    struct sim_broker *self = world->broker;
    if (!self->process.up)
        return;
    TRACE(world, "broker dies");
    process_end(&self->process);
    conn_cut_all(world, &self->process);
    for (size_t i = 0; i < world->conn_count; i++)
        world->conns[i]->topic = 0;
    core_destroy(&self->broker.core);
    changes_clear(self->broker.changes);
    effects_clear(&self->broker.effects);
    memset(self->room_told, 0, sizeof self->room_told);
    world_at(world, chance_between(&world->chance, 10, 1500) * 1000, restart, NULL, 0);
}

static void tick(struct world *world, void *who, uint64_t incarnation)
{
    struct sim_broker *self = who;
    if (self->process.incarnation != (uint32_t)incarnation)
        return;
    process_wake(world, &self->process);
    world_at(world, TICK_MS * 1000, tick, self, incarnation);
}

void sim_broker_start(struct world *world)
{
    struct sim_broker *self = world->broker;
    struct fault why;
    if (self->process.up)
        return;
    enum err err = store_open(&self->broker.store, "", &self->broker.term, &why);
    if (err == ERR_OK)
        err = turn_load(&self->broker, &why);
    if (err != ERR_OK) {
        core_destroy(&self->broker.core);
        world_at(world, 500000, restart, NULL, 0);
        return;
    }
    TRACE(world, "broker starts, term %llu", (unsigned long long)self->broker.term);
    self->fresh = true;
    process_start(world, &self->process);
    tick(world, self, self->process.incarnation);
}

/* ---- what leaves ---- */

static void send_to_peer(struct world *world, const struct peer *peer, const struct buf *bytes)
{
    uint32_t generation;
    struct conn *conn = world->conns[peer->id[0]];
    memcpy(&generation, peer->id + 1, sizeof generation);
    if (conn->generation == generation)
        conn_send(world, conn, SIDE_SERVER, bytes->data, bytes->len);
}

static struct heard *heard_of(struct sim_broker *self, uint64_t link)
{
    for (size_t i = 0; i < LINKS_HEARD; i++)
        if (self->heard[i].link == link)
            return &self->heard[i];
    return NULL;
}

static void look_at_window(struct world *world, uint64_t link, const struct buf *bytes)
{
    struct feed_batch batch;
    struct unpack rest;
    struct heard *heard = heard_of(world->broker, link);
    uint32_t window = world->broker->broker.core_settings.link_window;
    if (!heard || feed_batch_read(&batch, &rest, bytes->data, bytes->len) != ERR_OK)
        return;
    if (batch.number == 0) /* its first beat: it begins, perhaps once more */
        heard->received = 0;
    else if (batch.number > heard->received + window)
        world_fail(world, INV_WINDOW,
                   "batch %llu leaves though the gateway has told of %llu only, and the window is %u",
                   (unsigned long long)batch.number, (unsigned long long)heard->received, window);
    else if (batch.count > 0 && batch.number == heard->received + window)
        world_saw(world, INV_WINDOW);
}

static void send_on_link(struct world *world, uint64_t link, const struct buf *bytes)
{
    look_at_window(world, link, bytes);
    if (world_strikes(world, FAULT_FEED_DROP))
        return;
    for (size_t i = 0; i < world->conn_count; i++)
        if (world->conns[i]->kind == CONN_FEED && world->conns[i]->topic == link)
            conn_send(world, world->conns[i], SIDE_SERVER, bytes->data, bytes->len);
}

static void read_record(struct world *world, void *who, uint64_t arg);

/* As query.c refuses what its reader has no room for. */
static void refuse_query(struct sim_broker *self, const struct query *query)
{
    if (query->kind == QUERY_RANGE) {
        struct range range = {
            .link = query->link, .generation = query->generation, .since = query->since, .failed = true};
        memcpy(range.chat, query->chat, sizeof range.chat);
        turn_input(&self->broker, &(struct input){.kind = INPUT_RANGE, .of.range = &range});
        return;
    }
    struct caller caller = {.peer = query->peer};
    memcpy(caller.id, query->id, REQUEST_ID_LEN);
    outlet_refuse(&self->broker, &caller, query->kind == QUERY_JOB_END ? ERR_TIMEOUT : ERR_UNAVAILABLE);
}

static void ask_reader(struct sim_broker *self, struct query **query)
{
    if (world_strikes(self->world, FAULT_READER_FULL)) {
        refuse_query(self, *query);
        return;
    }
    struct asking *asking = malloc(sizeof *asking);
    if (!asking)
        abort();
    *asking = (struct asking){self->asked, *query, self->process.incarnation};
    self->asked = asking;
    *query = NULL;
    world_at(self->world, chance_between(&self->world->chance, 100, READER_US), read_record, asking, 0);
}

static void carry_out(struct sim_broker *self, struct effect *effect)
{
    struct world *world = self->world;
    referee_leaves(world, effect);
    switch (effect->kind) {
    case EFFECT_ANSWER:
    case EFFECT_WORK:
    case EFFECT_PUBLISHED: send_to_peer(world, &effect->peer, &effect->bytes); break;
    case EFFECT_FEED: send_on_link(world, effect->link, &effect->bytes); break;
    case EFFECT_QUERY: ask_reader(self, &effect->query); break;
    case EFFECT_NOTE: TRACE(world, "note: %s %s", effect->note->sentence, effect->note->detail); break;
    case EFFECT_TAP:
    case EFFECT_SWEEP: break;
    }
}

void outlet_release(struct broker *broker)
{
    struct sim_broker *self = (struct sim_broker *)broker;
    for (size_t i = 0; i < broker->effects.count; i++)
        carry_out(self, &broker->effects.list[i]);
    effects_clear(&broker->effects);
}

void outlet_refuse(struct broker *broker, const struct caller *caller, enum err cause)
{
    struct sim_broker *self = (struct sim_broker *)broker;
    struct buf bytes = BUF_INIT(FRAME_BYTES_MAX);
    struct request_frame frame = {
        .kind = REQUEST_ANSWER, .status = cause == ERR_NO_SPACE ? 507 : 503, .body = {"null", 4}};
    memcpy(frame.id, caller->id, REQUEST_ID_LEN);
    if (cause == ERR_TIMEOUT)
        frame.status = 504;
    else if (caller->publisher)
        referee_refuses_event(self->world, &caller->event);
    else
        referee_refuses(self->world, caller->id);
    enum err err =
        caller->publisher ? buf_add_text(&bytes, "{\"error\":\"Not accepted\"}") : request_frame_write(&frame, &bytes);
    if (err == ERR_OK)
        send_to_peer(self->world, &caller->peer, &bytes);
    buf_fini(&bytes);
}

/* ---- the reader's thread ---- */

static void read_range(struct sim_broker *self, const struct query *query)
{
    struct world *world = self->world;
    int number = model_chat_number(query->chat);
    const struct model_chat *chat = number < 0 ? NULL : model_chat(world, number);
    const struct model_history *history = chat && chat->exists ? chat->history : NULL;
    size_t from = (size_t)query->since;
    if (history && from < history->trimmed)
        from = history->trimmed;
    size_t count = history && history->count > from ? history->count - from : 0;
    size_t limit = (size_t)chance_between(&world->chance, 1, query->limit); /* the bound in bytes may come first */
    bool failed = world_strikes(world, FAULT_RANGE_ERROR);
    count = failed ? 0 : count < limit ? count : limit;
    size_t size = sizeof(struct range_letter) + count * sizeof(struct event_row);
    struct range_letter *body = calloc(1, size);
    if (!body)
        abort();
    body->range = (struct range){
        .link = query->link, .generation = query->generation, .since = query->since, .failed = failed, .count = count};
    memcpy(body->range.chat, query->chat, sizeof body->range.chat);
    if (count > 0)
        memcpy(body->rows, history->events + from, count * sizeof *body->rows);
    process_put(world, &self->process, letter_new(LETTER_RANGE, body, size));
    free(body);
}

static void read_answer(struct sim_broker *self, const struct query *query)
{
    char body[JOB_ID_MAX + 20];
    int len = snprintf(body, sizeof body, query->kind == QUERY_JOB_END ? "{\"job_id\":\"%s\"}" : "{}", query->text);
    struct request_frame frame = {.kind = REQUEST_ANSWER, .status = 200, .body = {body, (size_t)len}};
    struct buf bytes = BUF_INIT(FRAME_BYTES_MAX);
    memcpy(frame.id, query->id, REQUEST_ID_LEN);
    if (query->kind == QUERY_JOB_END) {
        const struct model_job *job = model_job(self->world, query->text);
        if (!job || job->gone)
            frame.status = 404;
        else
            frame.status = job->row.status == JOB_COMPLETED ? 200 : job->row.status == JOB_FAILED ? 422 : 409;
        if (world_strikes(self->world, FAULT_ANSWER_ERROR))
            frame.status = 504;
    }
    if (request_frame_write(&frame, &bytes) == ERR_OK) {
        struct letter *letter = letter_new(LETTER_ANSWER, bytes.data, bytes.len);
        letter->conn = self->world->conns[query->peer.id[0]];
        memcpy(&letter->generation, query->peer.id + 1, sizeof letter->generation);
        process_put(self->world, &self->process, letter);
    }
    buf_fini(&bytes);
}

static void read_record(struct world *world, void *who, uint64_t arg)
{
    struct asking *asking = who, **at = &world->broker->asked;
    struct sim_broker *self = world->broker;
    (void)arg;
    if (asking->incarnation == self->process.incarnation && asking->query->kind == QUERY_RANGE)
        read_range(self, asking->query);
    else if (asking->incarnation == self->process.incarnation)
        read_answer(self, asking->query);
    while (*at != asking)
        at = &(*at)->next;
    *at = asking->next;
    free(asking->query);
    free(asking);
}

/* ---- what comes ---- */

void sim_broker_feed_lost(struct world *world, struct conn *conn)
{
    if (conn->topic == 0)
        return;
    struct letter *letter = letter_new(LETTER_FEED_LOST, NULL, 0);
    letter->number = conn->topic;
    conn->topic = 0;
    process_put(world, &world->broker->process, letter);
}

static struct peer peer_of(const struct letter *letter)
{
    struct peer peer = {.len = PEER_BYTES, .id = {letter->conn->index}};
    memcpy(peer.id + 1, &letter->generation, sizeof letter->generation);
    return peer;
}

static void link_input(struct sim_broker *self, enum input_kind kind, uint64_t link)
{
    TRACE(self->world, "broker < link %016llx %s", (unsigned long long)link, kind == INPUT_LINK_OPEN ? "open" : "gone");
    if (kind == INPUT_LINK_OPEN && !heard_of(self, link))
        self->heard[self->heard_next++ % LINKS_HEARD] = (struct heard){.link = link};
    turn_input(&self->broker, &(struct input){.kind = kind, .of.link = link});
}

/* libzmq passes on the first subscription of a topic and the last unsubscription. */
static void take_subscription(struct sim_broker *self, const struct letter *letter)
{
    uint64_t link;
    struct conn *conn = letter->conn;
    if (!feed_topic_parse(letter->bytes, letter->len, &link) || letter->generation != conn->generation ||
        conn->topic == link)
        return;
    if (conn->topic)
        link_input(self, INPUT_LINK_CLOSED, conn->topic);
    conn->topic = link;
    link_input(self, INPUT_LINK_OPEN, link);
}

static void take_request(struct sim_broker *self, const struct letter *letter)
{
    struct request_frame frame;
    struct input input = {.kind = INPUT_REQUEST, .peer = peer_of(letter), .of.request = {.frame = &frame}};
    if (request_frame_read(&frame, letter->bytes, letter->len) != ERR_OK)
        return;
    TRACE(self->world, "broker < request kind %d call %d chat %s attach %llu since %lld n %llu id %02x%02x", frame.kind,
          (int)frame.call, frame.chat, (unsigned long long)frame.attach,
          frame.has_since ? (long long)frame.since : -1LL, (unsigned long long)frame.number, frame.id[0], frame.id[1]);
    if (frame.kind == REQUEST_CALL)
        referee_call_arrives(self->world, &frame);
    struct heard *heard = frame.kind == REQUEST_BEAT ? heard_of(self, frame.link) : NULL;
    if (heard && frame.number > heard->received)
        heard->received = frame.number;
    turn_input(&self->broker, &input);
}

static void take_work(struct sim_broker *self, const struct letter *letter)
{
    static struct work_frame frame;
    struct input input = {.kind = INPUT_WORK, .peer = peer_of(letter), .of.work = &frame};
    if (work_frame_read(&frame, letter->bytes, letter->len) != ERR_OK)
        return;
    TRACE(self->world, "broker < work kind %d worker %.4s what %d token %llu.%llu number %llu free %u tokens %u",
          frame.kind, frame.worker, (int)frame.what, (unsigned long long)frame.token.term,
          (unsigned long long)frame.token.counter, (unsigned long long)frame.number, frame.free_slots,
          frame.token_count);
    referee_work_arrives(self->world, &frame);
    turn_input(&self->broker, &input);
}

static void take_publish(struct sim_broker *self, const struct letter *letter)
{
    size_t len = strlen(letter->bytes);
    struct input input = {.kind = INPUT_OUTSIDE};
    if (letter->kind == CONN_PUBLISH_ACK)
        input.peer = peer_of(letter);
    input.of.outside.chat = (struct bytes){letter->bytes, len};
    input.of.outside.json = (struct bytes){letter->bytes + len + 1, letter->len - len - 1};
    TRACE(self->world, "broker < publish %s %s", letter->bytes, letter->bytes + len + 1);
    turn_input(&self->broker, &input);
}

/* Expiry looks at the record, and its letter takes its time. */
void sim_broker_room_old(struct world *world, int number)
{
    const struct model_chat *chat = model_chat(world, number);
    struct process *self = &world->broker->process;
    if (!chat->exists || !chat->row.room || !self->up || world->broker->room_told[number])
        return;
    world->broker->room_told[number] = true;
    struct letter *letter = letter_new(LETTER_ROOM_OLD, world_chats[number], strlen(world_chats[number]));
    letter->number = chat->row.head;
    referee_room_old(world, number);
    process_put(world, self, letter);
}

static void take_range(struct sim_broker *self, struct letter *letter)
{
    struct range_letter *body = malloc(letter->len);
    if (!body)
        abort();
    memcpy(body, letter->bytes, letter->len);
    body->range.rows = body->rows;
    TRACE(self->world, "broker < range %s since %llu count %zu", body->range.chat,
          (unsigned long long)body->range.since, body->range.count);
    turn_input(&self->broker, &(struct input){.kind = INPUT_RANGE, .of.range = &body->range});
    free(body);
}

static void take(struct sim_broker *self, struct letter *letter)
{
    switch (letter->kind) {
    case CONN_REQUESTS: take_request(self, letter); break;
    case CONN_FEED: take_subscription(self, letter); break;
    case CONN_WORK: take_work(self, letter); break;
    case CONN_PUBLISH:
    case CONN_PUBLISH_ACK: take_publish(self, letter); break;
    case LETTER_FEED_LOST: link_input(self, INPUT_LINK_CLOSED, letter->number); break;
    case LETTER_RANGE: take_range(self, letter); break;
    case LETTER_ROOM_OLD:
        TRACE(self->world, "broker < room %s is old", letter->bytes);
        self->room_told[model_chat_number(letter->bytes)] = false;
        turn_input(&self->broker,
                   &(struct input){.kind = INPUT_ROOM_OLD, .of.room = {.chat = letter->bytes, .head = letter->number}});
        break;
    case LETTER_ANSWER:
        if (letter->conn->generation == letter->generation)
            conn_send(self->world, letter->conn, SIDE_SERVER, letter->bytes, letter->len);
        break;
    }
}

/* The shell reads its sockets one after the other: links before what is asked on them. */
static int place_of(int kind)
{
    return kind == CONN_FEED || kind == LETTER_FEED_LOST ? 0 : kind == CONN_WORK ? 1 : kind == CONN_REQUESTS ? 2 : 3;
}

static void take_all(struct sim_broker *self)
{
    struct letter *letters[INPUTS_MAX];
    size_t count = 0;
    while (count < INPUTS_MAX && (letters[count] = process_take(&self->process)))
        count++;
    for (int place = 0; place < 4; place++)
        for (size_t i = 0; i < count; i++)
            if (place_of(letters[i]->kind) == place)
                take(self, letters[i]);
    for (size_t i = 0; i < count; i++)
        free(letters[i]);
    if (self->process.first)
        process_wake(self->world, &self->process);
}

static void work(struct world *world, void *owner)
{
    struct sim_broker *self = owner;
    struct fault why;
    turn_begin(&self->broker);
    if (self->fresh)
        turn_input(&self->broker, &(struct input){.kind = INPUT_TAP, .of.tapped = world->seed & 1});
    self->fresh = false;
    if (self->broker.now.mono_ms >= self->broker.tick_ms) {
        self->broker.tick_ms = self->broker.now.mono_ms + TICK_MS;
        turn_input(&self->broker, &(struct input){.kind = INPUT_TICK});
    }
    take_all(self);
    if (turn_end(&self->broker, &why) != ERR_OK)
        sim_broker_crash(world);
}
