/* child - one program that `sheetwire serve` keeps running: started in a process group of its own, ended with its
 * parent, its output read line by line into the log, started again after a pause that doubles. */
#ifndef CHILD_H
#define CHILD_H

#include "err.h"

#include <stdint.h>
#include <sys/types.h>

#define CHILD_PAUSE_MS     100 /* before the first restart */
#define CHILD_PAUSE_MAX_MS 10000
#define CHILD_STEADY_MS    10000 /* after this long a run counts as good and the pause is short again */
#define CHILD_LINE_MAX     4000
#define CHILD_NO_PROGRAM   127 /* exit code when there is no such program, as the shell has it */

struct child {
    char name[24];       /* "broker", "worker-2" */
    const char *program; /* "sheetwire-broker" */
    const char *config;  /* --config FILE; NULL = none */
    pid_t pid;           /* 0 = not running */
    int output;          /* what it prints; -1 = none */
    int pause_ms;        /* before the next restart */
    int64_t started_ms;
    int64_t restart_ms; /* when it is started again; only when pid is 0 */
    unsigned failures;  /* ends by its own exit code other than 0, in a row */
    size_t len;
    char line[CHILD_LINE_MAX]; /* the unfinished line */
};

void child_init(struct child *self, const char *name, const char *program, const char *config);
void child_fini(struct child *self); /* it must not run any more */
enum err child_start(struct child *self, int64_t now_ms, struct fault *why) MUST_CHECK;
/* Reads what is there without waiting and logs whole lines. */
void child_read(struct child *self);
/* waitpid() has told its end: kills what is left of its group and plans the restart. */
void child_ended(struct child *self, int status, int64_t now_ms);
void child_signal(const struct child *self, int signal_number);
void child_kill_group(const struct child *self);

#endif
