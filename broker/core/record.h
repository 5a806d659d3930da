/* record - makes history: gives an event its number, stamps it, and lets everybody who must know know: the changes, the
 * chat's memory, the feed and the tap. Progress takes the same way without number and record. */
#ifndef RECORD_H
#define RECORD_H

#include "core/job.h"
#include "core/stamp.h"

struct draft {
    const char *type;
    const struct job *job;              /* NULL: of an outside program */
    const char *extra;                  /* further members as text, NULL = none */
    const struct json_members *members; /* the sender's members, NULL = none */
    const char *const *dropped;         /* of these, besides the stamped ones */
    const char *event_id;               /* of an outside publisher, NULL = none */
};

/* A durable event. The newest progress of `closing_key` (NULL = none) that chat_progress_put() got belongs to it: it is
 * sent directly before the event and forgotten. Returns the event's number; 0 = the stamped event is larger than
 * event_bytes_max and nothing happened. */
uint64_t record_event(struct core *core, struct chat *chat, const struct draft *draft, const char *closing_key);
/* Newest progress of a step; an oversized one is dropped. Closing: kept for the record_event() that follows. */
void record_progress(struct core *core, struct chat *chat, const struct draft *draft, const char *key, bool closing);
/* The chat has another history: attached clients get a new `connected`. */
void record_reset(struct core *core, struct chat *chat);
void record_message(struct core *core, struct chat *chat, const char *type, const char *content, const char *metadata);

#endif
