/* expiry - looks for what may go because of its age, in the janitor's thread and in small pieces. What the record must
 * forget is told to the loop by letters; files nobody names and old dumps are removed here. */
#ifndef EXPIRY_H
#define EXPIRY_H

#include "broker.h"
#include "old_dumps.h"
#include "orphans.h"

/* A gateway sends a request again as long as its caller waits: http.execute_wait_seconds, at most a day. */
#define EXPIRY_ANSWER_HOURS 48
/* The same for a file that is on disk and in a call on its way; and an upload may take its time. */
#define EXPIRY_FILE_HOURS 1 /* beyond http.execute_wait_seconds */

struct expiry {
    struct mailbox *replies; /* borrowed */
    struct store_reader *store;
    int64_t events_age_us; /* 0 = for ever */
    uint64_t events_max;
    int64_t room_age_us; /* 0 = for ever */
    int64_t dump_age_us; /* 0 = for ever */
    const char *dumps_path;
    struct orphans orphans;
    /* Where the running pass over each stands. */
    char events_after[ID_CHAT_MAX + 1];
    struct store_room_cursor rooms_after;
    struct store_answer_range answers;
    uint32_t looked_at, found; /* of the piece being looked at */
};

/* Body of REPLY_TRIM (number: the newest event that may go) and REPLY_ROOM (number: the newest event). */
struct found_chat {
    char chat[ID_CHAT_MAX + 1];
    char epoch[EPOCH_MAX]; /* of REPLY_TRIM */
    uint64_t seq;
};

/* files is borrowed. */
enum err expiry_open(struct expiry *self, const struct settings *settings, const struct store *record,
                     struct files *files, struct mailbox *replies, struct fault *why) MUST_CHECK;
void expiry_close(struct expiry *self);
/* false: by the settings there is never anything to look for. Any thread. */
bool expiry_wanted(const struct settings *settings, enum pass_kind pass);
/* The next piece of a pass; at most JANITOR_TRIMS_MAX letters. true = it was the last. */
bool expiry_look(struct expiry *self, enum pass_kind pass, int64_t wall_us);

#endif
