#include "core/lease.h"

#include "core/execution.h"
#include "core/note.h"
#include "json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SET_BACKS_MAX 16 /* of one run; beyond, whatever loses them is not going to stop */
#define REST_FIRST_MS 250
#define REST_MAX_MS   30000

struct job *lease_find(const struct core *core, const struct token *token)
{
    return strmap_get(core->leases, token, sizeof *token);
}

static void hold(struct core *core, struct job *job)
{
    enum err err = strmap_put(core->leases, &job->token, sizeof job->token, job, NULL);
    if (err != ERR_OK)
        core_fail(core, err);
    job->phase = JOB_LEASED;
    job->lease_until_ms = core->now.mono_ms + core->settings.lease_ms;
    job_activate(core, job);
}

void lease_end(struct core *core, struct job *job)
{
    if (job->phase != JOB_LEASED)
        return;
    strmap_take(core->leases, &job->token, sizeof job->token);
    if (job->worker) {
        job->worker->leased--;
        if (job->worker->free_slots < job->worker->slots)
            job->worker->free_slots++;
    }
    job->worker = NULL;
    job->phase = JOB_RESTING;
}

void lease_restore(struct core *core, struct job *job)
{
    job->unheard = true;
    hold(core, job);
}

void lease_renew(struct core *core, struct job *job, struct worker *worker)
{
    if (job->worker != worker && worker) {
        if (job->worker)
            job->worker->leased--;
        job->worker = worker;
        worker->leased++;
    }
    job->lease_until_ms = core->now.mono_ms + core->settings.lease_ms;
}

static void send_work(struct core *core, const struct peer *peer, const struct work_frame *frame)
{
    struct effect *effect = core_effect(core, EFFECT_WORK);
    if (!effect)
        return;
    effect->peer = *peer;
    enum err err = work_frame_write(frame, &effect->bytes);
    if (err != ERR_OK)
        core_fail(core, err);
}

void lease_revoke(struct core *core, const struct peer *peer, const struct token *token, const char *reason)
{
    struct work_frame frame = {.kind = WORK_REVOKE, .token = *token, .body = {reason, strlen(reason)}};
    send_work(core, peer, &frame);
}

void lease_grant(struct core *core, struct job *job, struct worker *worker)
{
    bool fresh = !job->handed_back || job->unheard;
    job->attempts += fresh;
    job->set_back +=
        fresh && job->handed_back; /* costs nothing; the number is another one, so progress may begin anew */
    job->handed_back = job->unheard = false;
    job->token = (struct token){core->term, ++core->counter};
    job->last_number = 0;
    hold(core, job);
    job->worker = worker;
    worker->leased++;
    worker->free_slots--;
    execution_lease(core, job, fresh);
    note_write(core, false, "job handed out", job, worker->id, NULL);
    struct buf body = BUF_INIT((size_t)64 << 20);
    enum err err = execution_write_job(core, job, &body);
    if (err != ERR_OK)
        core_fail(core, err);
    struct work_frame frame = {.kind = WORK_JOB, .token = job->token, .body = {body.data, body.len}};
    send_work(core, &worker->peer, &frame);
    buf_fini(&body);
}

/* Half of it is drawn by lot, so that jobs that were lost together do not come back together. */
static int64_t rest_ms(struct core *core, uint32_t attempts)
{
    int64_t ms = REST_FIRST_MS;
    while (attempts-- > 1 && ms < REST_MAX_MS)
        ms *= 2;
    ms = ms < REST_MAX_MS ? ms : REST_MAX_MS;
    uint32_t lot;
    core_random(core, &lot, sizeof lot);
    return ms / 2 + (int64_t)(lot % (uint64_t)(ms / 2 + 1));
}

void lease_lost(struct core *core, struct job *job, const char *cause)
{
    note_write(core, true, "attempt lost", job, job->worker ? job->worker->id : NULL, cause);
    lease_end(core, job);
    if (job_next_step(job) == job->step_count) {
        execution_complete(core, job); /* only its last word was missing */
        return;
    }
    uint32_t counted = job->attempts - job->set_back;
    if (counted >= core->settings.attempts_max) {
        char reason[200];
        snprintf(reason, sizeof reason, "%s (attempt %" PRIu32 " of %" PRIu32 ")", cause, counted,
                 core->settings.attempts_max);
        execution_fail(core, job, reason, true);
        return;
    }
    job->due_ms = core->now.mono_ms + rest_ms(core, job->attempts);
}

bool lease_set_back(struct core *core, struct job *job, const char *cause)
{
    if (job->set_back >= SET_BACKS_MAX || !execution_step_back(core, job))
        return false;
    note_write(core, true, "run goes back: what a step had kept is lost", job, job->worker ? job->worker->id : NULL,
               cause);
    lease_end(core, job);
    job->set_back++;
    job_put(core, job);
    job->due_ms = core->now.mono_ms + rest_ms(core, job->set_back);
    return true;
}

void lease_back(struct core *core, struct job *job)
{
    note_write(core, false, "job handed back", job, job->worker ? job->worker->id : NULL, NULL);
    uint32_t i = job_next_step(job);
    lease_end(core, job);
    job->handed_back = true;
    if (i < job->step_count)
        job_put_step(core, job, i); /* the same attempt goes on, also for a memory that is built anew meanwhile */
    job->due_ms = core->now.mono_ms;
    turns_join(&core->turns, &job->chat->turn);
}

static void tick_job(struct core *core, struct job *job)
{
    int64_t ran_ms = (core->now.wall_us - job->started_us) / 1000;
    if (job->started_us > 0 && ran_ms > core->settings.run_timeout_ms) {
        char reason[160];
        snprintf(reason, sizeof reason,
                 "The workflow took longer than its limit of %" PRId64
                 " seconds (chat_workflows.execution.run_timeout_seconds)",
                 core->settings.run_timeout_ms / 1000);
        if (job->worker)
            lease_revoke(core, &job->worker->peer, &job->token, reason);
        execution_fail(core, job, reason, false);
        return;
    }
    if (job->phase == JOB_LEASED && core->now.mono_ms >= job->lease_until_ms) {
        bool drained = job->worker && job->worker->draining;
        if (job->worker)
            lease_revoke(core, &job->worker->peer, &job->token, "The lease ran out");
        if (drained)
            lease_back(core, job);
        else
            lease_lost(core, job, "The worker was lost");
    }
    if (job->phase == JOB_RESTING && core->now.mono_ms >= job->due_ms)
        turns_join(&core->turns, &job->chat->turn);
}

static void forget_silent_workers(struct core *core)
{
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (strmap_next(core->workers, &cursor, &key, &len, &value)) {
        struct worker *worker = value;
        if (worker->leased == 0 && core->now.mono_ms - worker->heard_ms > core->settings.lease_ms) {
            note_write(core, !worker->draining, "worker gone", NULL, worker->id, NULL);
            roster_remove(core, worker);
        }
    }
}

void lease_tick(struct core *core)
{
    struct job *next;
    for (struct job *job = core->active; job; job = next) {
        next = job->active_next;
        tick_job(core, job);
    }
    forget_silent_workers(core);
}

static struct chat *chat_of_turn(struct turn *turn)
{
    return (struct chat *)(void *)((char *)turn - offsetof(struct chat, turn));
}

/* A run that has nothing left to do needs no worker: no steps, or its last word was lost with its worker. */
static bool ready(const struct core *core, const struct job *job)
{
    return job && (job->phase == JOB_QUEUED || (job->phase == JOB_RESTING && core->now.mono_ms >= job->due_ms));
}

void lease_dispatch(struct core *core)
{
    while (core->turns.first && core->err == ERR_OK) {
        struct chat *chat = chat_of_turn(core->turns.first);
        struct job *job = chat->jobs;
        if (!ready(core, job)) {
            turns_leave(&core->turns, &chat->turn);
            continue;
        }
        if (job_next_step(job) == job->step_count) {
            turns_leave(&core->turns, &chat->turn);
            execution_finish_without_worker(core, job);
            continue;
        }
        struct worker *worker = roster_pick(core);
        if (!worker)
            return;
        turns_leave(&core->turns, &chat->turn);
        lease_grant(core, job, worker);
    }
}
