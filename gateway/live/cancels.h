/* cancels - what WebSocket clients want cancelled, on its way to the broker and back. A run that is cancelled is
 * answered by its own event; only what goes wrong comes back from here. The loop's thread, but for the answers of the
 * uplink, which wait here until the loop takes them. */
#ifndef CANCELS_H
#define CANCELS_H

#include "uplink.h"

#define CANCELS_PER_SOCKET  8 /* without an answer; beyond: an error */
#define CANCELS_DEADLINE_MS 15000

struct cancels;

/* wake(ctx) is called in the uplink's thread when there is something to take. */
enum err cancels_new(struct cancels **out, struct uplink *uplink, void (*wake)(void *ctx), void *ctx) MUST_CHECK;
void cancels_destroy(struct cancels **self_p); /* no wake afterwards */
/* ERR_FULL: too many of this socket, or of all, are on their way. */
enum err cancels_ask(struct cancels *self, void *socket, const char *chat, const char *job) MUST_CHECK;
/* The socket is gone. self may be NULL: then nothing is on its way. */
void cancels_drop(struct cancels *self, const void *socket);
/* Every refusal that has come: `problem` for the client, borrowed. It may not call this file. */
void cancels_take(struct cancels *self, void (*refused)(void *socket, const char *problem));

#endif
