/* chat - one ordered record in memory: what the broker knows of a conversation or room while somebody needs it.
 * Part of the core's state (state.h); texts are owned by the chat. */
#ifndef CHAT_H
#define CHAT_H

#include "core/state.h"

#define CHAT_FILES_MAX    10000             /* files of one chat; beyond: 422 */
#define CHAT_PROGRESS_MAX 64                /* unfinished steps of one chat whose progress is kept; the oldest goes */
#define CHAT_TAIL_BYTES   ((size_t)1 << 20) /* newest events in memory; older ones are read from the record */
#define CHAT_IDLE_MS      60000             /* a chat nobody needs stays in memory for this long, */
#define CHATS_IDLE_MAX    10000             /* unless more than this are in memory */

/* One of the newest events, as clients get it. */
struct tail_event {
    uint64_t seq;
    bool terminal;
    size_t len, closing_len;
    char *closing_key; /* the closing progress that is sent directly before it, or NULL */
    char *closing;     /* its body */
    char body[];
};

struct chat_file {
    char *name, *key;
    enum file_type type;
};

/* Newest progress of an unfinished step. */
struct step_progress {
    char *key;
    char *body;
    size_t len;
    const struct job *job; /* NULL: of an outside program */
    uint64_t number;       /* 1, 2, 3 ... of the chat's progress, which lies in this order */
};

struct chat {
    char id[ID_CHAT_MAX + 1];
    bool exists; /* has a record; false: somebody is attached to an id nothing was written for */
    bool room;
    char participant_name[PARTICIPANT_MAX];
    enum chat_status status;
    char partition[PARTITION_MAX];
    char *metadata; /* JSON object */
    char epoch[EPOCH_MAX];
    uint64_t head;
    int64_t created_us, updated_us;
    uint64_t generation; /* another one after the history was removed */
    uint64_t cleared;    /* 1 + the turn in which that happened; the record still shows the old one until it ends */

    struct job *jobs, *jobs_last; /* not ended, in the order they were accepted; the first has the turn */
    struct job *newest;           /* the last one that ended, kept for snapshots; may be NULL */
    struct turn turn;

    struct chat_file *files;
    size_t file_count, file_room;
    struct tail_event **tail; /* ring of settings.chat_events_kept, NULL until the first event */
    uint32_t tail_at, tail_count;
    size_t tail_bytes;
    struct step_progress progress[CHAT_PROGRESS_MAX];
    uint32_t progress_count;
    uint64_t progress_newest; /* number of the last one there was */
    struct follow *follows;   /* links that have an attach here */
    int64_t used_ms;
};

struct chat *chat_find(const struct core *core, const char *id);
struct chat *chat_new(struct core *core, const char *id); /* absent, in the core's map; NULL after core_fail() */
void chat_destroy(struct core *core, struct chat *self);
/* Nobody needs it: no job, no attach, nothing on record or not used for idle_ms. */
bool chat_idle(const struct chat *self, int64_t now_ms, int64_t idle_ms);
/* Forgets everything but the id and who is attached; another generation. */
void chat_clear(struct core *core, struct chat *self);
/* true: that was in the running turn, so what the record says of this chat is of the history that goes. */
bool chat_cleared_now(const struct core *core, const struct chat *self);

/* Makes the record of an absent chat (or the conversation of a room): epoch, name, times. */
void chat_found(struct core *core, struct chat *self, bool room);
/* Puts the chat's row into the changes. */
void chat_put(struct core *core, struct chat *self);

void chat_add_file(struct core *core, struct chat *self, const char *name, const char *key, enum file_type type);
const struct chat_file *chat_last_upload(const struct chat *self); /* NULL = none */
bool chat_name_taken(const struct chat *self, const char *name);
const char *chat_result_key(const struct chat *self, const char *name); /* of the FILE_RESULT; NULL = none */
/* {workflows_path}/{partition}/{chat}/{folder}/{name}, appended. */
enum err chat_path(const struct core *core, const struct chat *self, enum file_type type, const char *name,
                   struct buf *out) MUST_CHECK;

/* NULL after core_fail(). */
struct tail_event *tail_event_new(struct core *core, const char *type, uint64_t seq, const char *body, size_t len);
void tail_event_free(struct tail_event *event);                                      /* NULL is allowed */
void chat_tail_push(struct core *core, struct chat *self, struct tail_event *event); /* takes the event */
/* The event of that number, NULL if memory does not reach back that far. */
const struct tail_event *chat_tail_find(const struct core *core, const struct chat *self, uint64_t seq);

/* Takes body. */
void chat_progress_put(struct core *core, struct chat *self, const char *key, char *body, size_t len,
                       const struct job *job);
void chat_progress_drop(struct chat *self, const char *key);
void chat_progress_drop_job(struct chat *self, const struct job *job);

#endif
