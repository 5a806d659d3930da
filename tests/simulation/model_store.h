/* model_store - a record in memory behind broker/store/store.h: a batch is durable the moment store_commit() returns
 * ERR_OK, and nothing else ever is. What the seed wants to go wrong goes wrong here: a full disk, a refused commit, a
 * death of the broker on either side of the fsync, a read that fails. What the real store answers from is modelled too:
 * SQLite follows the commits as it likes, and a read waits for it as the real unapplied.c says; a read that would have
 * answered from before a commit it is about breaks a promise. Everything that was ever on disk stays readable
 * for the referee, also histories of chats that were deleted. */
#ifndef MODEL_STORE_H
#define MODEL_STORE_H

#include "store/store.h"
#include "world.h"

#define MADE_CHATS 16 /* places for chats whose names the broker makes up; behind those of world_chats */
#define ALL_CHATS  (CHATS + MADE_CHATS)

/* The durable events of one epoch of a chat; events[i].seq is i + 1. */
struct model_history {
    struct model_history *next;
    const char *chat_id, *epoch;
    struct event_row *events;
    uint64_t *commits; /* of each event: the one that wrote it */
    size_t count, room, commits_room;
    size_t trimmed;  /* so many of them retention has taken from the record */
    uint64_t commit; /* that made it */
    uint64_t ended;  /* the one in which it went */
    size_t begun;    /* events it had after that commit: a dump brings all of its own */
    bool restored;   /* it took the place of another one in that commit */
};

struct model_job {
    struct model_job *next; /* in the order they were accepted, over all chats */
    struct job_row row;
    struct step_row *steps; /* row.total_steps places; step_id NULL = not there */
    bool gone;              /* its chat was deleted, or restored: then there may be another one of this id */
    bool restored;          /* it came with a dump */
    bool fresh, touched;    /* in the batch that is being committed */
    bool has_answer;        /* some request id leads to it */
    uint32_t ends, leases;
    int64_t first_lease_us; /* of the virtual clock */
    uint64_t results;       /* bit i: the result of step i is on record */
};

/* The newest first. */
struct model_answer {
    struct model_answer *next;
    struct answer_row row;
    bool gone;       /* a key's answer, whose chat was deleted */
    uint64_t commit; /* that wrote it */
    uint64_t ended;  /* the commit in which it went */
};

struct model_chat {
    bool exists;
    bool answered;            /* of a chat the broker named itself: some request id leads to it */
    char id[ID_CHAT_MAX + 1]; /* of such a chat */
    struct chat_row row;
    struct model_history *history;
    struct file_row *files;
    size_t file_count, file_room;
    uint64_t deletions, deleted; /* deleted: in this commit, the last time */
    uint64_t touched;            /* the newest commit that wrote a row of it */
};

enum err model_store_new(struct store **out, struct world *world) MUST_CHECK;
void model_store_free(struct store **self_p);

int model_chat_number(const char *chat_id);                         /* of world_chats; -1 = none */
int model_chat_any(const struct world *world, const char *chat_id); /* of all chats on disk too; -1 = none */
const char *model_chat_name(const struct world *world, int chat);
const struct model_chat *model_chat(const struct world *world, int chat);
/* NULL: no such epoch was ever on disk. */
const struct model_history *model_history(const struct world *world, const char *chat_id, const char *epoch);
/* Is an event of this id on record, and under which number? */
bool model_event(const struct world *world, const char *chat_id, const char *event_id, uint64_t *seq);
struct model_history *model_histories(const struct world *world);
struct model_job *model_jobs(const struct world *world);                    /* the oldest first */
struct model_job *model_job(const struct world *world, const char *job_id); /* one that is not gone, if there is */
const struct answer_row *model_answer(const struct world *world, const unsigned char id[REQUEST_ID_LEN]);
const struct model_answer *model_answers(const struct world *world);
uint64_t model_commits(const struct world *world); /* the number of the newest */
void model_trim(struct world *world, int chat);    /* retention: some of the oldest events go */
bool model_token_before(struct token a, struct token b);

#endif
