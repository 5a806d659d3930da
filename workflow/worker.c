#include "worker.h"

#include "broker_link.h"
#include "clock.h"
#include "id.h"
#include "lease_keeper.h"
#include "log.h"
#include "runner.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define FRAMES_PER_TURN 64  /* so that steps and beats get their turn beside a talkative broker */
#define WORKER_DIGITS   16  /* of the worker's id */
#define LAST_WORDS_MS   500 /* after the drain: for handing jobs back */

enum worker_phase {
    WORKER_RUNNING,
    WORKER_DRAINING, /* no new jobs; running ones may end */
    WORKER_LEAVING,  /* running ones are handed back; waiting for the broker's ACKs */
    WORKER_LEFT,
};

/* Items of the poll before the runners' pipes. */
enum { POLL_LINK, POLL_MONITOR, POLL_ZYGOTE, POLL_STOP, POLL_RUNNERS };

struct worker {
    const struct settings *settings;
    struct zygote *zygote;
    int stop_fd;
    void *context;
    struct broker_link *link;
    bool link_down; /* no broker is connected: wait until the socket can send */
    struct keeper *keeper;
    struct files *files;
    uint64_t processes;
    enum worker_phase phase;
    int64_t phase_ends_ms;
    struct runner *runners[WORK_TOKENS_MAX]; /* NULL = free */
    struct work_frame frame;                 /* too large for the stack's taste */
    zmq_pollitem_t items[POLL_RUNNERS + WORK_TOKENS_MAX];
    size_t polled[WORK_TOKENS_MAX]; /* the runner behind each item */
};

enum err worker_new(struct worker **out, const struct settings *settings, struct zygote *zygote, int stop_fd,
                    struct fault *why)
{
    char id[ID_HEX_LEN + 1];
    struct worker *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory for a worker");
    self->settings = settings;
    self->zygote = zygote;
    self->stop_fd = stop_fd;
    id_hex(id, WORKER_DIGITS);
    enum err err = keeper_new(&self->keeper, id, settings->workflow.slots, settings->wire.beat_ms);
    if (err != ERR_OK)
        return fault_set(why, err, "no memory for leases");
    err = files_open_folder(&self->files, settings->chat_workflows.storage.workflows_path, why);
    if (err != ERR_OK)
        return err;
    self->context = zmq_ctx_new();
    if (!self->context)
        return fault_errno(why, "cannot start ZeroMQ");
    return broker_link_open(&self->link, self->context, settings, why);
}

void worker_destroy(struct worker **self_p)
{
    struct worker *self = *self_p;
    if (self) {
        for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
            runner_destroy(&self->runners[i]);
        broker_link_close(&self->link);
        if (self->context)
            zmq_ctx_term(self->context);
        files_close(&self->files);
        keeper_destroy(&self->keeper);
    }
    free(self);
    *self_p = NULL;
}

/* --- jobs --- */

static enum err record(void *context, struct token token, enum work_what what, struct bytes event, struct bytes detail)
{
    struct worker *self = context;
    enum err err = keeper_record(self->keeper, token, what, event, detail);
    if (err == ERR_FULL || err == ERR_MEMORY)
        log_warning("lease given up: too many events wait for the broker", "token", LOG_NUMBER(token.counter), NULL);
    return err;
}

static struct runner **free_place(struct worker *self)
{
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        if (!self->runners[i])
            return &self->runners[i];
    return NULL;
}

/* A job that came although we cannot take it. Only a draining worker may give it back for nothing. */
static void refuse(struct worker *self, struct token token)
{
    static const char event[] = "{\"message\":\"The worker has no room\"}";
    static const char detail[] = "{\"message\":\"The worker has no room\",\"kind\":\"lost\"}";
    if (self->phase != WORKER_RUNNING) {
        keeper_give_back(self->keeper, token);
        return;
    }
    enum err ignored = record(self, token, WORK_STEP_FAILED, (struct bytes){.at = event, .len = sizeof event - 1},
                              (struct bytes){.at = detail, .len = sizeof detail - 1});
    (void)ignored; /* the lease is over either way */
    keeper_finish(self->keeper, token);
}

static void start_job(struct worker *self, const struct work_frame *frame)
{
    struct runner_tools tools = {.settings = self->settings,
                                 .files = self->files,
                                 .zygote = self->zygote,
                                 .processes = &self->processes,
                                 .record = record,
                                 .context = self};
    struct runner **place = free_place(self);
    if (!place || self->phase != WORKER_RUNNING ||
        runner_new(place, &tools, frame->token, frame->body, clock_monotonic_ms()) != ERR_OK)
        refuse(self, frame->token);
}

static void stop_job(struct worker *self, struct token token)
{
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++) {
        struct runner *runner = self->runners[i];
        if (!runner || runner_token(runner).term != token.term || runner_token(runner).counter != token.counter)
            continue;
        log_info("job revoked", "token", LOG_NUMBER(token.counter), NULL);
        runner_stop(runner);
    }
}

static size_t running(const struct worker *self)
{
    size_t count = 0;
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        count += self->runners[i] != NULL;
    return count;
}

/* --- the broker --- */

static void take_frame(struct worker *self)
{
    switch (keeper_take(self->keeper, &self->frame, clock_monotonic_ms())) {
    case KEEPER_NOTHING: break;
    case KEEPER_READY:
        log_info("worker ready", "slots", LOG_NUMBER(self->settings->workflow.slots), "term",
                 LOG_NUMBER(keeper_term(self->keeper)), NULL);
        break;
    case KEEPER_JOB: start_job(self, &self->frame); break;
    case KEEPER_LOST: stop_job(self, self->frame.token); break;
    case KEEPER_ODD: log_warning("unexpected frame from the broker", "kind", LOG_NUMBER(self->frame.kind), NULL);
    }
}

static void take_frames(struct worker *self)
{
    for (int i = 0; i < FRAMES_PER_TURN; i++) {
        enum err err = broker_link_receive(self->link, &self->frame);
        if (err == ERR_END)
            return;
        if (err == ERR_OK)
            take_frame(self);
        else
            log_warning("unreadable frame from the broker", NULL);
    }
}

/* For container health checks: the file's time is that of the last beat an open link took. */
static void show_beat(const struct worker *self)
{
    const char *path = self->settings->workflow.beat_file;
    if (!path[0])
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || futimens(fd, NULL) != 0)
        log_warning("the beat file cannot be touched", "path", path, NULL);
    if (fd >= 0)
        close(fd);
}

static void send_frames(struct worker *self, int64_t now_ms)
{
    while (!self->link_down && keeper_next(self->keeper, now_ms, &self->frame)) {
        self->link_down = broker_link_send(self->link, &self->frame) != ERR_OK;
        if (!self->link_down && self->frame.kind == WORK_BEAT)
            show_beat(self);
    }
}

/* --- one turn of the loop --- */

static void take_exits(struct worker *self)
{
    struct zygote_exit end;
    enum err err;
    while ((err = zygote_next(self->zygote, &end)) == ERR_OK)
        for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
            if (self->runners[i] && runner_exited(self->runners[i], &end, clock_monotonic_ms()))
                break;
    if (err == ERR_UNAVAILABLE)
        self->phase = WORKER_LEFT;
}

static void tick_runners(struct worker *self, int64_t now_ms)
{
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++) {
        struct runner *runner = self->runners[i];
        if (!runner)
            continue;
        runner_tick(runner, now_ms);
        if (!runner_ended(runner))
            continue;
        keeper_finish(self->keeper, runner_token(runner));
        runner_destroy(&self->runners[i]);
    }
}

static void hear_stop(struct worker *self, int64_t now_ms)
{
    char bytes[1024];
    while (read(self->stop_fd, bytes, sizeof bytes) > 0)
        ;
    if (self->phase == WORKER_RUNNING) {
        log_info("worker drains", "jobs", LOG_NUMBER(running(self)), NULL);
        keeper_drain(self->keeper);
        self->phase = WORKER_DRAINING;
        self->phase_ends_ms = now_ms + (int64_t)self->settings->workflow.drain_seconds * 1000;
    } else {
        self->phase_ends_ms = now_ms; /* told twice: at once */
    }
}

static void give_back_all(struct worker *self)
{
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++) {
        if (!self->runners[i])
            continue;
        log_info("job handed back", "token", LOG_NUMBER(runner_token(self->runners[i]).counter), NULL);
        keeper_give_back(self->keeper, runner_token(self->runners[i]));
        runner_stop(self->runners[i]);
    }
}

static void tick_phase(struct worker *self, int64_t now_ms)
{
    bool idle = running(self) == 0 && keeper_held(self->keeper) == 0;
    bool over = now_ms >= self->phase_ends_ms;
    switch (self->phase) {
    case WORKER_DRAINING:
        if (idle) {
            self->phase = WORKER_LEFT;
        } else if (over) {
            give_back_all(self);
            self->phase = WORKER_LEAVING;
            self->phase_ends_ms = now_ms + LAST_WORDS_MS;
        }
        break;
    case WORKER_LEAVING:
        if (idle || over)
            self->phase = WORKER_LEFT;
        break;
    case WORKER_RUNNING:
    case WORKER_LEFT: break;
    }
}

static int shorter(int64_t a, int64_t b)
{
    int64_t least = a < b ? a : b;
    return least < 0 ? 0 : (int)least;
}

static int next_wait(const struct worker *self, int64_t now_ms)
{
    int wait = self->link_down ? (int)self->settings->wire.beat_ms : keeper_wait_ms(self->keeper, now_ms);
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        if (self->runners[i])
            wait = shorter(wait, runner_wait_ms(self->runners[i], now_ms));
    if (self->phase != WORKER_RUNNING)
        wait = shorter(wait, self->phase_ends_ms - now_ms);
    return wait;
}

static int fill_items(struct worker *self)
{
    int count = POLL_RUNNERS;
    self->items[POLL_LINK] = (zmq_pollitem_t){.socket = broker_link_socket(self->link),
                                              .events = (short)(ZMQ_POLLIN | (self->link_down ? ZMQ_POLLOUT : 0))};
    self->items[POLL_MONITOR] = (zmq_pollitem_t){.socket = broker_link_monitor(self->link), .events = ZMQ_POLLIN};
    self->items[POLL_ZYGOTE] = (zmq_pollitem_t){.fd = zygote_fd(self->zygote), .events = ZMQ_POLLIN};
    self->items[POLL_STOP] = (zmq_pollitem_t){.fd = self->stop_fd, .events = ZMQ_POLLIN};
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++) {
        if (!self->runners[i] || runner_report_fd(self->runners[i]) < 0)
            continue;
        self->polled[count - POLL_RUNNERS] = i;
        self->items[count++] = (zmq_pollitem_t){.fd = runner_report_fd(self->runners[i]), .events = ZMQ_POLLIN};
    }
    return count;
}

/* Reports before exits: a process's last words are read while its runner still waits for them. */
static void serve_items(struct worker *self, int count)
{
    int64_t now_ms = clock_monotonic_ms();
    for (int i = POLL_RUNNERS; i < count; i++)
        if (self->items[i].revents)
            runner_readable(self->runners[self->polled[i - POLL_RUNNERS]], now_ms);
    if (self->items[POLL_ZYGOTE].revents)
        take_exits(self);
    if (self->items[POLL_STOP].revents)
        hear_stop(self, now_ms);
    if (self->link_down && self->items[POLL_LINK].revents & ZMQ_POLLOUT) {
        self->link_down = false;
        keeper_connected(self->keeper, now_ms);
    }
    if (self->items[POLL_MONITOR].revents && broker_link_lost(self->link)) {
        log_info("broker is away", NULL);
        self->link_down = true; /* nothing is said before it is greeted again: events stay in order */
    }
    if (self->items[POLL_LINK].revents & ZMQ_POLLIN)
        take_frames(self);
}

static enum err check_helper(struct worker *self, struct fault *why)
{
    struct zygote_exit end;
    enum err err;
    do
        err = zygote_next(self->zygote, &end);
    while (err == ERR_OK);
    if (err != ERR_UNAVAILABLE)
        return ERR_OK;
    return fault_set(why, ERR_INTERNAL, "the helper process that starts steps has died");
}

enum err worker_run(struct worker *self, struct fault *why)
{
    for (;;) {
        int64_t now_ms = clock_monotonic_ms();
        tick_runners(self, now_ms);
        send_frames(self, now_ms);
        tick_phase(self, now_ms);
        if (self->phase == WORKER_LEFT)
            break;
        int count = fill_items(self);
        if (zmq_poll(self->items, count, next_wait(self, now_ms)) < 0 && zmq_errno() != EINTR)
            return fault_set(why, ERR_INTERNAL, "cannot wait for messages: %s", zmq_strerror(zmq_errno()));
        serve_items(self, count);
    }
    enum err err = check_helper(self, why);
    if (err != ERR_OK)
        keeper_drain(self->keeper); /* its steps died with it: their jobs can go on elsewhere at once */
    send_frames(self, clock_monotonic_ms());
    keeper_leave(self->keeper);
    send_frames(self, clock_monotonic_ms());
    log_info("worker stopped", NULL);
    return err;
}
