/* event - the one table of event types: which are history (numbered, stored, replayed) and which are state (progress:
 * latest value per step). Unknown types from outside are durable. The broker goes by it, and docs/protocol.md is held
 * to it by a test. */
#ifndef EVENT_H
#define EVENT_H

#include "err.h"

enum event_class { EVENT_RECORD, EVENT_STATE };

struct event_type {
    const char *name;
    enum event_class kind;
    bool terminal;      /* the last word of a run */
    bool outside;       /* may be published by outside programs (they never change job state) */
    const char *fields; /* for the docs: the fields besides chat_id, seq, epoch, timestamp */
};

extern const struct event_type event_types[];                           /* ended by name NULL */
const struct event_type *event_type_find(const char *name, size_t len); /* NULL = unknown: a durable event */
/* Whether the word is a gateway's, of what it says to one socket ("connected"): no event has such a type. */
bool event_is_gateway_word(const char *name);

#endif
