/* input - everything the core may be told: a closed union. Whatever an input points to is borrowed for the one call. */
#ifndef INPUT_H
#define INPUT_H

#include "core/change.h"
#include "wire/publish_frame.h"

/* A ROUTER's name for a connection. Longer ones than ZeroMQ makes up itself are refused by the shell. */
#define PEER_MAX 32

struct peer {
    uint8_t len; /* 0 = nobody: no answer is wanted */
    unsigned char id[PEER_MAX];
};

/* Both clocks of one turn of the loop; pure code reads no other. */
struct core_time {
    int64_t mono_ms; /* deadlines */
    int64_t wall_us; /* what people see */
};

/* Events of one chat that were asked for with QUERY_RANGE. */
struct range {
    uint64_t link;
    char chat[ID_CHAT_MAX + 1];
    uint64_t generation; /* as asked: a chat that was deleted meanwhile has another */
    uint64_t since;
    bool failed; /* could not be read now; ask again later */
    size_t count;
    const struct event_row *rows; /* ascending, from since + 1 on if still kept */
};

enum input_kind {
    INPUT_REQUEST,     /* a frame of a gateway */
    INPUT_WORK,        /* a frame of a worker */
    INPUT_OUTSIDE,     /* an event of an outside program */
    INPUT_LINK_OPEN,   /* a gateway subscribed to its link's topic */
    INPUT_LINK_CLOSED, /* it unsubscribed or vanished */
    INPUT_TAP,         /* somebody reads the tap from now on, or nobody does */
    INPUT_RANGE,       /* events from the record */
    INPUT_ROOM_OLD,    /* a chat without a conversation that may go, unless somebody needs it or it has changed */
    INPUT_TICK,        /* time has passed */
    INPUT_KINDS,
};

struct input {
    enum input_kind kind;
    struct peer peer; /* REQUEST, WORK, OUTSIDE (len 0: fire and forget) */
    union {
        struct {
            const struct request_frame *frame;
            const struct answer_row *prior; /* the record's answer for this id, NULL = none */
            const struct answer_row *keyed; /* the record's answer for this idempotency key, NULL = none */
        } request;
        const struct work_frame *work;
        struct {
            struct bytes chat, json; /* both empty when misframed: not the frames of an event */
            bool misframed;
            uint64_t prior_seq; /* the record knows this event_id under this number; 0 = no */
        } outside;
        uint64_t link;
        bool tapped;
        const struct range *range;
        struct {
            const char *chat;
            uint64_t head; /* its newest event when it was found to be old */
        } room;
    } of;
};

#endif
