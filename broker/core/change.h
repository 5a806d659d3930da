/* change - everything the core may ask the store to keep: a closed union. A batch of changes is one transaction.
 *
 * Texts are owned by the change list (copied in, freed with it). Times are microseconds since the Unix epoch, UTC; 0 =
 * none. The store applies changes in order; a change that names a missing row is our bug and fails the batch. */
#ifndef CHANGE_H
#define CHANGE_H

#include "core/row_words.h"
#include "id.h"
#include "wire/work_frame.h"

#define PARTICIPANT_MAX 64
#define PARTITION_MAX   16
#define JOB_ID_MAX      ID_JOB_MAX

enum change_kind {
    CHANGE_CHAT_PUT,    /* insert or replace: conversation or room */
    CHANGE_CHAT_DELETE, /* the chat and everything of it; its file keys become to-delete entries */
    CHANGE_MESSAGE_ADD,
    CHANGE_FILE_ADD,
    CHANGE_JOB_PUT,     /* insert or replace the row of a job */
    CHANGE_STEP_PUT,    /* insert or replace the row of a step */
    CHANGE_EVENT_ADD,   /* the next durable event of a chat; also moves the chat's head */
    CHANGE_ANSWER_PUT,  /* request id -> the answer it got, for a request sent again */
    CHANGE_GARBAGE_ADD, /* a file key no record names any more */
};

struct chat_row {
    const char *chat_id;
    bool room; /* a chat without a conversation: not listed */
    const char *participant_name;
    enum chat_status status;
    const char *partition_key;
    const char *metadata; /* JSON object */
    const char *epoch;    /* "" until the first durable event */
    uint64_t head;        /* newest seq */
    int64_t created_us, updated_us;
};

struct message_row {
    const char *message_id, *chat_id, *message_type, *content, *metadata; /* metadata: JSON object */
    int64_t created_us;
};

struct file_row {
    const char *file_id, *chat_id, *name, *key;
    enum file_type type;
    uint64_t bytes;
    int64_t created_us;
    const char *job_id; /* "" for uploads */
};

struct job_row {
    const char *job_id, *chat_id;
    enum job_status status;
    uint32_t attempts;
    struct token token;                 /* of the newest lease; {0,0} = never leased */
    uint64_t last_number;               /* newest EVENT number of that token that is on disk */
    const char *input_name, *input_key; /* fixed when the job was accepted */
    const char *trace;
    const char *error; /* text of a failed run, or "" */
    uint32_t total_steps;
    int64_t submitted_us, started_us, completed_us;
    const char *retry_of; /* the job this one repeats, or "" */
    uint32_t set_back;    /* of the attempts, those that were for a lost spool */
    bool spools_gone;     /* its finished steps' spools may be missing: nothing goes on after them */
};

struct step_row {
    const char *step_id, *chat_id, *job_id;
    uint32_t index;
    const char *operation, *arguments; /* arguments: JSON object */
    const char *input_file;            /* file name, "" while unknown */
    const char *output_file;           /* file name, "" = none */
    const char *spool_key;             /* "" = none */
    const char *result;                /* JSON object, "" while unfinished */
    enum step_status status;
    uint32_t progress;
    const char *error_message;
    int64_t started_us, completed_us;
};

struct event_row {
    const char *chat_id, *type, *job_id; /* job_id "" = none */
    uint64_t seq;
    const char *event_id; /* an outside publisher's, "" = none */
    const char *body;     /* the complete JSON text clients get */
    size_t body_len;
    int64_t created_us;
};

struct answer_row {
    unsigned char request_id[REQUEST_ID_LEN];
    uint16_t status;
    const char *message, *body, *job_id; /* job_id: an execute whose answer is the job's end; body then "" */
    int64_t created_us;
    bool keyed;           /* request_id stands for an idempotency key: the answer is kept as long as its chat */
    uint64_t fingerprint; /* of the request that got the answer, if keyed */
    const char *chat_id;  /* of a keyed answer */
};

struct change {
    enum change_kind kind;
    union {
        struct chat_row chat; /* CHAT_PUT; CHAT_DELETE uses chat_id */
        struct message_row message;
        struct file_row file;
        struct job_row job;
        struct step_row step;
        struct event_row event;
        struct answer_row answer;
        const char *garbage_key;
    } of;
};

/* A list of changes with the memory of their texts. */
struct changes;

enum err changes_new(struct changes **out) MUST_CHECK;
void changes_destroy(struct changes **self_p);
void changes_clear(struct changes *self);
/* Copies the change and every text in it. The row of a job or step that is put again soon, with nothing in between
 * that could tell, takes the place of the earlier one: a finished run is written once, not four times. */
enum err changes_add(struct changes *self, const struct change *change) MUST_CHECK;
size_t changes_count(const struct changes *self);
const struct change *changes_at(const struct changes *self, size_t i);

#endif
