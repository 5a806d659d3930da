/* A gateway: the real link_state, pending calls, hub, outqueues, frames, handshake, client messages and cancels. Its
 * two threads are two processes that live, stop and die together; they speak by letters that take time, as in the real
 * one. */
#include "sim.h"

#include "link_state.h"
#include "live/cancels.h"
#include "live/client_message.h"
#include "live/handshake.h"
#include "live/hub.h"
#include "model_store.h"
#include "referee.h"
#include "wire/feed_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES_MAX ((size_t)1 << 20)
#define BATCHES_MAX     4    /* letters the loop takes */
#define WRITE_BYTES     1024 /* joined frames of one write */
#define WRITES_MAX      2    /* on their way to a client that has not read them */
#define QUEUE_BYTES_MAX 9000
#define PUMP_US         20000

enum {
    LETTER_LINK = 32,
    LETTER_BATCH,
    LETTER_FRAME,
    LETTER_DRAINED,
    LETTER_BROKEN,
    LETTER_GONE,
    LETTER_PUMP,
    LETTER_ANSWERED
};

/* One WebSocket. */
struct socket {
    struct sim_gateway *gateway;
    struct conn *conn; /* NULL: the place is free */
    uint32_t generation;
    struct session *session;
    struct outqueue queue;
    size_t writes; /* not read yet */
    bool closing;
};

struct sim_gateway {
    struct world *world;
    int number;
    struct process uplink, loop;
    struct conn requests, feed;
    struct link_state state;
    struct link_hands hands;
    struct pending *pending;
    struct letter *held_letter;      /* what state.held lies in */
    uint32_t requests_old, feed_old; /* letters of connections up to these are of a link that was given up */
    struct hub *hub;
    struct hub_output output;
    struct cancels *cancels;
    uint64_t link; /* what the uplink told the loop: read with every letter */
    size_t batches;
    bool starved, pump_due;
    struct socket sockets[CLIENTS];
};

static void uplink_work(struct world *world, void *owner);
static void loop_work(struct world *world, void *owner);

static struct sim_gateway *gateway_of(const struct world *world, int i)
{
    return world->gateways[i];
}

/* ---- connections to the broker ---- */

static void requests_made(struct world *world, struct conn *conn)
{
    struct sim_gateway *self = conn->owner;
    process_wake(world, &self->uplink);
}

/* What the socket monitors say. */
static void link_broken(struct world *world, struct conn *conn)
{
    struct sim_gateway *self = conn->owner;
    TRACE(world, "gateway %d: a connection broke", self->number);
    struct letter *letter = letter_new(LETTER_GONE, NULL, 0);
    letter->number = self->state.id;
    process_put(world, &self->uplink, letter);
}

static void feed_made(struct world *world, struct conn *conn)
{
    const struct sim_gateway *self = conn->owner;
    char message[FEED_TOPIC_MAX + 1] = {1}; /* a SUB subscribes again by itself */
    size_t len = feed_topic(self->state.id, message + 1);
    conn_send(world, conn, SIDE_CLIENT, message, len + 1);
}

/* ---- the hands of link_state ---- */

static enum err send_frame(void *ctx, const struct request_frame *frame)
{
    struct sim_gateway *self = ctx;
    struct buf bytes = BUF_INIT(FRAME_BYTES_MAX);
    enum err err = request_frame_write(frame, &bytes);
    if (err == ERR_OK && !conn_send(self->world, &self->requests, SIDE_CLIENT, bytes.data, bytes.len))
        err = ERR_FULL;
    buf_fini(&bytes);
    return err;
}

static uint64_t renew(void *ctx, const char *reason)
{
    struct sim_gateway *self = ctx;
    struct world *world = self->world;
    TRACE(world, "gateway %d: link lost: %s", self->number, reason ? reason : "it never opened");
    conn_unwant(world, &self->requests);
    conn_unwant(world, &self->feed);
    self->requests_old = self->requests.generation;
    self->feed_old = self->feed.generation;
    conn_want(world, &self->requests);
    conn_want(world, &self->feed);
    return chance_u64(&world->chance) | 1;
}

static void tell_link(void *ctx, uint64_t link)
{
    struct sim_gateway *self = ctx;
    TRACE(self->world, "gateway %d: link %016llx", self->number, (unsigned long long)link);
    self->link = link;
    process_put(self->world, &self->loop, letter_new(LETTER_LINK, NULL, 0));
}

static bool give_batch(void *ctx, uint64_t link, struct bytes bytes)
{
    struct sim_gateway *self = ctx;
    if (self->batches >= BATCHES_MAX || world_strikes(self->world, FAULT_FEED_HELD)) {
        self->starved = true;
        process_wake(self->world, &self->loop);
        return false;
    }
    struct letter *letter = letter_new(LETTER_BATCH, bytes.at, bytes.len);
    letter->number = link;
    self->batches++;
    process_put(self->world, &self->loop, letter);
    return true;
}

/* ---- the uplink's thread ---- */

static void take_batch(struct sim_gateway *self, struct letter **letter)
{
    link_state_batch(&self->state, (struct bytes){(*letter)->bytes, (*letter)->len});
    if (!self->state.batch_held)
        return;
    free(self->held_letter);
    self->held_letter = *letter;
    *letter = NULL;
}

/* ERR_FULL: the connection is not there yet; the letter and all behind it wait. */
static enum err forward(struct sim_gateway *self, const struct letter *letter)
{
    struct request_frame frame;
    memcpy(&frame, letter->bytes, sizeof frame);
    return frame.link == self->state.id && link_state_open(&self->state) ? link_state_send(&self->state, &frame)
                                                                         : ERR_OK;
}

/* What was not read in this round: the rest of its socket or mailbox is not read either. */
struct unread {
    struct letter *letters, **last;
    bool feed, mailbox;
};

static bool uplink_take(struct sim_gateway *self, struct letter **letter, struct unread *unread)
{
    struct letter *it = *letter;
    struct bytes bytes = {it->bytes, it->len};
    if (it->kind >= LETTER_LINK && it->kind != LETTER_GONE && unread->mailbox)
        return false;
    switch (it->kind) {
    case CONN_REQUESTS:
        if (it->generation > self->requests_old)
            link_state_answer(&self->state, bytes);
        break;
    case CONN_FEED:
        if (it->generation <= self->feed_old)
            break;
        unread->feed |= self->state.batch_held;
        if (unread->feed)
            return false;
        take_batch(self, letter);
        break;
    case LETTER_FRAME: unread->mailbox = forward(self, it) == ERR_FULL; return !unread->mailbox;
    case LETTER_DRAINED: link_state_offer_again(&self->state); break;
    case LETTER_BROKEN:
        if (it->number == self->state.id)
            link_state_broken(&self->state, "a record that does not decode");
        break;
    case LETTER_GONE:
        if (it->number == self->state.id)
            link_state_broken(&self->state, "the connection broke");
        break;
    }
    return true;
}

static void uplink_work(struct world *world, void *owner)
{
    struct sim_gateway *self = owner;
    struct letter *letter;
    struct unread unread = {.letters = NULL};
    unread.last = &unread.letters;
    link_state_set_time(&self->state, world_mono_ms(world));
    link_state_send_calls(&self->state);
    while ((letter = process_take(&self->uplink))) {
        if (uplink_take(self, &letter, &unread)) {
            free(letter);
            continue;
        }
        letter->next = NULL;
        *unread.last = letter;
        unread.last = &letter->next;
    }
    process_put_back(&self->uplink, unread.letters);
    link_state_tick(&self->state);
    link_state_send_calls(&self->state);
}

static void uplink_timer(struct world *world, void *who, uint64_t incarnation)
{
    struct sim_gateway *self = who;
    if (self->uplink.incarnation != (uint32_t)incarnation)
        return;
    process_wake(world, &self->uplink);
    world_at(world, SIM_BEAT_MS * 1000 / 2, uplink_timer, self, incarnation);
}

void sim_gateway_call(struct world *world, int i, struct uplink_call *call)
{
    struct sim_gateway *self = gateway_of(world, i);
    pending_add(self->pending, call);
    process_wake(world, &self->uplink);
}

/* ---- what cancels.c asks of the uplink ---- */

enum err __wrap_uplink_call(struct uplink *uplink, const struct uplink_request *request, struct uplink_call **out);
void __wrap_uplink_forget(struct uplink_call **call_p);

enum err __wrap_uplink_call(struct uplink *uplink, const struct uplink_request *request, struct uplink_call **out)
{
    struct sim_gateway *self = (struct sim_gateway *)(void *)uplink;
    struct asked asked = {.call = request->call, .chat = model_chat_number(request->chat)};
    if (call_new(out, request, world_mono_ms(self->world)) != ERR_OK)
        abort();
    if (world_strikes(self->world, FAULT_UPLINK_FULL)) {
        call_release(*out);
        call_forget(out);
        return ERR_FULL;
    }
    memcpy(asked.id, self->world->last_id, REQUEST_ID_LEN);
    referee_asked(self->world, &asked);
    sim_gateway_call(self->world, self->number, *out);
    return ERR_OK;
}

void __wrap_uplink_forget(struct uplink_call **call_p)
{
    call_forget(call_p);
}

static void wake_for_cancels(void *ctx)
{
    struct sim_gateway *self = ctx;
    process_put(self->world, &self->loop, letter_new(LETTER_ANSWERED, NULL, 0));
}

/* ---- one WebSocket ---- */

static void write_queue(struct socket *self)
{
    struct world *world = self->gateway->world;
    char out[WRITE_BYTES];
    while (self->writes < WRITES_MAX && !outqueue_empty(&self->queue)) {
        size_t frames, len = outqueue_take(&self->queue, out, sizeof out, &frames);
        struct frame *large = len == 0 ? outqueue_pop(&self->queue) : NULL;
        conn_send(world, self->conn, SIDE_SERVER, large ? (const void *)large->bytes : out, large ? large->len : len);
        frame_unref(&large);
        self->writes++;
    }
    outqueue_set_blocked(&self->queue, self->writes >= WRITES_MAX);
    if (self->closing && outqueue_empty(&self->queue) && self->conn->generation == self->generation)
        conn_cut(world, self->conn);
}

static void end_socket(struct socket *self)
{
    if (!self->conn)
        return;
    cancels_drop(self->gateway->cancels, self);
    hub_close(self->gateway->hub, &self->session);
    outqueue_fini(&self->queue);
    *self = (struct socket){.conn = NULL};
}

static void queue_frame(void *ctx, void *who, struct frame *frame, enum out_kind kind, struct bytes key)
{
    struct socket *self = who;
    (void)ctx;
    if (self->closing || !self->conn)
        return;
    if (outqueue_put(&self->queue, frame, kind, key) != ERR_OK) {
        TRACE(self->gateway->world, "gateway %d: slow reader closed", self->gateway->number);
        outqueue_drop(&self->queue);
        self->closing = true;
    }
}

static void write_all(struct sim_gateway *self)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (self->sockets[i].conn && self->sockets[i].conn->generation == self->sockets[i].generation)
            write_queue(&self->sockets[i]);
}

static void open_socket(struct sim_gateway *self, const struct letter *letter)
{
    const char *chat = letter->bytes + 1, *since = chat + strlen(chat) + 1, *epoch = since + strlen(since) + 1;
    char path[ID_CHAT_MAX + 8];
    struct handshake wants;
    struct socket *socket = NULL;
    if (letter->generation < letter->conn->generation)
        return; /* it came late, and its client has another connection by now */
    for (size_t i = 0; i < CLIENTS; i++)
        if (self->sockets[i].conn == letter->conn)
            end_socket(&self->sockets[i]);
    for (size_t i = 0; i < CLIENTS; i++)
        if (!self->sockets[i].conn)
            socket = &self->sockets[i];
    snprintf(path, sizeof path, "/chat/%s", chat);
    handshake_check(&wants, &(struct handshake_request){.is_get = true,
                                                        .is_http_1_1 = true,
                                                        .path = path,
                                                        .host = "h",
                                                        .upgrade = "websocket",
                                                        .connection = "Upgrade",
                                                        .version = "13",
                                                        .key = "dGhlIHNhbXBsZSBub25jZQ==",
                                                        .since = since,
                                                        .epoch = epoch});
    if (!socket || wants.status != 101) {
        world_fail(self->world, INV_RESUME_SEAMLESS, "a handshake is refused: %s", wants.why.text);
        return;
    }
    *socket = (struct socket){.gateway = self, .conn = letter->conn, .generation = letter->generation};
    outqueue_init(&socket->queue, QUEUE_BYTES_MAX);
    if (hub_open(self->hub, &socket->session, socket,
                 &(struct hub_want){wants.chat, wants.has_since, wants.since, wants.epoch}) != ERR_OK)
        abort();
}

static struct socket *socket_of(struct sim_gateway *self, const struct letter *letter)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (self->sockets[i].conn == letter->conn && self->sockets[i].generation == letter->generation)
            return &self->sockets[i];
    return NULL;
}

static void send_own(struct socket *self, enum err made, struct frame **frame)
{
    if (made != ERR_OK)
        abort();
    queue_frame(NULL, self, *frame, OUT_DURABLE, (struct bytes){"", 0});
    frame_unref(frame);
}

static void send_error(void *socket, const char *problem)
{
    struct socket *self = socket;
    struct frame *frame = NULL;
    send_own(self, frames_error(&frame, problem, world_wall_us(self->gateway->world)), &frame);
}

static void unsubscribe(struct socket *self, const char *chat)
{
    struct frame *frame = NULL;
    hub_unsubscribe(self->gateway->hub, self->session, chat);
    send_own(self, frames_unsubscribed(&frame, chat, world_wall_us(self->gateway->world)), &frame);
}

static void cancel(struct socket *self, const struct client_message *message)
{
    if (!hub_follows(self->session, message->chat))
        send_error(self, "Job not found in a chat this socket follows");
    else if (cancels_ask(self->gateway->cancels, self, message->chat, message->job) != ERR_OK)
        send_error(self, "Too many requests wait for the broker: try again later");
}

/* As websocket.c does it. */
static void take_message(struct sim_gateway *self, struct socket *socket, const struct letter *letter)
{
    struct client_message message;
    enum err err = client_message_read(&message, letter->bytes, letter->len);
    struct hub_want want = {message.chat, message.has_since, message.since, message.epoch};
    if (err != ERR_OK)
        abort();
    switch (message.kind) {
    case CLIENT_SUBSCRIBE:
        err =
            message.add ? hub_add(self->hub, socket->session, &want) : hub_subscribe(self->hub, socket->session, &want);
        break;
    case CLIENT_UNSUBSCRIBE: unsubscribe(socket, message.chat); break;
    case CLIENT_CANCEL: cancel(socket, &message); break;
    case CLIENT_PING:
    case CLIENT_OTHER:
    case CLIENT_NOTHING:
    case CLIENT_WRONG: world_fail(self->world, INV_LEFT_CHAT, "a message is not understood: %s", letter->bytes); break;
    }
    if (err != ERR_OK)
        abort();
}

/* What clients send in this world: 'G' and a handshake, 'R' when they have read a write, or a message. */
static void take_from_client(struct sim_gateway *self, const struct letter *letter)
{
    struct socket *socket = socket_of(self, letter);
    if (letter->bytes[0] == 'G')
        open_socket(self, letter);
    else if (socket && letter->bytes[0] == 'R')
        socket->writes -= socket->writes > 0;
    else if (socket && socket->session && !socket->closing)
        take_message(self, socket, letter);
}

/* ---- the loop's thread ---- */

static enum err tell_uplink(struct sim_gateway *self, const struct request_frame *frame)
{
    if (world_strikes(self->world, FAULT_UPLINK_FULL))
        return ERR_FULL;
    process_put(self->world, &self->uplink, letter_new(LETTER_FRAME, frame, sizeof *frame));
    return ERR_OK;
}

static enum err attach(void *ctx, const struct uplink_attach *attach)
{
    struct request_frame frame = {.kind = REQUEST_ATTACH,
                                  .link = attach->link,
                                  .attach = attach->attach,
                                  .has_since = attach->has_since,
                                  .since = attach->since};
    snprintf(frame.chat, sizeof frame.chat, "%s", attach->chat);
    snprintf(frame.epoch, sizeof frame.epoch, "%s", attach->epoch);
    return tell_uplink(ctx, &frame);
}

static enum err detach(void *ctx, uint64_t link, uint64_t id)
{
    return tell_uplink(ctx, &(struct request_frame){.kind = REQUEST_DETACH, .link = link, .attach = id});
}

static void loop_take(struct sim_gateway *self, struct letter *letter)
{
    hub_link(self->hub, self->link);
    switch (letter->kind) {
    case CONN_SOCKET: take_from_client(self, letter); break;
    case LETTER_BATCH:
        self->batches--;
        if (hub_batch(self->hub, letter->number, letter->bytes, letter->len) != ERR_OK)
            world_fail(self->world, INV_PREFIX, "a batch does not decode in the hub");
        break;
    case LETTER_ANSWERED: cancels_take(self->cancels, send_error); break;
    case LETTER_GONE:
        for (size_t i = 0; i < CLIENTS; i++)
            if (self->sockets[i].conn == letter->conn && self->sockets[i].generation == letter->generation)
                end_socket(&self->sockets[i]);
        break;
    }
}

static void pump(struct world *world, void *who, uint64_t incarnation)
{
    struct sim_gateway *self = who;
    self->pump_due = false;
    if (self->loop.incarnation == (uint32_t)incarnation)
        process_put(world, &self->loop, letter_new(LETTER_PUMP, NULL, 0));
}

static void loop_work(struct world *world, void *owner)
{
    struct sim_gateway *self = owner;
    struct letter *letter;
    hub_set_time(self->hub, world_wall_us(world));
    while (!world->failed && (letter = process_take(&self->loop))) {
        loop_take(self, letter);
        free(letter);
    }
    if (self->starved)
        process_put(world, &self->uplink, letter_new(LETTER_DRAINED, NULL, 0));
    self->starved = false;
    if (hub_pump(self->hub) && !self->pump_due) {
        self->pump_due = true;
        world_at(world, PUMP_US, pump, self, self->loop.incarnation);
    }
    write_all(self);
}

/* For conn->server_lost of a client's socket. */
static void socket_lost(struct world *world, struct conn *conn)
{
    for (int i = 0; i < GATEWAYS; i++) {
        struct sim_gateway *self = world->gateways[i];
        if (conn->server != &self->loop)
            continue;
        struct letter *letter = letter_new(LETTER_GONE, NULL, 0);
        letter->conn = conn;
        letter->generation = conn->generation;
        process_put(world, &self->loop, letter);
    }
}

void sim_gateway_adopt(struct conn *conn)
{
    conn->server_lost = socket_lost;
}

/* ---- life ---- */

enum err sim_gateway_new(struct world *world, int i)
{
    struct sim_gateway *self = calloc(1, sizeof *self);
    world->gateways[i] = self;
    if (!self)
        return ERR_MEMORY;
    self->world = world;
    self->number = i;
    self->uplink = (struct process){.name = "uplink", .slow_us = 1000, .work = uplink_work, .owner = self};
    self->loop = (struct process){.name = "loop", .slow_us = 1500, .work = loop_work, .owner = self};
    self->output = (struct hub_output){self, queue_frame, attach, detach};
    self->hands = (struct link_hands){self, send_frame, renew, tell_link, give_batch};
    self->requests = (struct conn){.kind = CONN_REQUESTS,
                                   .client = &self->uplink,
                                   .server = sim_broker_process(world),
                                   .owner = self,
                                   .made = requests_made,
                                   .broken = link_broken};
    self->feed = (struct conn){.kind = CONN_FEED,
                               .client = &self->uplink,
                               .server = sim_broker_process(world),
                               .owner = self,
                               .made = feed_made,
                               .broken = link_broken,
                               .server_lost = sim_broker_feed_lost};
    conn_join(world, &self->requests);
    conn_join(world, &self->feed);
    return ERR_OK;
}

static void end_memory(struct sim_gateway *self)
{
    for (size_t i = 0; i < CLIENTS; i++)
        end_socket(&self->sockets[i]);
    cancels_destroy(&self->cancels);
    hub_destroy(&self->hub);
    if (self->pending)
        pending_destroy(&self->pending);
    free(self->held_letter);
    self->held_letter = NULL;
}

void sim_gateway_start(struct world *world, int i)
{
    struct sim_gateway *self = gateway_of(world, i);
    if (self->uplink.up)
        return;
    if (hub_new(&self->hub, &self->output) != ERR_OK || pending_new(&self->pending) != ERR_OK ||
        cancels_new(&self->cancels, (struct uplink *)(void *)self, wake_for_cancels, self) != ERR_OK)
        abort();
    self->link = 0;
    self->batches = 0;
    self->starved = self->pump_due = false;
    self->requests_old = self->requests.generation;
    self->feed_old = self->feed.generation;
    link_state_init(&self->state, &self->hands, self->pending, SIM_BEAT_MS, SIM_WINDOW, chance_u64(&world->chance) | 1,
                    world_mono_ms(world));
    process_start(world, &self->uplink);
    process_start(world, &self->loop);
    conn_want(world, &self->requests);
    conn_want(world, &self->feed);
    uplink_timer(world, self, self->uplink.incarnation);
}

void sim_gateway_crash(struct world *world, int i)
{
    struct sim_gateway *self = gateway_of(world, i);
    if (!self->uplink.up)
        return;
    TRACE(world, "gateway %d dies", i);
    process_end(&self->uplink);
    process_end(&self->loop);
    conn_cut_all(world, &self->uplink);
    conn_cut_all(world, &self->loop);
    sim_caller_gateway_died(world, i);
    end_memory(self);
}

void sim_gateway_free(struct world *world, int i)
{
    struct sim_gateway *self = gateway_of(world, i);
    world->gateways[i] = NULL;
    if (!self)
        return;
    process_end(&self->uplink);
    process_end(&self->loop);
    if (self->hub)
        end_memory(self);
    conn_fini(&self->requests);
    conn_fini(&self->feed);
    free(self);
}

struct process *sim_gateway_uplink(struct world *world, int i)
{
    return &gateway_of(world, i)->uplink;
}

struct process *sim_gateway_loop(struct world *world, int i)
{
    return &gateway_of(world, i)->loop;
}
