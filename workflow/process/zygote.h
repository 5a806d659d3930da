/* zygote - the single-threaded helper process that forks the steps' processes.
 *
 * It is forked before the worker has threads or sockets, so a step inherits neither. The worker asks it over a
 * SOCK_SEQPACKET socket pair to start or kill a step, handing over descriptors; it reaps the steps and says how each
 * ended. Both sides are the same program image, so messages are plain structs. The helper ends when the worker does,
 * and the steps end when the helper does. Used by the thread that started it. */
#ifndef ZYGOTE_H
#define ZYGOTE_H

#include "operations/step.h"
#include "process/sandbox.h"

#define ZYGOTE_STEPS_MAX 256 /* processes at a time */

/* Descriptors of a step's process, in this order from STEP_FD_REPORT on. 0, 1 and 2 are /dev/null. */
enum step_fd {
    STEP_FD_REPORT = 3, /* the pipe for report.h */
    STEP_FD_PLAN,       /* a memfd with the plan of plan.h */
    STEP_FD_INPUT,
    STEP_FD_OUTPUT, /* -1: not wanted */
    STEP_FD_SPOOL,  /* -1: not wanted */
    STEP_FD_SIDES,  /* the first of the side tables */
};
#define STEP_SIDES_MAX 8
#define STEP_FDS_MAX   (STEP_FD_SIDES - STEP_FD_REPORT + STEP_SIDES_MAX)

/* What a step's process runs: step_run(), or what a test plants instead. */
typedef enum err step_function(const struct step_plan *plan, struct step_outcome *out, struct fault *why);

struct zygote_options {
    step_function *run;
    bool filter; /* false: workflow.sandbox is limits-only */
};

struct zygote;

/* Forks the helper; to be called by the main thread, whose end the helper does not survive. ERR_UNSUPPORTED when the
 * filter is wanted and refused by this system. */
enum err zygote_start(struct zygote **out, const struct zygote_options *options, struct fault *why) MUST_CHECK;
/* Kills every step, ends the helper and waits for it. */
void zygote_stop(struct zygote **self_p);

/* Starts a step's process under an id of the caller's. fds[i] becomes descriptor STEP_FD_REPORT + i; -1 leaves a hole.
 * The descriptors stay the caller's. If the helper cannot fork, zygote_next() says so.
 * ERR_UNAVAILABLE: the helper is gone, the worker cannot run steps any more. */
enum err zygote_spawn(struct zygote *self, uint64_t id, const struct sandbox_limits *limits, const int *fds,
                      size_t count, struct fault *why) MUST_CHECK;
void zygote_kill(struct zygote *self, uint64_t id); /* SIGKILL; unknown ids are ignored */

struct zygote_exit {
    uint64_t id;
    int status;         /* as waitpid(2) gives it */
    int fork_error;     /* errno when there never was a process, otherwise 0 */
    uint64_t cpu_ms;    /* user and system */
    uint64_t memory_kb; /* the largest resident size */
};

int zygote_fd(const struct zygote *self); /* readable when zygote_next() has something to say */
/* ERR_END: nothing for now. ERR_UNAVAILABLE: the helper is dead. */
enum err zygote_next(struct zygote *self, struct zygote_exit *out) MUST_CHECK;

#endif
