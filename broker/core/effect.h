/* effect - everything the core may want done: a closed union. The shell holds effects until all changes of the same
 * turn are on disk, then carries them out in order (the order-and-disk gate). */
#ifndef EFFECT_H
#define EFFECT_H

#include "buf.h"
#include "core/input.h"

#define QUERY_TEXT_MAX 512

/* A read from the record, off the commit path. All but RANGE end as an ANSWER to `peer` under the request id. */
enum query_kind {
    QUERY_CHATS,   /* text: status or ""; limit, offset */
    QUERY_CHAT,    /* the conversation */
    QUERY_FILE,    /* text: file name */
    QUERY_JOB,     /* text: job id; step and percent: the step that runs, if any */
    QUERY_JOB_END, /* text: job id; answered like the CALL_EXECUTE that started it */
    QUERY_EVENTS,  /* since, limit; epoch and head as they were when it was asked */
    QUERY_RANGE,   /* comes back as INPUT_RANGE */
    QUERY_EXPORT,  /* the chat whole, for a dump */
    QUERY_BACKUP,  /* a snapshot of the whole record */
    QUERY_JOBS,    /* limit, offset */
};

struct query {
    enum query_kind kind;
    struct peer peer;
    unsigned char id[REQUEST_ID_LEN];
    char chat[ID_CHAT_MAX + 1];
    char text[QUERY_TEXT_MAX];
    char epoch[EPOCH_MAX];
    int64_t limit, offset;
    uint64_t since, head;
    uint64_t link, generation; /* RANGE */
    uint32_t step, percent;
};

struct note {
    bool warning;
    const char *sentence;                                                                           /* a literal */
    char chat[ID_CHAT_MAX + 1], job[JOB_ID_MAX + 1], trace[ID_HEX_LEN + 1], worker[ID_HEX_LEN + 1]; /* "" = none */
    char detail[256];
};

enum effect_kind {
    EFFECT_ANSWER,    /* bytes: a request frame for the gateway `peer` */
    EFFECT_FEED,      /* bytes: a batch for `link` */
    EFFECT_WORK,      /* bytes: a work frame for the worker `peer` */
    EFFECT_PUBLISHED, /* bytes: JSON for the outside publisher `peer` */
    EFFECT_TAP,       /* bytes: an event, under `topic` */
    EFFECT_QUERY,     /* query */
    EFFECT_SWEEP,     /* the record has new to-delete entries */
    EFFECT_NOTE,      /* a line for the log: note */
};

struct effect {
    enum effect_kind kind;
    struct peer peer;
    uint64_t link;
    struct buf bytes;
    char *topic;         /* TAP; owned */
    struct query *query; /* QUERY; owned, may be taken (set to NULL) */
    struct note *note;   /* NOTE; owned */
};

struct effects {
    struct effect *list;
    size_t count, room;
};

#define EFFECTS_INIT ((struct effects){0})

void effects_fini(struct effects *self);
void effects_clear(struct effects *self); /* frees what they own, keeps the list */
/* A new effect at the end, with an empty buffer; NULL when there is no memory. Valid until the next call. */
struct effect *effects_add(struct effects *self, enum effect_kind kind);
/* Batches of the feed before everything else, each group in its order: an answer never leaves before the events it
 * tells the end of. */
enum err effects_feed_first(struct effects *self) MUST_CHECK;

#endif
