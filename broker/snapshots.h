/* snapshots - copies of the record in a folder of their own, chat_backup_{YYYYMMDD_HHMMSS}.db, asked for or by the
 * clock. The names tell their age, so nothing else has to be kept. Runs in the janitor's thread. */
#ifndef SNAPSHOTS_H
#define SNAPSHOTS_H

#include "err.h"

#include <stdatomic.h>
#include <stdint.h>

struct store;

#define SNAPSHOT_NAME_MAX 64

struct snapshots {
    const struct store *record;
    const char *folder;     /* borrowed like the record; made with the first snapshot */
    bool scheduled;         /* by the clock too; then old ones go as well */
    int64_t interval_us;    /* from one to the next */
    int64_t retention_us;   /* older ones go, but for the newest; 0 = never */
    const atomic_bool *end; /* set: give up a copy that is being made */
};

/* A snapshot of now; name gets its file name. What was begun and not finished leaves nothing. */
enum err snapshots_take(const struct snapshots *self, int64_t wall_us, char name[SNAPSHOT_NAME_MAX],
                        struct fault *why) MUST_CHECK;
/* Takes one when the newest is older than the interval, and removes old ones. Logs what goes wrong. */
void snapshots_tick(const struct snapshots *self, int64_t wall_us);
/* The time a snapshot's file name says; false = it is no such name. Pure. */
bool snapshots_time(const char *name, int64_t *wall_us);

#endif
