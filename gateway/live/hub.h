/* hub - who follows which chat and how far he has come: cursors, the cut-over from replay to live, and what is attached
 * again when the link to the broker is a new one. Pure: no sockets, no clock, no threads. What goes out leaves through
 * struct hub_output; the gateway's loop and the simulator give it different ends.
 *
 * A session is one WebSocket, which follows any number of chats up to HUB_CHATS_MAX. States of its following one chat:
 *   IDLE       no chat
 *   DUE        to be attached: no link is open, or the uplink had no room
 *   ATTACHING  ATTACH was sent, ATTACHED has not come: nothing of the chat may be sent
 *   REPLAYING  ATTACHED came, LIVE has not: REPLAY is its own, EVENT and PROGRESS are not yet
 *   LIVE       takes part in the chat's EVENT and PROGRESS
 * The cursor is the last seq delivered (or held by the client). An event is sent only when its seq is greater: whatever
 * comes twice, at the cut-over or after a lost link, reaches the client once.
 * A lost link makes every session DUE again, from its own cursor. When the broker can go on exactly there, the client
 * does not notice; otherwise it gets a new `connected`. */
#ifndef HUB_H
#define HUB_H

#include "live/outqueue.h"
#include "uplink.h"

struct hub;
struct session;

/* All are called from inside hub functions and must not call the hub. */
struct hub_output {
    void *ctx;
    /* frame is borrowed: take a reference to keep it. key names the progress that frame replaces (empty: none). */
    void (*send)(void *ctx, void *socket, struct frame *frame, enum out_kind kind, struct bytes key);
    /* Of one chat's following; ERR_FULL: later, see hub_pump(). */
    enum err (*attach)(void *ctx, const struct uplink_attach *attach);
    enum err (*detach)(void *ctx, uint64_t link, uint64_t attach);
};

#define HUB_CHATS_MAX 64 /* that one session follows */

struct hub_want {
    const char *chat; /* valid chat id; NULL or "": none */
    bool has_since;
    uint64_t since;
    const char *epoch; /* NULL or "": unknown */
};

enum err hub_new(struct hub **out, const struct hub_output *output) MUST_CHECK; /* output is borrowed */
void hub_destroy(struct hub **self_p);                                          /* every session must be closed */
void hub_set_time(struct hub *self, int64_t wall_us);                           /* for timestamps; before each round */

/* A socket is there. Without chat it is answered `connected` at once; otherwise when the broker has answered. */
enum err hub_open(struct hub *self, struct session **out, void *socket, const struct hub_want *want) MUST_CHECK;
/* Leaves all chats and follows another (or the same one anew). ERR_MEMORY: as it was. */
enum err hub_subscribe(struct hub *self, struct session *session, const struct hub_want *want) MUST_CHECK;
/* Follows one more chat, or one it follows already anew. ERR_FULL: HUB_CHATS_MAX; ERR_MEMORY: as it was. */
enum err hub_add(struct hub *self, struct session *session, const struct hub_want *want) MUST_CHECK;
/* Leaves one chat: nothing of it is sent any more. Harmless when it is not followed. */
void hub_unsubscribe(struct hub *self, struct session *session, const char *chat);
bool hub_follows(const struct session *session, const char *chat);
void hub_close(struct hub *self, struct session **session_p);

/* The link that is open now; 0 = none. */
void hub_link(struct hub *self, uint64_t link);
/* One batch of that link; of another link it is void. ERR_PROTOCOL: the link must be given up. */
enum err hub_batch(struct hub *self, uint64_t link, const void *bytes, size_t len) MUST_CHECK;
/* Sends attaches and detaches that are still due; true when some remain. */
bool hub_pump(struct hub *self);

size_t hub_sessions(const struct hub *self);
uint64_t hub_cursor(const struct session *session); /* of the chat it opened with or subscribed to */

#endif
