/* referee_inside - what the referee's files share: referee.c looks at the record and the feed, referee_calls.c at calls
 * and their answers. */
#ifndef REFEREE_INSIDE_H
#define REFEREE_INSIDE_H

#include "json_scan.h"
#include "referee.h"
#include "sim.h"
#include "strmap.h"

#define LINKS_MAX 512

/* The newest record that left on a link. */
struct link_seen {
    uint64_t link;
    bool closing;
};

struct referee {
    struct strmap *refused; /* request id -> itself: told "never" */
    struct strmap *tokens;  /* token -> job */
    struct strmap *calls;   /* request id -> struct asked, owned */
    bool delete_asked[ALL_CHATS], restore_asked[ALL_CHATS];
    const struct model_history *old_history[CHATS]; /* of rooms, when they were found to be old */
    uint64_t old_head[CHATS];
    struct link_seen links[LINKS_MAX];
    size_t link_count;
    enum invariant blame;
    char open[400];
};

/* A text of a JSON object, "" when it has none. */
bool referee_text(const char *json, size_t len, const char *key, char *out, size_t size);
void referee_not_on_disk(struct world *world, const char *what, const char *which);
const struct asked *referee_asked_of(const struct world *world, const unsigned char id[REQUEST_ID_LEN]);
bool referee_of_key(const struct model_answer *answer, const struct asked *asked);
void referee_answer_leaves(struct world *world, const struct effect *effect);
void referee_query_leaves(struct world *world, const struct query *query);

#endif
