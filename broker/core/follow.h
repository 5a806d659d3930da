/* follow - a chat on a link: the attaches there, how far the link's live stream of the chat has come, and how a
 * newcomer or a link that fell behind catches up. Events go out directly while the stream is at the chat's head;
 * otherwise from the chat's memory, and what is older from the record (QUERY_RANGE). Part of the core's state
 * (state.h). */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "core/chat.h"
#include "core/feed_link.h"

enum attach_state {
    ATTACH_NEW,    /* not answered yet */
    ATTACH_REPLAY, /* ATTACHED was sent, events up to `sent` too */
    ATTACH_LIVE,   /* takes part in the link's live stream */
};

struct attach {
    uint64_t id;
    struct follow *follow;
    struct attach *prev, *next; /* of the follow */
    enum attach_state state;
    bool has_since;
    uint64_t since, sent;
    uint64_t told; /* its snapshot has the progress of runs up to this number; 0 = it got none */
    char epoch[EPOCH_MAX];
};

struct follow {
    struct feed_link *link;
    struct chat *chat;
    struct follow *chat_prev, *chat_next, *link_prev, *link_next;
    struct follow *behind_next;
    bool behind;                    /* in the link's list of those that miss something */
    struct attach *attaches, *last; /* first the LIVE ones, then those that wait, in the order they came */
    struct attach *waiting;         /* the first that is not LIVE; NULL = none */
    uint32_t live;                  /* attaches that are LIVE */
    uint64_t sent;                  /* newest event in the live stream; meaningful while live > 0 */
    bool reset;                     /* the live ones must be told of another history first */
    bool from_start;                /* that history began while they followed: theirs from event 1 on */
    uint64_t progress_sent;         /* the live ones have the progress up to this number, */
    uint64_t progress_told;         /* and need none of runs up to this one */
    bool reading;                   /* a range was asked for and has not come */
    int64_t retry_ms;               /* not asked again before this */
};

/* An attach wants a chat; one of the same id on this link is replaced. */
void follow_attach(struct core *core, struct feed_link *link, struct chat *chat, const struct request_frame *frame);
void follow_detach(struct core *core, struct feed_link *link, uint64_t attach);
void follow_end(struct core *core, struct follow *self); /* all its attaches */

void follow_event(struct core *core, struct chat *chat);    /* the chat's newest event has come into being */
void follow_progress(struct core *core, struct chat *chat); /* its newest progress has */
void follow_reset(struct core *core, struct chat *chat);
void follow_range(struct core *core, const struct range *range);
/* Lets everything on the link go on as far as window and memory allow. */
void follow_catch_up(struct core *core, struct feed_link *link);

#endif
