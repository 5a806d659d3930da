/* snapshot - what somebody who has seen nothing of a chat is told: status, current or last run, its steps. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "core/chat.h"
#include "core/compose.h"

/* {"status":text|null,"job":{...}|null,"steps":[...]}, at most event_bytes_max bytes: then results, after that steps
 * are left out and "truncated":true is added. */
void snapshot_write(const struct core *core, const struct chat *chat, struct compose *out);

#endif
