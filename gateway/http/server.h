/* server - the REST listener: the one door to the HTTP library (libmicrohttpd). One thread serves all connections;
 * another sweeps them for deadlines and clients that have hung up. Handlers see http/request.h and http/reply.h only.
 */
#ifndef SERVER_H
#define SERVER_H

#include "http/route.h"
#include "settings.h"

struct server;

struct server_setup {
    const struct settings *settings;   /* borrowed until server_stop() returns */
    const struct route *const *routes; /* as in route_find(); borrowed for ever */
    void *context;                     /* request->context of every request */
};

/* Binds app.host and app.port and serves. ERR_UNAVAILABLE names address and key when the port is taken. */
enum err server_start(struct server **out, const struct server_setup *setup, struct fault *why) MUST_CHECK;
/* Accepts nobody more and ends waits that a drain may end; readiness fails from now on. Returns at once;
 * takes NULL. */
void server_drain(struct server *self);
/* Drains, gives what runs until the deadline, then closes everything and frees. Takes NULL. */
void server_stop(struct server **self_p, int deadline_ms);

#endif
