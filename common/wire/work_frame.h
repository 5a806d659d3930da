/* work_frame - what workers and broker say on :5564 (worker DEALER, broker ROUTER). One ZeroMQ frame a message.
 *
 * Worker to broker:
 *   HELLO   at start and whenever the broker's term changed: worker id, slots, and the leases it still holds
 *   BEAT    every wire.beat_ms: free slots (its credit) and the tokens it works on
 *   EVENT   (token, number): number counts from 1 per token; `what` and two bodies: `event` (members of the client's
 *           event, a JSON object) and `detail` (for the record, a JSON object). Kept and sent again until acknowledged,
 *           except PROGRESS. The same (token, number) twice changes nothing twice. Numbers are taken in order: a hole
 *           means that a frame was lost, what follows it is dropped without ACK and comes again. PROGRESS uses no
 *           number up: it carries that of the newest durable event before it.
 *   BYE     it drains: no more jobs, please. From now on a lease that its BEAT does not name is handed back, which
 *           costs the job no attempt. A second BYE: it is gone, and so is all it held
 * Broker to worker:
 *   WELCOME answers HELLO and, with a new term, an unknown worker's BEAT: term, lease and beat time
 *   JOB     a lease: token and the job (JSON, see below)
 *   ACK     the event (token, number) is on disk
 *   REVOKE  the token is no longer valid: stop the step within a second, report nothing
 *
 * JOB body: {"job_id","chat_id","attempt","place":"2026/11/<chat>","first_step":i,
 *   "input":{"name","key"},                      the visible file or spool that first_step reads
 *   "stem_of":"orders.csv",                      name of the file that gives output names their stem
 *   "steps":[{"step_id","operation","arguments"}], "taken":[names that must not be used again],
 *   "files":[{"name","key","beside_input"?}],    the chat's files, for operations that read a second one; beside_input:
 *                                               true for uploaded ones of another name than the run's input
 *   "save_intermediate":bool}
 * EVENT bodies: `event` (the broker adds type, chat_id, job_id, attempt, seq, epoch, timestamp) and `detail`.
 *   every step event       event {"step_id","operation","message", ...}, detail {"index", ...}; beyond that:
 *   STEP_STARTED, PROGRESS event {"progress":0..99,"status":"running"}
 *   STEP_DONE              detail {"file":{"name","key","bytes"}|null,"spool":{"name","key","bytes"}|null,
 *                          "result":{...},"stem_of":name}. A null spool before the last step: the next step reads the
 *                          same input as this one. stem_of: what JOB's stem_of is when the run resumes after this step.
 *                          `result` is what the operation gave ({"statistics"}); paths and URLs are the broker's words.
 *                          "result_file":{"member","key","bytes"} when a member of the result is too large for an
 *                          event: its value is the content of that file, and `result` has a "summary" instead
 *   STEP_FAILED            event {"progress":how far it came}, detail {"message","kind"}, kind:
 *                          "user"   data, arguments or a limit of the step: the run fails (422)
 *                          "server" our fault (the step crashed, a disk is full): the run fails (500)
 *                          "input"  what the step reads is missing or damaged: the run goes on one step further back,
 *                                   at the one that made it; the lease is over. When nothing made it: as "server"
 *                          "lost"   the step's process was killed from outside: not the run's end but a lost attempt,
 *                                   as if the worker had died; the lease is over, the job goes on elsewhere
 *   RUN_DONE               {} and {}   (RUN_FAILED is the broker's word) */
#ifndef WORK_FRAME_H
#define WORK_FRAME_H

#include "wire/request_frame.h"

#define WORK_VERSION    1
#define WORK_TOKENS_MAX 256 /* leases a worker may hold */

enum work_kind {
    WORK_HELLO = 1,
    WORK_BEAT,
    WORK_EVENT,
    WORK_BYE,
    WORK_WELCOME = 64,
    WORK_JOB,
    WORK_ACK,
    WORK_REVOKE,
};

enum work_what {
    WORK_STEP_STARTED = 1, /* progress 0, "running": state */
    WORK_PROGRESS,         /* 1..99: state, may be lost */
    WORK_STEP_DONE,        /* progress 100 "completed", then step_result: record */
    WORK_STEP_FAILED,      /* progress "failed", then error, then workflow_failed: ends the run */
    WORK_RUN_DONE,         /* workflow_completed: ends the run */
};

/* Fencing token of a lease: ordered by term, then counter. Only an equal token is valid. */
struct token {
    uint64_t term;
    uint64_t counter;
};

struct work_frame {
    enum work_kind kind;
    char worker[ID_HEX_LEN + 1]; /* HELLO, BEAT, BYE: chosen by the worker at its start */
    uint64_t term;               /* WELCOME */
    uint32_t lease_ms, beat_ms;  /* WELCOME */
    uint32_t slots, free_slots;  /* HELLO, BEAT */
    uint32_t token_count;        /* HELLO, BEAT */
    struct token tokens[WORK_TOKENS_MAX];
    struct token token;  /* EVENT, JOB, ACK, REVOKE */
    uint64_t number;     /* EVENT, ACK */
    enum work_what what; /* EVENT */
    struct bytes event;  /* EVENT: members of the client's event; borrowed */
    struct bytes body;   /* JOB: the job; EVENT: detail; REVOKE: reason. Borrowed */
};

enum err work_frame_write(const struct work_frame *self, struct buf *out) MUST_CHECK;
enum err work_frame_read(struct work_frame *out, const void *bytes, size_t len) MUST_CHECK;

#endif
