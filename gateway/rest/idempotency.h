/* idempotency - the Idempotency-Key of a request: two requests of one route and chat that carry the same one are one
 * request, whose answer both get; the same key with another body is the client's mistake. */
#ifndef IDEMPOTENCY_H
#define IDEMPOTENCY_H

#include "rest/rest.h"

#define IDEMPOTENCY_KEY_MAX 255 /* bytes */

enum idempotency_found { IDEMPOTENCY_NONE, IDEMPOTENCY_KEYED, IDEMPOTENCY_WRONG };

/* KEYED: *out is filled from route, chat (NULL = none), key and body. WRONG: the request is answered with 400. */
enum idempotency_found idempotency_read(struct request *request, const char *route, const char *chat, struct bytes body,
                                        struct idempotency *out);
/* What the broker tells requests apart by; pure. chat NULL = none. false: no memory. */
bool idempotency_derive(struct idempotency *out, const char *route, const char *chat, const char *key,
                        struct bytes body) MUST_CHECK;

#endif
