/* execution - what happens to a job from its first lease to its last word: steps start, move, end, and every end is one
 * terminal event, the rows that go with it and the answer to whoever waits. */
#ifndef EXECUTION_H
#define EXECUTION_H

#include "core/job.h"
#include "json_scan.h"

/* What a worker says of a step's end, read from its frame; texts borrowed. */
struct step_outcome {
    const char *file_name, *file_key; /* NULL = no file */
    uint64_t file_bytes;
    const char *spool_key; /* NULL = none */
    const char *stem_of;   /* name that gives the next output its stem; NULL = as before */
    const char *result;    /* JSON object without its brackets: `"statistics":{...}`, "" = nothing */
    /* A member of the result that came as a file; NULL = none. */
    const char *result_member, *result_key;
    uint64_t result_bytes;
};

/* A job was handed out: its row, workflow_started the first time, and no progress of an attempt before. fresh: it is
 * another attempt; one that was handed back goes on in the same, and its progress never falls. */
void execution_lease(struct core *core, struct job *job, bool fresh);
/* The JOB frame's body (work_frame.h). */
enum err execution_write_job(const struct core *core, const struct job *job, struct buf *out) MUST_CHECK;

/* event: the worker's members. */
void execution_step_started(struct core *core, struct job *job, uint32_t i, const struct json_members *event);
void execution_progress(struct core *core, struct job *job, uint32_t i, const struct json_members *event);
void execution_step_done(struct core *core, struct job *job, uint32_t i, const struct step_outcome *outcome);

/* The run goes back to the step that made what its present step reads: what was kept of it is gone. false: that step
 * reads the run's own input, there is nothing to go back to. The lease must be over. */
bool execution_step_back(struct core *core, struct job *job);

/* Gives up what finished steps keep for a run that goes on. */
void execution_drop_spools(struct core *core, struct job *job);

/* The ends. The job is out of the queue afterwards and may only be looked at until the next end in its chat. */
void execution_fail(struct core *core, struct job *job, const char *reason, bool server_fault);
void execution_complete(struct core *core, struct job *job);
void execution_cancel(struct core *core, struct job *job, const char *why);
/* Nothing is left to do for a worker: no steps at all, or all are done. */
void execution_finish_without_worker(struct core *core, struct job *job);

#endif
