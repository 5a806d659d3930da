/* broker - the shell around the core: one thread owns every socket and the store's writer. It reads what is there, lets
 * the core decide, commits once, and only then lets anything leave (turn.c). Reading the record (query.c) and removing
 * files (janitor.c) are actors of their own, answered by mailbox. */
#ifndef BROKER_H
#define BROKER_H

#include "actor.h"
#include "core/core.h"
#include "endpoint.h"
#include "ports/router.h"
#include "settings.h"
#include "store/store.h"
#include "wire/publish_frame.h"

/* What an outside event is known by when it is sent again; event_id "" = by nothing. */
struct event_name {
    char chat[ID_CHAT_MAX + 1], event_id[EVENT_ID_MAX + 1];
};

/* Somebody who must hear about it if the turn cannot be committed. */
struct caller {
    bool publisher; /* of :5563; otherwise a gateway with a request id */
    struct peer peer;
    struct event_name event; /* of a publisher */
    unsigned char id[REQUEST_ID_LEN];
    bool keyed;
    unsigned char key[REQUEST_ID_LEN]; /* of a keyed request */
};

/* What the janitor looks through from time to time, piece by piece, for what may go. */
enum pass_kind { PASS_EVENTS, PASS_ROOMS, PASS_ANSWERS, PASS_FILES, PASS_DUMPS, PASS_KINDS };

struct pass {
    bool looking;    /* a piece is under way */
    bool found_some; /* since the first piece */
    int64_t due_ms;  /* of the next piece */
};

/* An endpoint in the loop: a router of ours or a socket of libzmq. libzmq tells of news on a descriptor; but any call
 * on the socket may take the news in, and the descriptor is silent then. So a port that was used is tried again before
 * the loop sleeps, and no other is touched: to ask for what is not there costs system calls. */
struct port {
    struct router *router;
    void *socket; /* both NULL = off */
    int fd;       /* readable: there are news */
    bool stirred; /* there may be messages */
};

struct broker {
    const struct settings *settings;
    struct core_settings core_settings;
    void *context;
    struct port ports[ENDPOINTS];
    uint64_t tap_subscriptions;
    struct store *store;
    struct core *core;
    uint64_t term;

    struct core_time now;
    struct changes *changes;
    struct effects effects;
    struct caller *callers; /* settings.batch_inputs_max of them */
    uint32_t caller_count;
    uint32_t inputs; /* decided in this turn */
    bool failed;     /* the core or the store failed in this turn: nothing of it may leave */

    struct mailbox *replies; /* from the actors below */
    struct actor *reader, *janitor;
    struct reader *reader_state; /* of the actors' threads while they run */
    struct janitor *janitor_state;
    uint32_t queries; /* on their way to the reader and back */
    bool sweep_due, sweeping;
    int64_t sweep_ms, tick_ms;
    struct pass passes[PASS_KINDS];
    int64_t snapshot_ms;
    uint64_t dropped_frames;
};

/* Letters in `replies`. */
enum reply_kind {
    REPLY_ANSWER,  /* struct answer_reply */
    REPLY_RANGE,   /* struct range_reply */
    REPLY_REMOVED, /* a key whose file is gone */
    REPLY_SWEPT,   /* the janitor has done all it was told */
    REPLY_TRIM,    /* struct found_chat: events of a chat that may go */
    REPLY_ROOM,    /* struct found_chat: a room that may go */
    REPLY_ANSWERS, /* struct store_answer_range: answers that may go */
    REPLY_LOOKED,  /* a piece of the pass `number` has been looked at */
    REPLY_PASSED,  /* the last one has been */
};

enum err broker_open(struct broker *self, const struct settings *settings, struct fault *why) MUST_CHECK;
/* Until signal_fd is readable. An error is one after which only a restart helps. */
enum err broker_run(struct broker *self, int signal_fd, struct fault *why) MUST_CHECK;
void broker_close(struct broker *self);

#endif
