/* runner - one job from its lease to its last word: step by step, each in a process of its own, the spool of one step
 * being the input of the next.
 *
 * Nothing of a job's state is on disk but files. The runner blocks only for syncing small things: outputs are synced by
 * the step's process before the runner commits them. It is driven by the loop: hand it its report pipe when readable,
 * the exits of its processes, and the time. Used by one thread. */
#ifndef RUNNER_H
#define RUNNER_H

#include "files/files.h"
#include "process/zygote.h"
#include "settings.h"
#include "wire/work_frame.h"

struct runner;

struct runner_tools {
    const struct settings *settings;
    struct files *files;
    struct zygote *zygote;
    uint64_t *processes; /* counter: gives every process an id */
    /* Says what happened; texts are JSON objects, borrowed. An error means that the lease is over: the runner stops. */
    enum err (*record)(void *context, struct token token, enum work_what what, struct bytes event, struct bytes detail);
    void *context;
};

/* Starts the first step. A job that cannot even be read is a runner that has ended with STEP_FAILED. ERR_MEMORY only.
 */
enum err runner_new(struct runner **out, const struct runner_tools *tools, struct token token, struct bytes job,
                    int64_t now_ms) MUST_CHECK;
/* Abandons what is not committed. A process still running is killed. */
void runner_destroy(struct runner **self_p);

struct token runner_token(const struct runner *self);
bool runner_ended(const struct runner *self);    /* no process any more, nothing more to say */
int runner_report_fd(const struct runner *self); /* to poll; -1 when there is none */

void runner_readable(struct runner *self, int64_t now_ms);
/* false: the process was not this job's. */
bool runner_exited(struct runner *self, const struct zygote_exit *end, int64_t now_ms);
void runner_tick(struct runner *self, int64_t now_ms);
int runner_wait_ms(const struct runner *self, int64_t now_ms); /* until runner_tick() has something to do */

/* Kills the step and reports nothing more; runner_ended() once the process is gone. */
void runner_stop(struct runner *self);
#endif
