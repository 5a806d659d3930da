/* sim - the processes of a world. Each is made once, started, and may be killed and started again; what is real in it
 * stands at the head of its file. */
#ifndef SIM_H
#define SIM_H

#include "net.h"

#define SIM_BEAT_MS        300
#define SIM_LEASE_MS       1300
#define SIM_RUN_TIMEOUT_MS 8000
#define SIM_ATTEMPTS       3
#define SIM_WINDOW         6
#define SIM_BATCH_BYTES    6000 /* a few records, so that a window fills up while a link catches up */
#define SIM_EVENT_BYTES    2048
#define SIM_STEPS_MAX      4
#define SIM_OUTSIDE_STEPS  3 /* s0, s1, s2: what an outside program tells the progress of */

/* sim_broker: core, turn.c and the model store */
enum err sim_broker_new(struct world *world) MUST_CHECK;
void sim_broker_free(struct world *world);
struct process *sim_broker_process(struct world *world);
void sim_broker_start(struct world *world);
void sim_broker_crash(struct world *world);
void sim_broker_feed_lost(struct world *world, struct conn *conn); /* for conn->server_lost of a FEED */
void sim_broker_room_old(struct world *world, int chat);       /* its expiry has found it; nothing when it is no room */
const struct core *sim_broker_core(const struct world *world); /* NULL: down */
/* pub_seq of the newest progress it has of that outside step; 0 = none. */
int64_t sim_broker_outside_progress(const struct world *world, int chat, int step);

/* sim_gateway: link_state, pending, hub, outqueue, frames, handshake */
enum err sim_gateway_new(struct world *world, int i) MUST_CHECK;
void sim_gateway_free(struct world *world, int i);
struct process *sim_gateway_uplink(struct world *world, int i);
struct process *sim_gateway_loop(struct world *world, int i);
void sim_gateway_start(struct world *world, int i);
void sim_gateway_crash(struct world *world, int i);
void sim_gateway_adopt(struct conn *conn); /* the server of a client's WebSocket */
struct uplink_call;
void sim_gateway_call(struct world *world, int i, struct uplink_call *call);

/* sim_worker: lease_keeper */
enum err sim_worker_new(struct world *world, int i) MUST_CHECK;
void sim_worker_free(struct world *world, int i);
struct process *sim_worker_process(struct world *world, int i);
void sim_worker_start(struct world *world, int i);
void sim_worker_crash(struct world *world, int i);
void sim_worker_drain(struct world *world, int i);
uint32_t sim_worker_slots(const struct world *world, int i); /* 0 when down or draining */
size_t sim_worker_held(const struct world *world, int i);

/* sim_client: resume */
enum err sim_client_new(struct world *world, int i) MUST_CHECK;
void sim_client_free(struct world *world, int i);
struct process *sim_client_process(struct world *world, int i);
void sim_client_start(struct world *world, int i);
void sim_client_crash(struct world *world, int i);
/* Why this client is not at the end of its chats' records; NULL = it is. *blame: what that breaks. */
const char *sim_client_behind(const struct world *world, int i, enum invariant *blame);

/* sim_publisher: an outside program; even ones acknowledged (DEALER), odd ones not (PUB) */
enum err sim_publisher_new(struct world *world, int i) MUST_CHECK;
void sim_publisher_free(struct world *world, int i);
void sim_publisher_start(struct world *world, int i);
bool sim_publisher_idle(const struct world *world, int i);

/* sim_caller: somebody who uses REST */
enum err sim_caller_new(struct world *world, int i) MUST_CHECK;
void sim_caller_free(struct world *world, int i);
void sim_caller_start(struct world *world, int i);
void sim_caller_gateway_died(struct world *world, int gateway);
void sim_caller_leaves(struct world *world, int i);
bool sim_caller_idle(const struct world *world, int i);

/* sim_dump: what people keep of their chats */
void sim_dump_take(struct world *world, int chat); /* in place of an older one; nothing when there is nothing to keep */
void sim_dumps_free(struct world *world);

#endif
