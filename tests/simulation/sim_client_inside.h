/* sim_client_inside - what the client's files share: sim_client.c asks, sim_client_sees.c looks at what comes. */
#ifndef SIM_CLIENT_INSIDE_H
#define SIM_CLIENT_INSIDE_H

#include "core/job.h"
#include "resume.h"
#include "sim.h"

#define STEPS_SEEN 64
#define JOBS_SEEN  64
#define TEXT_MAX   (JOB_ID_MAX + 1)

/* The newest progress of a step, and whether its result was seen. */
struct step_seen {
    char job[TEXT_MAX], step[ID_UUID_LEN + 1];
    int64_t attempt, progress;
    int64_t done_attempt; /* of the result: only a later attempt may go back to the step */
    uint64_t rebuilds;    /* of the broker's memory before that */
    bool done;
    int chat;
};

enum ask { ASK_NOTHING, ASK_OPEN, ASK_SUBSCRIBE, ASK_ADD, ASK_LEAVE };

/* One at a time: then every answer tells what it answers. */
struct asking {
    enum ask kind;
    int chat;
    bool anew;    /* it is followed already: asked without a position, which a snapshot answers */
    uint64_t seq; /* the position it was asked with */
    char epoch[RESUME_EPOCH_MAX];
    int64_t at_us;
};

struct sim_client {
    struct world *world;
    int number;
    struct process process;
    struct conn conn;
    struct resume held[CHATS];
    bool wanted[CHATS], follows[CHATS]; /* follows: `connected` came on this connection */
    bool unsubscribed[CHATS];           /* on this connection */
    struct asking asked;
    char cancelled[TEXT_MAX]; /* the job of a cancel that nothing answered yet; "" = none */
    int cancelled_chat;
    uint32_t errors_due; /* at most, on this connection */
    bool retry_due;
    uint32_t old; /* letters of connections up to this one are void */
    struct step_seen steps[STEPS_SEEN];
    size_t step_count;
    char ended[JOBS_SEEN][TEXT_MAX];
    size_t ended_count;
    int64_t outside[CHATS][SIM_OUTSIDE_STEPS]; /* pub_seq of the newest progress of each */
};

size_t sim_client_count(const bool chats[CHATS]);
void sim_client_ask_next(struct sim_client *self); /* what was asked is answered */
void sim_client_forget_steps(struct sim_client *self, int chat);
void sim_client_read(struct sim_client *self, const struct letter *letter);

#endif
