/* run_view - what a person sees of one run: its steps with progress, and how it ended. Fed with events of the WebSocket
 * or with the job as REST tells it, in any order and as often as wanted; never goes backwards. No I/O. */
#ifndef RUN_VIEW_H
#define RUN_VIEW_H

#include "err.h"

#include <jansson.h>
#include <stdint.h>

#define RUN_VIEW_STEPS_MAX 1000
#define RUN_VIEW_TEXT_MAX  200

enum step_state { STEP_PENDING, STEP_RUNNING, STEP_COMPLETED, STEP_FAILED };
enum run_state { RUN_GOING, RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED };

struct step_view {
    char id[64]; /* "" until the first event names it */
    char operation[64];
    char message[RUN_VIEW_TEXT_MAX]; /* printable UTF-8 */
    enum step_state state;
    int progress; /* 0..100 */
    int64_t attempt;
};

struct run_view {
    char job[80]; /* "" until known: then only its events count */
    enum run_state state;
    char error[RUN_VIEW_TEXT_MAX * 4];
    size_t count;
    struct step_view *steps;
};

/* steps: the JSON array of the workflow. */
enum err run_view_init(struct run_view *self, const json_t *steps) MUST_CHECK;
void run_view_fini(struct run_view *self);
/* Whether a step changed. */
bool run_view_event(struct run_view *self, const json_t *event);
/* A snapshot's run or GET .../jobs/{job}: {"job_id","status","error","steps":[...]}. */
void run_view_job(struct run_view *self, const json_t *job);

#endif
