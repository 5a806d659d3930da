#include "world.h"

#include "clock.h"
#include "log.h"
#include "model_store.h"
#include "net.h"
#include "referee.h"
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_WALL_US  INT64_C(1763800000000000)
#define START_MONO_US  INT64_C(1000000)
#define CALM_US_MAX    (INT64_C(400) * 1000000) /* virtual time in which everything must have come to its end */
#define CALM_STEPS_MAX 200000
#define CALM_CHECK_US  200000
#define FAULT_EVERY_US 50000

struct happening {
    int64_t at_us;
    uint64_t order;
    happening_fn *run;
    void *who;
    uint64_t arg;
};

const char *const world_chats[CHATS] = {"orders", "zones", "zones-2", "room"};

const char *const fault_names[FAULT_KINDS] = {
    [FAULT_BROKER_CRASH] = "broker killed",
    [FAULT_BROKER_PAUSE] = "broker stopped for a while",
    [FAULT_GATEWAY_CRASH] = "gateway killed",
    [FAULT_GATEWAY_PAUSE] = "gateway stopped for a while",
    [FAULT_WORKER_CRASH] = "worker killed",
    [FAULT_WORKER_PAUSE] = "worker stopped for a while",
    [FAULT_WORKER_DRAIN] = "worker drained and started again",
    [FAULT_CLIENT_CRASH] = "client killed, position forgotten",
    [FAULT_CLIENT_PAUSE] = "client reads nothing for a while",
    [FAULT_CUT] = "connection cut",
    [FAULT_STALL] = "connection delayed",
    [FAULT_FEED_DROP] = "feed batch dropped by the socket",
    [FAULT_WALL_JUMP] = "wall clock jumps",
    [FAULT_STANDSTILL] = "machine sleeps for a minute",
    [FAULT_CALLER_GONE] = "REST caller hangs up",
    [FAULT_RETENTION] = "retention takes old events",
    [FAULT_ROOM_OLD] = "a room is found to be old",
    [FAULT_NO_SPACE] = "disk full in a commit",
    [FAULT_COMMIT_REFUSED] = "commit refused by the store",
    [FAULT_CRASH_BEFORE_DISK] = "broker dies in a commit: not on disk",
    [FAULT_CRASH_AFTER_DISK] = "broker dies in a commit: on disk",
    [FAULT_READ_ERROR] = "loading from the record fails",
    [FAULT_RANGE_ERROR] = "reading a range fails",
    [FAULT_ANSWER_ERROR] = "reading the end of a run fails",
    [FAULT_READER_FULL] = "reader has too much to do",
    [FAULT_UPLINK_FULL] = "gateway mailbox full",
    [FAULT_FEED_HELD] = "WebSocket loop takes no batch",
    [FAULT_STEP_KILLED] = "step killed from outside",
    [FAULT_STEP_HANGS] = "step never ends",
    [FAULT_SPOOL_LOST] = "spool of the step before is lost",
    [FAULT_SINCE_FUTURE] = "client asks from a future seq",
    [FAULT_SINCE_OLD] = "client asks from an old seq",
    [FAULT_EPOCH_UNKNOWN] = "client asks with an unknown epoch",
};

const struct invariant_row invariant_rows[INVARIANTS] = {
    [INV_DENSE] = {"seq is dense", "events committed"},
    [INV_JOB_KEPT] = {"no acknowledged job is lost", "jobs acknowledged to callers"},
    [INV_EVENT_KEPT] = {"no acknowledged event is lost", "events acknowledged to publishers"},
    [INV_ONE_TOKEN] = {"at most one valid token per job", "leases granted after another lease of the job"},
    [INV_STALE_TOKEN] = {"a stale token never commits", "events sent under a stale token"},
    [INV_ONE_END] = {"one terminal event per run, final", "runs ended"},
    [INV_CANCEL] = {"cancel is final when committed", "runs cancelled while a worker had them"},
    [INV_ONE_AT_A_TIME] = {"one job of a chat runs at a time", "jobs started while others of the chat waited"},
    [INV_IN_ORDER] = {"jobs of a chat run in order", "jobs started after an earlier one of the chat"},
    [INV_ON_DISK_FIRST] = {"nothing leaves before it is on disk", "frames that left and were compared with the disk"},
    [INV_READS_SEE] = {"the loop reads all that it has written", "reads about what SQLite had not got yet"},
    [INV_ONE_EFFECT] = {"one request id, one effect", "requests that arrived again after their effect"},
    [INV_ONE_KEY] = {"one idempotency key, one chat or run", "keyed requests that came after their key's effect"},
    [INV_KEY_ANSWER] = {"answers under one key agree", "answers that tell what another request of the key did"},
    [INV_KEY_OTHER] = {"a key stands for one request body", "other bodies under a used key refused"},
    [INV_KEY_WAITS] = {"a repeated execute waits for the first", "repeats that came while the run was open"},
    [INV_REFUSED_NEVER] = {"503 and 507: not accepted, and never will be", "calls refused that way"},
    [INV_TRUE_ANSWER] = {"answers tell what is on disk", "answers that reached their caller"},
    [INV_PREFIX] = {"what a client applied is the record's prefix", "events applied by clients"},
    [INV_WINDOW] = {"a link has at most its window under way", "batches that filled the window"},
    [INV_RESUME_SEAMLESS] = {"a resume goes on exactly where it was asked to", "connections resumed with a position"},
    [INV_RESET_TOLD] = {"another history is told by a new connected", "clients told of another epoch"},
    [INV_EPOCHS] = {"two epochs are never applied as one", "restores told to clients that follow the chat"},
    [INV_RESTORED] = {"a restored record is what its dump says", "restores answered"},
    [INV_GAP_TOLD] = {"what retention took is told as a gap", "clients told of a gap"},
    [INV_ROOM_GOES] = {"a room goes only as it was when found old", "rooms that went"},
    [INV_PROGRESS_COMES] = {"faults stop: the newest progress comes", "progress of outside programs' steps seen"},
    [INV_PROGRESS_GROWS] = {"progress never decreases within an attempt", "progress after progress of the same step"},
    [INV_PROGRESS_STAYS] = {"progress never crosses a durable event", "results seen after progress of their step"},
    [INV_CLOSING_FIRST] = {"a live result follows its closing progress", "results sent live"},
    [INV_LEFT_CHAT] = {"nothing of a chat left by subscribe follows", "subscribes to another chat answered"},
    [INV_UNSUBSCRIBED] = {"nothing of a chat follows its unsubscribed", "chats unsubscribed"},
    [INV_ADD_KEEPS] = {"a chat that is added leaves the others as they are", "chats added beside others"},
    [INV_CANCEL_TOLD] = {"a WebSocket cancel is answered by an event or error", "cancels sent by clients"},
    [INV_GOES_ON] = {"a run goes on after its last kept output", "leases that begin in the middle"},
    [INV_TRUSTED] = {"a worker that keeps the protocol is believed", "leases revoked, none for that"},
    [INV_RUN_ENDS] = {"faults stop: every run ends", "runs still open when the faults stopped"},
    [INV_CLIENT_CATCHES_UP] = {"faults stop: every client catches up", "clients behind when the faults stopped"},
    [INV_CALLER_ANSWERED] = {"faults stop: every call is answered", "calls open when the faults stopped"},
    [INV_NOTHING_LEAKS] = {"faults stop: slots, leases and links are as at the start", "worlds compared at their end"},
};

/* ---- what the real code asks of the system ---- */

static struct world *running;

int64_t __wrap_clock_monotonic_ms(void);
int64_t __wrap_clock_wall_us(void);
void __wrap_id_random(void *out, size_t len);
void __wrap_id_sortable(unsigned char out[16]);
uint64_t __wrap_id_u64(void);
void __wrap_log_write(enum log_level level, const char *sentence, ...);

int64_t __wrap_clock_monotonic_ms(void)
{
    return world_mono_ms(running);
}

int64_t __wrap_clock_wall_us(void)
{
    return world_wall_us(running);
}

void __wrap_id_random(void *out, size_t len)
{
    chance_fill(&running->chance, out, len);
}

void __wrap_id_sortable(unsigned char out[16])
{
    chance_fill(&running->chance, out, REQUEST_ID_LEN);
    memcpy(running->last_id, out, REQUEST_ID_LEN);
}

uint64_t __wrap_id_u64(void)
{
    return chance_u64(&running->chance) | 1;
}

void __wrap_log_write(enum log_level level, const char *sentence, ...)
{
    (void)level;
    if (!running->tracing)
        return;
    char text[300];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", sentence);
    va_list pairs;
    va_start(pairs, sentence);
    for (const char *key = va_arg(pairs, const char *); key && len < sizeof text; key = va_arg(pairs, const char *)) {
        const char *value = va_arg(pairs, const char *);
        len += (size_t)snprintf(text + len, sizeof text - len, " %s=%s", key, value ? value : "");
    }
    va_end(pairs);
    world_say(running, "log: %s", text);
}

/* ---- time ---- */

int64_t world_mono_ms(const struct world *self)
{
    return self->now_us / 1000;
}

int64_t world_wall_us(const struct world *self)
{
    return START_WALL_US + self->now_us + self->wall_shift_us;
}

static bool earlier(const struct happening *a, const struct happening *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void swap(struct happening *a, struct happening *b)
{
    struct happening c = *a;
    *a = *b;
    *b = c;
}

void world_at(struct world *self, int64_t delay_us, happening_fn *run, void *who, uint64_t arg)
{
    if (self->heap_len == self->heap_room) {
        self->heap_room = self->heap_room ? self->heap_room * 2 : 256;
        struct happening *heap = realloc(self->heap, self->heap_room * sizeof *heap);
        if (!heap)
            abort();
        self->heap = heap;
    }
    size_t i = self->heap_len++;
    self->heap[i] = (struct happening){self->now_us + delay_us, self->order++, run, who, arg};
    for (; i > 0 && earlier(&self->heap[i], &self->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&self->heap[i], &self->heap[(i - 1) / 2]);
}

static struct happening next_happening(struct world *self)
{
    struct happening first = self->heap[0];
    self->heap[0] = self->heap[--self->heap_len];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < self->heap_len && earlier(&self->heap[child], &self->heap[least]))
                least = child;
        if (least == i)
            return first;
        swap(&self->heap[i], &self->heap[least]);
        i = least;
    }
}

static void step(struct world *self)
{
    struct happening now = next_happening(self);
    self->now_us = now.at_us > self->now_us ? now.at_us : self->now_us;
    self->steps++;
    now.run(self, now.who, now.arg);
}

/* ---- seeing ---- */

void world_say(struct world *self, const char *format, ...)
{
    char *line = self->trace[self->traced++ % TRACE_LINES];
    int len = snprintf(line, sizeof *self->trace, "%11.6f ", (double)self->now_us / 1e6);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + len, sizeof *self->trace - (size_t)len, format, arguments);
    va_end(arguments);
    if (self->trace_all)
        puts(line);
}

void world_fail(struct world *self, enum invariant broken, const char *format, ...)
{
    if (self->failed)
        return;
    self->failed = true;
    self->broken = broken;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->failure, sizeof self->failure, format, arguments);
    va_end(arguments);
    TRACE(self, "BROKEN: %s: %s", invariant_rows[broken].name, self->failure);
}

bool world_strikes(struct world *self, enum fault_kind fault)
{
    if (self->calm || !chance_hit(&self->chance, self->rates[fault]))
        return false;
    self->tally->faults[fault]++;
    TRACE(self, "FAULT %s", fault_names[fault]);
    return true;
}

/* ---- processes ---- */

struct letter *letter_new(int kind, const void *bytes, size_t len)
{
    struct letter *self = malloc(sizeof *self + len + 1);
    if (!self)
        abort();
    *self = (struct letter){.kind = kind, .len = len};
    if (len > 0)
        memcpy(self->bytes, bytes, len);
    self->bytes[len] = '\0';
    return self;
}

static void work(struct world *world, void *who, uint64_t incarnation)
{
    struct process *self = who;
    if (self->incarnation != (uint32_t)incarnation || !self->up)
        return;
    if (self->paused_until_us > world->now_us) {
        world_at(world, self->paused_until_us - world->now_us, work, self, incarnation);
        return;
    }
    self->work_due = false;
    self->work(world, self->owner);
}

void process_wake(struct world *world, struct process *self)
{
    if (self->work_due || !self->up)
        return;
    self->work_due = true;
    world_at(world, chance_between(&world->chance, 0, self->slow_us), work, self, self->incarnation);
}

void process_put(struct world *world, struct process *self, struct letter *letter)
{
    if (!self->up) {
        free(letter);
        return;
    }
    letter->next = NULL;
    if (self->last)
        self->last->next = letter;
    else
        self->first = letter;
    self->last = letter;
    process_wake(world, self);
}

struct letter *process_take(struct process *self)
{
    struct letter *letter = self->first;
    if (!letter)
        return NULL;
    self->first = letter->next;
    if (!self->first)
        self->last = NULL;
    return letter;
}

void process_put_back(struct process *self, struct letter *letters)
{
    struct letter *last = letters;
    if (!letters)
        return;
    while (last->next)
        last = last->next;
    last->next = self->first;
    self->first = letters;
    if (!self->last)
        self->last = last;
}

void process_pause(struct world *world, struct process *self, int64_t us)
{
    int64_t until_us = world->now_us + us;
    if (until_us > self->paused_until_us)
        self->paused_until_us = until_us;
}

void process_end(struct process *self)
{
    struct letter *letter;
    self->up = false;
    self->work_due = false;
    self->incarnation++;
    self->paused_until_us = 0;
    while ((letter = process_take(self)))
        free(letter);
}

void process_start(struct world *world, struct process *self)
{
    self->up = true;
    self->incarnation++;
    process_wake(world, self);
}

/* ---- faults that strike between happenings ---- */

static int64_t pause_us(struct world *self)
{
    return chance_hit(&self->chance, 300) ? chance_between(&self->chance, 1000, 6000) * 1000
                                          : chance_between(&self->chance, 10, 900) * 1000;
}

static void restart_gateway(struct world *world, void *who, uint64_t i)
{
    (void)who;
    sim_gateway_start(world, (int)i);
}

static void restart_worker(struct world *world, void *who, uint64_t i)
{
    (void)who;
    sim_worker_start(world, (int)i);
}

static void restart_client(struct world *world, void *who, uint64_t i)
{
    (void)who;
    sim_client_start(world, (int)i);
}

static struct conn *any_conn(struct world *self)
{
    return self->conns[chance_below(&self->chance, (uint32_t)self->conn_count)];
}

/* Every process stands still; only time goes on. */
static void stand_still(struct world *self)
{
    int64_t us = chance_between(&self->chance, 61, 75) * 1000000;
    process_pause(self, sim_broker_process(self), us);
    for (int i = 0; i < GATEWAYS; i++) {
        process_pause(self, sim_gateway_uplink(self, i), us);
        process_pause(self, sim_gateway_loop(self, i), us);
    }
    for (int i = 0; i < WORKERS; i++)
        process_pause(self, sim_worker_process(self, i), us);
    for (int i = 0; i < CLIENTS; i++)
        process_pause(self, sim_client_process(self, i), us);
}

static void pause_gateway(struct world *self, int i)
{
    int64_t us = pause_us(self);
    process_pause(self, sim_gateway_uplink(self, i), us);
    process_pause(self, sim_gateway_loop(self, i), us);
}

static void strike(struct world *self, enum fault_kind fault)
{
    struct chance *chance = &self->chance;
    int64_t later = pause_us(self);
    int gateway = (int)chance_below(chance, GATEWAYS), worker = (int)chance_below(chance, WORKERS),
        client = (int)chance_below(chance, CLIENTS);
    switch (fault) {
    case FAULT_BROKER_CRASH: sim_broker_crash(self); break;
    case FAULT_BROKER_PAUSE: process_pause(self, sim_broker_process(self), later); break;
    case FAULT_GATEWAY_CRASH:
        sim_gateway_crash(self, gateway);
        world_at(self, later, restart_gateway, NULL, (uint64_t)gateway);
        break;
    case FAULT_GATEWAY_PAUSE: pause_gateway(self, gateway); break;
    case FAULT_WORKER_CRASH:
        sim_worker_crash(self, worker);
        world_at(self, later, restart_worker, NULL, (uint64_t)worker);
        break;
    case FAULT_WORKER_PAUSE: process_pause(self, sim_worker_process(self, worker), later); break;
    case FAULT_WORKER_DRAIN: sim_worker_drain(self, worker); break;
    case FAULT_CLIENT_CRASH:
        sim_client_crash(self, client);
        world_at(self, later, restart_client, NULL, (uint64_t)client);
        break;
    case FAULT_CLIENT_PAUSE: process_pause(self, sim_client_process(self, client), later); break;
    case FAULT_CUT: conn_cut(self, any_conn(self)); break;
    case FAULT_STALL: conn_stall(self, any_conn(self), later); break;
    case FAULT_WALL_JUMP: self->wall_shift_us += chance_between(chance, -20, 20) * 100000; break;
    case FAULT_STANDSTILL: stand_still(self); break;
    case FAULT_RETENTION: model_trim(self, (int)chance_below(chance, CHATS)); break;
    case FAULT_ROOM_OLD: sim_broker_room_old(self, (int)chance_below(chance, CHATS)); break;
    case FAULT_CALLER_GONE: sim_caller_leaves(self, (int)chance_below(chance, CALLERS)); break;
    case FAULT_FEED_DROP:
    case FAULT_NO_SPACE:
    case FAULT_COMMIT_REFUSED:
    case FAULT_CRASH_BEFORE_DISK:
    case FAULT_CRASH_AFTER_DISK:
    case FAULT_READ_ERROR:
    case FAULT_RANGE_ERROR:
    case FAULT_ANSWER_ERROR:
    case FAULT_READER_FULL:
    case FAULT_UPLINK_FULL:
    case FAULT_FEED_HELD:
    case FAULT_STEP_KILLED:
    case FAULT_STEP_HANGS:
    case FAULT_SPOOL_LOST:
    case FAULT_SINCE_FUTURE:
    case FAULT_SINCE_OLD:
    case FAULT_EPOCH_UNKNOWN:
    case FAULT_KINDS: break;
    }
}

static void misfortune(struct world *self, void *who, uint64_t arg)
{
    if (self->calm)
        return;
    for (enum fault_kind fault = 0; fault < FAULT_SCHEDULED; fault++)
        if (fault != FAULT_FEED_DROP && world_strikes(self, fault))
            strike(self, fault);
    world_at(self, FAULT_EVERY_US, misfortune, who, arg);
}

/* Some seeds know few faults and those often, others all of them a little: bugs like combinations. */
static void choose_rates(struct world *self)
{
    static const uint32_t usual[FAULT_KINDS] = {
        [FAULT_BROKER_CRASH] = 15,
        [FAULT_BROKER_PAUSE] = 12,
        [FAULT_GATEWAY_CRASH] = 10,
        [FAULT_GATEWAY_PAUSE] = 12,
        [FAULT_WORKER_CRASH] = 15,
        [FAULT_WORKER_PAUSE] = 25,
        [FAULT_WORKER_DRAIN] = 20,
        [FAULT_CLIENT_CRASH] = 10,
        [FAULT_CLIENT_PAUSE] = 30,
        [FAULT_CUT] = 80,
        [FAULT_STALL] = 60,
        [FAULT_FEED_DROP] = 8,
        [FAULT_WALL_JUMP] = 6,
        [FAULT_STANDSTILL] = 2,
        [FAULT_CALLER_GONE] = 10,
        [FAULT_NO_SPACE] = 20,
        [FAULT_COMMIT_REFUSED] = 15,
        [FAULT_CRASH_BEFORE_DISK] = 8,
        [FAULT_CRASH_AFTER_DISK] = 12,
        [FAULT_READ_ERROR] = 20,
        [FAULT_RANGE_ERROR] = 300,
        [FAULT_ANSWER_ERROR] = 500,
        [FAULT_READER_FULL] = 150,
        [FAULT_UPLINK_FULL] = 30,
        [FAULT_FEED_HELD] = 30,
        [FAULT_STEP_KILLED] = 30,
        [FAULT_STEP_HANGS] = 12,
        [FAULT_RETENTION] = 40,
        [FAULT_ROOM_OLD] = 60,
        [FAULT_SPOOL_LOST] = 60,
        [FAULT_SINCE_FUTURE] = 30,
        [FAULT_SINCE_OLD] = 60,
        [FAULT_EPOCH_UNKNOWN] = 30,
    };
    uint32_t strength = (uint32_t)chance_between(&self->chance, 0, 4), kept = chance_below(&self->chance, 1001);
    for (int i = 0; i < FAULT_KINDS; i++)
        self->rates[i] = chance_hit(&self->chance, kept) ? usual[i] * strength / 2 : 0;
}

/* ---- life ---- */

enum err world_new(struct world **out, uint64_t seed, struct tally *tally, bool tracing, bool trace_all)
{
    struct world *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    running = self;
    self->seed = seed;
    self->now_us = START_MONO_US;
    self->tally = tally;
    self->tracing = tracing;
    self->trace_all = trace_all;
    self->trace = tracing ? calloc(TRACE_LINES, sizeof *self->trace) : NULL;
    chance_init(&self->chance, seed);
    choose_rates(self);
    enum err err = tracing && !self->trace ? ERR_MEMORY : referee_new(&self->referee);
    if (err == ERR_OK)
        err = model_store_new(&self->disk, self);
    if (err == ERR_OK)
        err = sim_broker_new(self);
    for (int i = 0; err == ERR_OK && i < GATEWAYS; i++)
        err = sim_gateway_new(self, i);
    for (int i = 0; err == ERR_OK && i < WORKERS; i++)
        err = sim_worker_new(self, i);
    for (int i = 0; err == ERR_OK && i < CLIENTS; i++)
        err = sim_client_new(self, i);
    for (int i = 0; err == ERR_OK && i < PUBLISHERS; i++)
        err = sim_publisher_new(self, i);
    for (int i = 0; err == ERR_OK && i < CALLERS; i++)
        err = sim_caller_new(self, i);
    return err;
}

void world_destroy(struct world **self_p)
{
    struct world *self = *self_p;
    *self_p = NULL;
    self->stopping = true;
    for (int i = 0; i < CALLERS; i++)
        sim_caller_free(self, i);
    for (int i = 0; i < PUBLISHERS; i++)
        sim_publisher_free(self, i);
    for (int i = 0; i < CLIENTS; i++)
        sim_client_free(self, i);
    for (int i = 0; i < WORKERS; i++)
        sim_worker_free(self, i);
    for (int i = 0; i < GATEWAYS; i++)
        sim_gateway_free(self, i);
    sim_broker_free(self);
    sim_dumps_free(self);
    model_store_free(&self->disk);
    referee_free(&self->referee);
    for (size_t i = 0; i < self->heap_len; i++)
        if (self->heap[i].run == conn_arrive_late)
            free(self->heap[i].who);
    free(self->heap);
    free(self->trace);
    free(self);
}

static void start_all(struct world *self)
{
    sim_broker_start(self);
    for (int i = 0; i < GATEWAYS; i++)
        sim_gateway_start(self, i);
    for (int i = 0; i < WORKERS; i++)
        sim_worker_start(self, i);
    for (int i = 0; i < CLIENTS; i++)
        sim_client_start(self, i);
}

/* Everything runs again: also what stands still for a while yet. */
static int64_t calm_from(struct world *self)
{
    int64_t at = self->now_us;
    const struct process *processes[1 + 2 * GATEWAYS + WORKERS] = {sim_broker_process(self)};
    for (int i = 0; i < GATEWAYS; i++) {
        processes[1 + 2 * i] = sim_gateway_uplink(self, i);
        processes[2 + 2 * i] = sim_gateway_loop(self, i);
    }
    for (int i = 0; i < WORKERS; i++)
        processes[1 + 2 * GATEWAYS + i] = sim_worker_process(self, i);
    for (size_t i = 0; i < sizeof processes / sizeof *processes; i++)
        if (processes[i]->paused_until_us > at)
            at = processes[i]->paused_until_us;
    return at;
}

static void calm_down(struct world *self)
{
    self->calm = true;
    self->calm_us = calm_from(self);
    TRACE(self, "faults stop");
    referee_count_open(self);
    for (size_t i = 0; i < self->conn_count; i++)
        self->conns[i]->stalled_until_us = 0;
    start_all(self); /* those that are up stay as they are */
}

void world_run(struct world *self, uint64_t steps)
{
    world_at(self, FAULT_EVERY_US, misfortune, NULL, 0);
    start_all(self);
    for (int i = 0; i < PUBLISHERS; i++)
        sim_publisher_start(self, i);
    for (int i = 0; i < CALLERS; i++)
        sim_caller_start(self, i);
    while (self->steps < steps && !self->failed)
        step(self);
    if (self->failed)
        return;
    calm_down(self);
    int64_t deadline_us = self->now_us + CALM_US_MAX, check_us = self->now_us;
    uint64_t steps_max = self->steps + CALM_STEPS_MAX;
    const char *open = "nothing was looked at";
    while (!self->failed && open && self->now_us < deadline_us && self->steps < steps_max) {
        step(self);
        if (self->now_us < check_us)
            continue;
        check_us = self->now_us + CALM_CHECK_US;
        open = referee_open(self);
    }
    if (!self->failed && open)
        referee_blame(self, open);
    if (!self->failed)
        referee_last_look(self);
}
