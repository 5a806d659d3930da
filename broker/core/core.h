/* core - the broker's mind: decide(state, input, now) -> changes + effects. Pure: no sockets, clock, SQL, randomness of
 * its own; a seeded simulator links these very files. One thread.
 *
 * A turn of the loop: load what core_wants_chat() names, core_decide() for each input, core_finish_turn(), commit all
 * changes at once, carry out the effects, core_trim(). Any error (and a commit that fails) means: destroy the core and
 * make a new one from the record, as after a restart.
 *
 * The core holds the working set: chats with a job, an attach or recent events. */
#ifndef CORE_H
#define CORE_H

#include "core/effect.h"
#include "core/input.h"

struct core;

struct core_settings {
    int64_t beat_ms, lease_ms;
    int64_t run_timeout_ms;
    uint32_t attempts_max;
    uint32_t queue_jobs_max;   /* unfinished jobs over all chats; beyond: 503 */
    uint32_t chat_events_kept; /* newest events of a chat kept in memory */
    uint32_t rooms_max;        /* chats without a conversation that have a record */
    uint32_t link_window;      /* unacknowledged batches of a link */
    uint32_t link_batch_bytes; /* a batch is closed before it grows beyond this, but for a larger event */
    uint32_t event_bytes_max;
    uint32_t max_steps;
    uint32_t remembered_max; /* request and event ids remembered beside those of the running turn */
    bool save_intermediate_files;
    bool warnings_only;         /* nobody reads the other notes: none is written */
    const char *workflows_path; /* borrowed for the life of the core; starts the paths clients see */
    const char *api_prefix;     /* likewise; starts the result_url of an event */
};

/* Where ids come from: the system, or a seeded generator. */
struct random_source {
    void (*fill)(void *context, void *out, size_t len);
    void *context;
};

/* newest: the term this broker runs under, and the counter of the newest token given out in it (0 at start; what
 * core_newest_token() said when the memory is rebuilt). rooms: how many the record holds. */
enum err core_new(struct core **out, const struct core_settings *settings, const struct random_source *random,
                  struct token newest, uint64_t rooms) MUST_CHECK;
struct token core_newest_token(const struct core *self);
void core_destroy(struct core **self_p);

/* true: this chat must be loaded before the input is decided. */
bool core_wants_chat(const struct core *self, const struct input *input, char out[ID_CHAT_MAX + 1]);
/* Loading one chat: begin, rows as store_load_chat() gives them (context = the core), end. Without rows: the chat has
 * no record. */
enum err core_load_begin(struct core *self, const char *chat_id, struct core_time now) MUST_CHECK;
enum err core_load_chat(void *self, const struct chat_row *row) MUST_CHECK;
enum err core_load_job(void *self, const struct job_row *row) MUST_CHECK;
enum err core_load_step(void *self, const struct step_row *row) MUST_CHECK;
enum err core_load_event(void *self, const struct event_row *row) MUST_CHECK;
enum err core_load_file(void *self, const struct file_row *row) MUST_CHECK;
enum err core_load_end(struct core *self) MUST_CHECK;

/* true: the call is about a job that has ended and is not in memory: core_load_past() and the job's rows, as for a
 * chat, come before the input is decided. No rows: there is no such job. It is forgotten after the decision. */
bool core_wants_job(const struct core *self, const struct input *input, char job_id[JOB_ID_MAX + 1]);
void core_load_past(struct core *self, const char *chat_id, struct core_time now);

/* Is the answer to this request id in memory? Otherwise the shell asks the record and passes what it finds. */
bool core_remembers_request(const struct core *self, const unsigned char id[REQUEST_ID_LEN]);
/* Does this call change something, so that its id may have an answer on record? */
bool core_call_changes(enum call call);

enum err core_decide(struct core *self, const struct input *input, struct core_time now, struct changes *changes,
                     struct effects *effects) MUST_CHECK;
/* Hands out jobs, lets links catch up, closes their batches. Once, after the last input of a turn. */
enum err core_finish_turn(struct core *self, struct core_time now, struct changes *changes,
                          struct effects *effects) MUST_CHECK;
/* After a commit: forgets chats nobody needs. */
void core_trim(struct core *self, struct core_time now);

/* What operators see. */
struct core_counts {
    uint64_t chats, links, workers, free_slots, open_jobs, rooms;
    uint64_t frames_refused; /* frames of workers and gateways that made no sense */
    uint64_t publish_lost;   /* gaps in the numbers of outside publishers */
};
struct core_counts core_count(const struct core *self);

#endif
