/* job - one run of a workflow in a chat: its steps, who waits for it, and what its rows look like on disk. What moves
 * it along is in execution.c (steps and ends) and lease.c (who works on it). Part of the core's state (state.h). */
#ifndef JOB_H
#define JOB_H

#include "core/chat.h"

#define OPERATION_MAX 200 /* bytes of an operation's name; workers take more, dumps exactly as many */

enum job_phase {
    JOB_QUEUED,  /* waits for its turn, or for a free worker */
    JOB_LEASED,  /* a worker has it; after a restart that worker is not known yet */
    JOB_RESTING, /* its worker was lost; handed out again at due_ms */
    JOB_ENDED,
};

struct step {
    char id[ID_UUID_LEN + 1];
    char *operation, *arguments;
    char *input_file;                               /* name whose stem names the step's output; "" while unknown */
    char *output_file, *spool_key, *result, *error; /* "" = none */
    char *message;                                  /* of the newest progress; not on record */
    enum step_status status;
    uint32_t progress;
    int64_t started_us, completed_us;
};

/* A CALL_EXECUTE that wants the end of the job. In the core's map of waiters and in the job's list. */
struct waiter {
    unsigned char id[REQUEST_ID_LEN];
    struct peer peer;
    struct job *job;
    struct waiter *next;
};

struct worker;

struct job {
    struct chat *chat;
    struct job *next;                      /* of the chat */
    struct job *active_prev, *active_next; /* in core->active while LEASED or RESTING */
    enum job_phase phase;
    char id[JOB_ID_MAX + 1];
    enum job_status status;
    uint32_t attempts; /* leases that counted */
    uint32_t set_back; /* of these, the ones that a lost spool made necessary: no fault of a worker */
    bool handed_back;  /* the next lease goes on with the same attempt */
    bool unheard;      /* leased before this memory was built: how far its step came is not known */
    bool spools_gone;  /* nothing goes on after its finished steps: their spools may be missing */
    struct token token;
    uint64_t last_number;
    char *input_name, *input_key, *trace, *error, *retry_of;
    bool server_fault; /* why it failed: not the user's data */
    int64_t submitted_us, started_us, completed_us;
    struct step *steps;
    uint32_t step_count;
    uint32_t steps_room;   /* while loading: what the job's row announced */
    struct worker *worker; /* LEASED: who has it; NULL after a restart until the worker shows up */
    int64_t lease_until_ms, due_ms;
    struct waiter *waiters;
};

struct job *job_new(struct core *core, struct chat *chat, const char *id, uint32_t steps); /* NULL after core_fail() */
void job_destroy(struct core *core, struct job *self);                                     /* must not be linked */
/* At the end of its chat's queue. */
void job_link(struct core *core, struct job *self);
/* Out of its chat's queue, of the active jobs and of the leases. */
void job_unlink(struct core *core, struct job *self);
void job_activate(struct core *core, struct job *self); /* into core->active; harmless when there */

void job_put(struct core *core, const struct job *self);                  /* its row */
void job_put_step(struct core *core, const struct job *self, uint32_t i); /* a step's row */
/* Replaces a text of a job or step, which nobody else may free, by a copy. */
void job_set_text(struct core *core, char **text, const char *value);
void job_take_text(char **text, char *value); /* the same by a value on the heap, which it takes */

struct job *job_find_open(const struct chat *chat, const char *job_id); /* NULL = none that has not ended */
uint32_t job_next_step(const struct job *self);                 /* first one not completed; step_count when all are */
int job_find_step(const struct job *self, const char *step_id); /* -1 = no such step */
enum file_type job_output_type(const struct job *self, uint32_t i);

void job_wait(struct core *core, struct job *self, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN]);
void job_forget_waiter(struct core *core, const unsigned char id[REQUEST_ID_LEN]);
/* The execute answer's data, appended: job_id, status, results, output_files, error. A result whose member is in a file
 * has that file's key. */
enum err job_write_answer(const struct core *core, const struct job *self, struct buf *out) MUST_CHECK;
uint16_t job_answer_status(const struct job *self);
void job_answer_message(const struct job *self, struct buf *out);

#endif
