/* A worker: the real lease keeper, and runs that follow a script instead of step processes: they start, tell progress,
 * end well, fail, are killed from outside or hang. Every result names the token it was made under. */
#include "sim.h"

#include "id.h"
#include "lease_keeper.h"
#include "referee.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS           2
#define FRAME_BYTES_MAX ((size_t)1 << 20)
#define DRAIN_MS        250
#define LEAVE_MS        500

enum { LETTER_MADE = 32, LETTER_LOST };

struct run {
    bool used, started, hangs;
    struct token token;
    uint32_t step, count;
    char steps[SIM_STEPS_MAX][ID_UUID_LEN + 1];
    int progress;
    int64_t due_us;
};

enum phase { RUNNING, DRAINING, LEAVING };

struct sim_worker {
    struct world *world;
    int number;
    struct process process;
    struct conn conn;
    struct keeper *keeper;
    bool link_down;
    enum phase phase;
    int64_t phase_ends_ms;
    struct run runs[WORK_TOKENS_MAX];
    struct work_frame frame;
};

static void work(struct world *world, void *owner);

/* ---- the connection ---- */

static void made(struct world *world, struct conn *conn)
{
    struct sim_worker *self = conn->owner;
    process_put(world, &self->process, letter_new(LETTER_MADE, NULL, 0));
}

static void broken(struct world *world, struct conn *conn)
{
    struct sim_worker *self = conn->owner;
    process_put(world, &self->process, letter_new(LETTER_LOST, NULL, 0));
}

static void send_frames(struct sim_worker *self)
{
    struct world *world = self->world;
    while (!self->link_down && keeper_next(self->keeper, world_mono_ms(world), &self->frame)) {
        struct buf bytes = BUF_INIT(FRAME_BYTES_MAX);
        enum err err = work_frame_write(&self->frame, &bytes);
        self->link_down = err != ERR_OK || !conn_send(world, &self->conn, SIDE_CLIENT, bytes.data, bytes.len);
        buf_fini(&bytes);
    }
}

/* ---- runs ---- */

static struct run *run_of(struct sim_worker *self, struct token token)
{
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        if (self->runs[i].used && memcmp(&self->runs[i].token, &token, sizeof token) == 0)
            return &self->runs[i];
    return NULL;
}

static size_t running(const struct sim_worker *self)
{
    size_t count = 0;
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        count += self->runs[i].used;
    return count;
}

static void wake(struct world *world, void *who, uint64_t incarnation)
{
    struct sim_worker *self = who;
    if (self->process.incarnation == (uint32_t)incarnation)
        process_wake(world, &self->process);
}

static void wake_in(struct sim_worker *self, int64_t us)
{
    world_at(self->world, us, wake, self, self->process.incarnation);
}

static void due_in(struct sim_worker *self, struct run *run, int64_t least_ms, int64_t most_ms)
{
    int64_t us = chance_between(&self->world->chance, least_ms, most_ms) * 1000;
    run->due_us = self->world->now_us + us;
    wake_in(self, us);
}

static void record(struct sim_worker *self, struct run *run, enum work_what what, const char *event, const char *detail)
{
    struct bytes e = {event, strlen(event)}, d = {detail, strlen(detail)};
    if (keeper_record(self->keeper, run->token, what, e, d) != ERR_OK)
        run->used = false;
}

static void end_run(struct sim_worker *self, struct run *run)
{
    keeper_finish(self->keeper, run->token);
    run->used = false;
}

static void fail_run(struct sim_worker *self, struct run *run, const char *kind)
{
    char event[200], detail[200];
    snprintf(event, sizeof event, "{\"step_id\":\"%s\",\"progress\":%d}", run->steps[run->step],
             run->progress > 99 ? 99 : run->progress);
    snprintf(detail, sizeof detail, "{\"index\":%u,\"message\":\"it went wrong\",\"kind\":\"%s\"}", run->step, kind);
    record(self, run, WORK_STEP_FAILED, event, detail);
    end_run(self, run);
}

static void start_step(struct sim_worker *self, struct run *run)
{
    char event[200], detail[64];
    snprintf(event, sizeof event, "{\"step_id\":\"%s\",\"operation\":\"o\",\"message\":\"on it\"}",
             run->steps[run->step]);
    snprintf(detail, sizeof detail, "{\"index\":%u}", run->step);
    record(self, run, WORK_STEP_STARTED, event, detail);
    run->started = true;
    run->progress = 0;
    run->hangs = world_strikes(self->world, FAULT_STEP_HANGS);
    due_in(self, run, 1, 150);
}

static void tell_progress(struct sim_worker *self, struct run *run)
{
    char event[200], detail[64];
    run->progress += (int)chance_between(&self->world->chance, 0, 40);
    int progress = run->progress > 99 ? 99 : run->progress;
    snprintf(event, sizeof event, "{\"step_id\":\"%s\",\"operation\":\"o\",\"progress\":%d,\"message\":\"%d %%\"}",
             run->steps[run->step], progress, progress);
    snprintf(detail, sizeof detail, "{\"index\":%u}", run->step);
    record(self, run, WORK_PROGRESS, event, detail);
    due_in(self, run, 1, 150);
}

static void finish_step(struct sim_worker *self, struct run *run)
{
    char event[200], detail[700], by[64], spool[200] = "null";
    snprintf(by, sizeof by, "%" PRIu64 ".%" PRIu64, run->token.term, run->token.counter);
    if (run->step + 1 < run->count && chance_hit(&self->world->chance, 900))
        snprintf(spool, sizeof spool, "{\"name\":\"s%u\",\"key\":\"k/%s/s%u\",\"bytes\":9}", run->step, by, run->step);
    snprintf(event, sizeof event, "{\"step_id\":\"%s\",\"operation\":\"o\"}", run->steps[run->step]);
    snprintf(detail, sizeof detail,
             "{\"index\":%u,\"file\":{\"name\":\"out%u.csv\",\"key\":\"k/%s/%u\",\"bytes\":7},\"spool\":%s,"
             "\"stem_of\":\"a.csv\",\"result\":{\"by\":\"%s\"}}",
             run->step, run->step, by, run->step, spool, by);
    record(self, run, WORK_STEP_DONE, event, detail);
    run->started = false;
    if (++run->step < run->count) {
        due_in(self, run, 0, 20);
        return;
    }
    if (run->used)
        record(self, run, WORK_RUN_DONE, "{}", "{}");
    end_run(self, run);
}

static void go_on(struct sim_worker *self, struct run *run)
{
    struct chance *chance = &self->world->chance;
    if (!run->started)
        start_step(self, run);
    else if (run->hangs)
        run->due_us = INT64_MAX;
    else if (run->step > 0 && run->progress == 0 && world_strikes(self->world, FAULT_SPOOL_LOST))
        fail_run(self, run, "input");
    else if (world_strikes(self->world, FAULT_STEP_KILLED))
        fail_run(self, run, "lost");
    else if (chance_hit(chance, 550))
        tell_progress(self, run);
    else if (chance_hit(chance, 60))
        fail_run(self, run, chance_hit(chance, 500) ? "user" : "server");
    else
        finish_step(self, run);
}

static bool read_job(struct run *run, struct bytes body)
{
    json_t *job = json_loadb(body.at, body.len, 0, NULL), *steps = json_object_get(job, "steps");
    run->step = (uint32_t)json_integer_value(json_object_get(job, "first_step"));
    run->count = (uint32_t)json_array_size(steps);
    bool fits = job && run->count <= SIM_STEPS_MAX && run->step < run->count;
    for (uint32_t i = 0; fits && i < run->count; i++) {
        const char *id = json_string_value(json_object_get(json_array_get(steps, i), "step_id"));
        snprintf(run->steps[i], sizeof run->steps[i], "%s", id ? id : "");
    }
    json_decref(job);
    return fits;
}

static void start_job(struct sim_worker *self)
{
    struct run *run = self->runs;
    if (self->phase != RUNNING) {
        keeper_give_back(self->keeper, self->frame.token);
        return;
    }
    while (run->used)
        run++;
    *run = (struct run){.used = true, .token = self->frame.token};
    if (!read_job(run, self->frame.body)) {
        world_fail(self->world, INV_GOES_ON, "a job that cannot be read: %.*s", (int)self->frame.body.len,
                   self->frame.body.at);
        return;
    }
    due_in(self, run, 0, 10);
}

/* ---- one turn ---- */

static void take_frame(struct sim_worker *self)
{
    struct run *run;
    switch (keeper_take(self->keeper, &self->frame, world_mono_ms(self->world))) {
    case KEEPER_NOTHING:
    case KEEPER_READY:
    case KEEPER_ODD: break;
    case KEEPER_JOB: start_job(self); break;
    case KEEPER_LOST:
        run = run_of(self, self->frame.token);
        if (run)
            run->used = false;
        break;
    }
}

static void take(struct sim_worker *self, const struct letter *letter)
{
    switch (letter->kind) {
    case LETTER_MADE:
        if (self->link_down)
            keeper_connected(self->keeper, world_mono_ms(self->world));
        self->link_down = false;
        break;
    case LETTER_LOST: self->link_down = true; break;
    case CONN_WORK:
        if (work_frame_read(&self->frame, letter->bytes, letter->len) == ERR_OK) {
            TRACE(self->world, "worker %d < kind %d token %llu.%llu number %llu", self->number, self->frame.kind,
                  (unsigned long long)self->frame.token.term, (unsigned long long)self->frame.token.counter,
                  (unsigned long long)self->frame.number);
            take_frame(self);
        }
        break;
    }
}

static void restart(struct world *world, void *who, uint64_t i)
{
    (void)who;
    sim_worker_start(world, (int)i);
}

static void leave(struct sim_worker *self)
{
    keeper_leave(self->keeper);
    send_frames(self);
    /* The socket lingers: what was said still arrives. */
    TRACE(self->world, "worker %d has drained", self->number);
    struct letter *letter;
    while ((letter = self->conn.pipes[SIDE_CLIENT].first)) {
        self->conn.pipes[SIDE_CLIENT].first = letter->next;
        process_put(self->world, self->conn.server, letter);
    }
    self->conn.pipes[SIDE_CLIENT].last = NULL;
    sim_worker_crash(self->world, self->number);
    world_at(self->world, chance_between(&self->world->chance, 10, 800) * 1000, restart, NULL, (uint64_t)self->number);
}

static void tick_phase(struct sim_worker *self)
{
    bool idle = running(self) == 0 && keeper_held(self->keeper) == 0;
    bool over = world_mono_ms(self->world) >= self->phase_ends_ms;
    if (self->phase == DRAINING && over && !idle) {
        for (size_t i = 0; i < WORK_TOKENS_MAX; i++) {
            if (self->runs[i].used)
                keeper_give_back(self->keeper, self->runs[i].token);
            self->runs[i].used = false;
        }
        self->phase = LEAVING;
        self->phase_ends_ms = world_mono_ms(self->world) + LEAVE_MS;
        wake_in(self, LEAVE_MS * 1000);
        return;
    }
    if (self->phase != RUNNING && (idle || over))
        leave(self);
}

static void work(struct world *world, void *owner)
{
    struct sim_worker *self = owner;
    struct letter *letter;
    while ((letter = process_take(&self->process))) {
        take(self, letter);
        free(letter);
    }
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        if (self->runs[i].used && self->runs[i].due_us <= world->now_us)
            go_on(self, &self->runs[i]);
    send_frames(self);
    tick_phase(self);
}

static void timer(struct world *world, void *who, uint64_t incarnation)
{
    struct sim_worker *self = who;
    if (self->process.incarnation != (uint32_t)incarnation)
        return;
    process_wake(world, &self->process);
    int wait = self->link_down ? SIM_BEAT_MS : keeper_wait_ms(self->keeper, world_mono_ms(world));
    world_at(world, (wait > 20 ? wait : 20) * 1000, timer, self, incarnation);
}

/* ---- life ---- */

enum err sim_worker_new(struct world *world, int i)
{
    struct sim_worker *self = calloc(1, sizeof *self);
    world->workers[i] = self;
    if (!self)
        return ERR_MEMORY;
    self->world = world;
    self->number = i;
    self->process = (struct process){.name = "worker", .slow_us = 1000, .work = work, .owner = self};
    self->conn = (struct conn){.kind = CONN_WORK,
                               .client = &self->process,
                               .server = sim_broker_process(world),
                               .owner = self,
                               .made = made,
                               .broken = broken};
    conn_join(world, &self->conn);
    return ERR_OK;
}

void sim_worker_free(struct world *world, int i)
{
    struct sim_worker *self = world->workers[i];
    world->workers[i] = NULL;
    if (!self)
        return;
    process_end(&self->process);
    if (self->keeper)
        keeper_destroy(&self->keeper);
    conn_fini(&self->conn);
    free(self);
}

struct process *sim_worker_process(struct world *world, int i)
{
    return &world->workers[i]->process;
}

void sim_worker_start(struct world *world, int i)
{
    struct sim_worker *self = world->workers[i];
    char id[ID_HEX_LEN + 1];
    if (self->process.up)
        return;
    snprintf(id, sizeof id, "%016llx", (unsigned long long)chance_u64(&world->chance));
    if (keeper_new(&self->keeper, id, SLOTS, SIM_BEAT_MS) != ERR_OK)
        abort();
    memset(self->runs, 0, sizeof self->runs);
    self->link_down = true;
    self->phase = RUNNING;
    process_start(world, &self->process);
    conn_want(world, &self->conn);
    timer(world, self, self->process.incarnation);
}

void sim_worker_crash(struct world *world, int i)
{
    struct sim_worker *self = world->workers[i];
    if (!self->process.up)
        return;
    TRACE(world, "worker %d ends", i);
    process_end(&self->process);
    conn_cut_all(world, &self->process);
    keeper_destroy(&self->keeper);
}

void sim_worker_drain(struct world *world, int i)
{
    struct sim_worker *self = world->workers[i];
    if (!self->process.up || self->phase != RUNNING)
        return;
    TRACE(world, "worker %d drains", i);
    keeper_drain(self->keeper);
    int64_t patience_ms = chance_between(&world->chance, 0, DRAIN_MS);
    self->phase = DRAINING;
    self->phase_ends_ms = world_mono_ms(world) + patience_ms;
    process_wake(world, &self->process);
    wake_in(self, patience_ms * 1000);
}

uint32_t sim_worker_slots(const struct world *world, int i)
{
    const struct sim_worker *self = world->workers[i];
    return self->process.up && self->phase == RUNNING ? SLOTS : 0;
}

size_t sim_worker_held(const struct world *world, int i)
{
    const struct sim_worker *self = world->workers[i];
    return self->process.up ? keeper_held(self->keeper) : 0;
}
