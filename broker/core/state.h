/* state - what the core's files share: the whole state in one struct, and the changes and effects of the running call.
 * Only files of this folder include it. */
#ifndef STATE_H
#define STATE_H

#include "clock.h"
#include "core/core.h"
#include "core/dedupe.h"
#include "core/turns.h"
#include "strmap.h"

struct chat;
struct job;

#define PUBLISHER_NAME_MAX 65 /* 64 bytes and a NUL */
#define RANDOM_DRAWN       512

struct core {
    struct core_settings settings;
    struct random_source random;
    unsigned char drawn[RANDOM_DRAWN]; /* from it; the first drawn_left are not used yet */
    size_t drawn_left;
    uint64_t term, counter; /* the newest token */
    uint64_t generations;
    struct core_time now;
    char now_text[CLOCK_TEXT_MAX]; /* of now_text_us: core_now_text() */
    int64_t now_text_us;
    struct buf scratch;      /* an event while it is written; its memory is kept */
    struct changes *changes; /* of the running call; borrowed */
    struct effects *effects;
    enum err err; /* the first failure (memory): everything after it is void */

    struct strmap *chats;      /* id -> struct chat, owned */
    struct strmap *links;      /* number -> struct feed_link, owned */
    struct strmap *workers;    /* id -> struct worker, owned */
    struct strmap *leases;     /* token -> struct job */
    struct strmap *waiters;    /* request id -> struct waiter */
    struct strmap *publishers; /* name -> uint64_t *, the last pub_seq; owned */
    struct job *active;        /* jobs that were started and have not ended */
    struct turns turns;        /* chats with a job to hand out */
    struct dedupe *answers;    /* request id -> struct kept_answer */
    struct dedupe *events;     /* epoch/event_id -> uint64_t seq */
    struct chat *loading;
    uint64_t turn; /* counts the turns that ended */
    bool loading_past;
    struct job *past; /* a job that has ended, for the call being decided; owned, belongs to no chat */
    bool tapped;
    uint64_t open_jobs, rooms;
    int64_t submitted_us; /* of the newest job: every job gets a later one, so that the record keeps their order */
    uint64_t frames_refused, publish_lost;
    uint64_t publish_noted; /* of publish_lost, in the log */
    int64_t publish_noted_ms;
    char lossy_publisher[PUBLISHER_NAME_MAX];
    int64_t trimmed_ms;
    size_t trimmed_chats; /* left by the newest core_trim() */
};

void core_forget_past(struct core *self); /* chat_load.c */
/* Remembers the first failure. */
void core_fail(struct core *self, enum err err);
/* Zeroed memory, or NULL after core_fail(). */
void *core_alloc(struct core *self, size_t size);
char *core_copy_text(struct core *self, const char *text);
const char *core_now_text(struct core *self); /* now as events carry it: one text for all of a turn */
void core_change(struct core *self, const struct change *change);
struct effect *core_effect(struct core *self, enum effect_kind kind); /* NULL after core_fail() */

void core_random(struct core *self, void *out, size_t len); /* at most RANDOM_DRAWN */
void core_hex(struct core *self, char *out, size_t digits); /* digits even, at most 32, and a NUL */
void core_uuid(struct core *self, char out[ID_UUID_LEN + 1]);

#endif
