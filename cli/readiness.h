/* readiness - asks a starting stack whether it is ready: REST says that broker and a worker are there, and the
 * WebSocket port takes connections. One look takes at most half a second and a bit. */
#ifndef READINESS_H
#define READINESS_H

#include "settings.h"

struct readiness;

enum err readiness_new(struct readiness **out, const struct settings *settings, struct fault *why) MUST_CHECK;
void readiness_destroy(struct readiness **self_p);
bool readiness_look(struct readiness *self);

/* Before anything is started: does somebody else have our ports or the broker's socket? What answered there would be
 * taken for our own. *why says where. */
bool readiness_taken(const struct settings *settings, struct fault *why);

#endif
