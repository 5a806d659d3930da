/* world - one simulated day of a whole Sheetwire: a virtual clock, a queue of happenings ordered by it, the processes,
 * the faults that strike them, and what has been seen. One thread, one world at a time: the wrapped system calls
 * (clock, randomness, log) ask the world that runs. */
#ifndef WORLD_H
#define WORLD_H

#include "chance.h"
#include "core/core.h"

#define GATEWAYS   2
#define WORKERS    3
#define CLIENTS    5
#define PUBLISHERS 2
#define CALLERS    3
#define CHATS      4
#define CONNS_MAX  64

/* Everything that goes wrong, each counted; the report wants none of them to be zero. */
enum fault_kind {
    FAULT_BROKER_CRASH,
    FAULT_BROKER_PAUSE,
    FAULT_GATEWAY_CRASH,
    FAULT_GATEWAY_PAUSE,
    FAULT_WORKER_CRASH,
    FAULT_WORKER_PAUSE,
    FAULT_WORKER_DRAIN,
    FAULT_CLIENT_CRASH,
    FAULT_CLIENT_PAUSE,
    FAULT_CUT,       /* a connection breaks; what is on its way is lost */
    FAULT_STALL,     /* nothing arrives for a while, then everything */
    FAULT_FEED_DROP, /* a publisher socket drops silently at its high-water mark */
    FAULT_WALL_JUMP,
    FAULT_STANDSTILL, /* the whole machine sleeps for a minute */
    FAULT_CALLER_GONE,
    FAULT_RETENTION,
    FAULT_ROOM_OLD,
    FAULT_SCHEDULED, /* the ones above strike between happenings, the ones below inside of them */
    FAULT_NO_SPACE = FAULT_SCHEDULED,
    FAULT_COMMIT_REFUSED,    /* another error of the store: nothing was written */
    FAULT_CRASH_BEFORE_DISK, /* the broker dies in a commit, and it is not on disk */
    FAULT_CRASH_AFTER_DISK,  /* the broker dies in a commit, and it is on disk */
    FAULT_READ_ERROR,        /* loading from the record fails */
    FAULT_RANGE_ERROR,       /* the reader's thread cannot read a range */
    FAULT_ANSWER_ERROR,      /* nor the end of a run */
    FAULT_READER_FULL,       /* it has too much to do */
    FAULT_UPLINK_FULL,       /* a mailbox inside the gateway has no room */
    FAULT_FEED_HELD,         /* the WebSocket loop has no room for a batch */
    FAULT_STEP_KILLED,       /* from outside: a lost attempt */
    FAULT_STEP_HANGS,
    FAULT_SPOOL_LOST,
    FAULT_SINCE_FUTURE, /* a client asks from where the record has not come to */
    FAULT_SINCE_OLD,    /* a client has gone back, far behind what it once held */
    FAULT_EPOCH_UNKNOWN,
    FAULT_KINDS,
};

enum invariant {
    INV_DENSE,
    INV_JOB_KEPT,
    INV_EVENT_KEPT,
    INV_ONE_TOKEN,
    INV_STALE_TOKEN,
    INV_ONE_END,
    INV_CANCEL,
    INV_ONE_AT_A_TIME,
    INV_IN_ORDER,
    INV_ON_DISK_FIRST,
    INV_READS_SEE,
    INV_ONE_EFFECT,
    INV_ONE_KEY,
    INV_KEY_ANSWER,
    INV_KEY_OTHER,
    INV_KEY_WAITS,
    INV_REFUSED_NEVER,
    INV_TRUE_ANSWER,
    INV_PREFIX,
    INV_WINDOW,
    INV_RESUME_SEAMLESS,
    INV_RESET_TOLD,
    INV_EPOCHS,
    INV_RESTORED,
    INV_GAP_TOLD,
    INV_ROOM_GOES,
    INV_PROGRESS_COMES,
    INV_PROGRESS_GROWS,
    INV_PROGRESS_STAYS,
    INV_CLOSING_FIRST,
    INV_LEFT_CHAT,
    INV_UNSUBSCRIBED,
    INV_ADD_KEEPS,
    INV_CANCEL_TOLD,
    INV_GOES_ON,
    INV_TRUSTED,
    INV_RUN_ENDS,
    INV_CLIENT_CATCHES_UP,
    INV_CALLER_ANSWERED,
    INV_NOTHING_LEAKS,
    INVARIANTS,
};

struct invariant_row {
    const char *name;
    const char *interesting; /* what its counter counts */
};
extern const char *const fault_names[FAULT_KINDS];
extern const struct invariant_row invariant_rows[INVARIANTS];

struct tally {
    uint64_t faults[FAULT_KINDS];
    uint64_t cases[INVARIANTS];
    uint64_t seeds, steps, jobs, events, commits, applied;
};

struct world;
typedef void happening_fn(struct world *world, void *who, uint64_t arg);

/* Called once for a process when it may work: what it finds in its inbox, and its timers. */
struct process {
    const char *name;
    bool up;
    bool work_due;
    uint32_t incarnation; /* of the process; what was meant for an earlier one is void */
    int64_t paused_until_us;
    int64_t slow_us; /* the longest it takes to get to its work */
    void (*work)(struct world *world, void *owner);
    void *owner;
    struct letter *first, *last;
};

/* What lies in a process's inbox: bytes with a kind of the owner's, from a connection or from a part of itself. */
struct letter {
    struct letter *next;
    int kind;
    struct conn *conn; /* NULL: from itself */
    uint32_t generation;
    uint64_t number;
    size_t len;
    char bytes[];
};

#define WISHES 6

/* What somebody asks for under an idempotency key, and may ask for again. */
struct wish {
    bool create; /* a chat; otherwise a run in `chat` */
    int chat;
    char key[32], steps[200];
};

/* What somebody keeps of a chat, to restore it; see sim_dump.c. */
struct dump {
    char *record; /* NULL: nothing */
    size_t events, files;
};

struct sim_broker;
struct sim_gateway;
struct sim_worker;
struct sim_client;
struct sim_publisher;
struct sim_caller;
struct referee;
struct store;

struct world {
    struct chance chance;
    uint64_t seed;
    int64_t now_us, wall_shift_us;
    struct happening *heap;
    size_t heap_len, heap_room;
    uint64_t order, steps;
    uint64_t rebuilds;           /* of the broker's memory: what was not on disk is forgotten then */
    uint32_t rates[FAULT_KINDS]; /* of 1,000 chances in this seed */
    bool calm;                   /* no further faults */
    int64_t calm_us;             /* since when */
    bool stopping;
    struct tally *tally;

    struct conn *conns[CONNS_MAX]; /* all there are, for cutting */
    size_t conn_count;
    struct store *disk;
    struct sim_broker *broker;
    struct sim_gateway *gateways[GATEWAYS];
    struct sim_worker *workers[WORKERS];
    struct sim_client *clients[CLIENTS];
    struct sim_publisher *publishers[PUBLISHERS];
    struct sim_caller *callers[CALLERS];
    struct referee *referee;
    unsigned char last_id[REQUEST_ID_LEN]; /* the newest request id that was made */
    struct wish wishes[WISHES];            /* the newest */
    uint64_t wished;
    struct dump dumps[CHATS];

    bool failed;
    enum invariant broken;
    char failure[1000];
    bool tracing, trace_all;
    char (*trace)[400]; /* ring of the last lines */
    uint64_t traced;
};

#define TRACE_LINES 40

extern const char *const world_chats[CHATS]; /* ids; the last one has no conversation */

enum err world_new(struct world **out, uint64_t seed, struct tally *tally, bool tracing, bool trace_all) MUST_CHECK;
void world_destroy(struct world **self_p);
/* Runs `steps` happenings under faults, then calm ones until everything has come to its end. */
void world_run(struct world *self, uint64_t steps);

/* ---- for the parts of the world ---- */

void world_at(struct world *self, int64_t delay_us, happening_fn *run, void *who, uint64_t arg);
int64_t world_mono_ms(const struct world *self);
int64_t world_wall_us(const struct world *self);
/* Strikes by the seed's rate of this fault; counted when it does. */
bool world_strikes(struct world *self, enum fault_kind fault);
void world_fail(struct world *self, enum invariant broken, const char *format, ...) PRINTF_LIKE(3, 4);
/* An interesting case of an invariant was seen. */
#define world_saw(world, invariant) ((world)->tally->cases[invariant]++)
void world_say(struct world *self, const char *format, ...) PRINTF_LIKE(2, 3);
#define TRACE(world, ...)                                                                                              \
    do {                                                                                                               \
        if ((world)->tracing)                                                                                          \
            world_say((world), __VA_ARGS__);                                                                           \
    } while (0)

struct letter *letter_new(int kind, const void *bytes, size_t len);
void process_put(struct world *world, struct process *self, struct letter *letter); /* takes it; dropped when down */
struct letter *process_take(struct process *self);                                  /* the caller frees */
void process_put_back(struct process *self, struct letter *letters); /* a list, read again with what comes next */
void process_wake(struct world *world, struct process *self);
void process_pause(struct world *world, struct process *self, int64_t us);
void process_end(struct process *self); /* kill -9: its inbox is gone */
void process_start(struct world *world, struct process *self);

#endif
