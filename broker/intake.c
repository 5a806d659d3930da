#include "intake.h"

#include "log.h"
#include "turn.h"
#include "wire/feed_frame.h"

#include <string.h>
#include <zmq.h>

#define PARTS_MAX 3 /* of any message we understand */

/* One message; further parts than PARTS_MAX are read and make it invalid. */
struct parts {
    zmq_msg_t part[PARTS_MAX];
    int count; /* read; more than PARTS_MAX: too many */
};

static void parts_fini(struct parts *self)
{
    for (int i = 0; i < self->count && i < PARTS_MAX; i++)
        zmq_msg_close(&self->part[i]);
}

/* false: nothing waits. */
static bool parts_read(struct parts *self, void *socket)
{
    self->count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t spare, *into = self->count < PARTS_MAX ? &self->part[self->count] : &spare;
        zmq_msg_init(into);
        if (zmq_msg_recv(into, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(into);
            parts_fini(self);
            return false;
        }
        more = zmq_msg_more(into);
        if (into == &spare)
            zmq_msg_close(&spare);
        self->count++;
    }
    return true;
}

static struct bytes part(struct parts *self, int i)
{
    return (struct bytes){zmq_msg_data(&self->part[i]), zmq_msg_size(&self->part[i])};
}

static void drop(struct broker *self, const char *socket)
{
    self->dropped_frames++;
    log_debug("frame dropped: not understood", "socket", socket, NULL);
}

static struct peer peer_of(const struct router_message *message)
{
    struct peer peer = {.len = ROUTER_PEER_LEN};
    memcpy(peer.id, message->peer, ROUTER_PEER_LEN);
    return peer;
}

/* ---- from peers that are answered ---- */

static bool take_request(struct broker *self, const struct router_message *message)
{
    struct request_frame frame;
    struct input input = {.kind = INPUT_REQUEST, .peer = peer_of(message), .of.request = {.frame = &frame}};
    struct bytes bytes = message->of.part[0];
    if (message->of.count != 1 || request_frame_read(&frame, bytes.at, bytes.len) != ERR_OK)
        return false;
    turn_input(self, &input);
    return true;
}

static bool take_work(struct broker *self, const struct router_message *message)
{
    struct work_frame frame;
    struct input input = {.kind = INPUT_WORK, .peer = peer_of(message), .of.work = &frame};
    struct bytes bytes = message->of.part[0];
    if (message->of.count != 1 || work_frame_read(&frame, bytes.at, bytes.len) != ERR_OK)
        return false;
    turn_input(self, &input);
    return true;
}

static bool take_publish_ack(struct broker *self, const struct router_message *message)
{
    struct input input = {
        .kind = INPUT_OUTSIDE, .peer = peer_of(message), .of.outside = {.chat = {"", 0}, .json = {"", 0}}};
    input.of.outside.misframed = message->of.count != 2;
    if (message->of.count == 2) {
        input.of.outside.chat = message->of.part[0];
        input.of.outside.json = message->of.part[1];
    }
    turn_input(self, &input);
    return true;
}

static void take_routed(struct broker *self, enum endpoint which, uint32_t share,
                        bool (*take)(struct broker *self, const struct router_message *message))
{
    struct port *port = &self->ports[which];
    struct router_message message;
    while (port->stirred && share-- > 0 && turn_open(self)) {
        if (!router_take(port->router, &message)) {
            port->stirred = router_waits(port->router);
            return;
        }
        if (!take(self, &message))
            drop(self, endpoint_name(which));
    }
}

/* ---- from publishers and subscribers ---- */

static bool take_publish(struct broker *self, struct parts *parts)
{
    if (parts->count != 2)
        return false;
    struct input input = {.kind = INPUT_OUTSIDE, .of.outside = {.chat = part(parts, 0), .json = part(parts, 1)}};
    turn_input(self, &input);
    return true;
}

/* Subscription messages: 1 or 0, then the topic. Whoever subscribes to something else on the feed gets nothing. */
static bool take_subscription(struct broker *self, struct parts *parts)
{
    struct bytes bytes = part(parts, 0);
    struct input input = {.kind = INPUT_LINK_OPEN};
    if (parts->count != 1 || bytes.len < 1 || !feed_topic_parse(bytes.at, bytes.len, &input.of.link))
        return false;
    if (bytes.at[0] == 0)
        input.kind = INPUT_LINK_CLOSED;
    turn_input(self, &input);
    return true;
}

/* libzmq tells of the first subscription and the last unsubscription of each topic. */
static bool take_tap(struct broker *self, struct parts *parts)
{
    struct bytes bytes = part(parts, 0);
    if (parts->count != 1 || bytes.len < 1 || (bytes.at[0] != 0 && bytes.at[0] != 1))
        return false;
    if (bytes.at[0] == 1)
        self->tap_subscriptions++;
    else if (self->tap_subscriptions > 0)
        self->tap_subscriptions--;
    struct input input = {.kind = INPUT_TAP, .of.tapped = self->tap_subscriptions > 0};
    turn_input(self, &input);
    return true;
}

static void take_subscribed(struct broker *self, enum endpoint which, uint32_t share,
                            bool (*take)(struct broker *self, struct parts *parts))
{
    struct port *port = &self->ports[which];
    struct parts parts;
    while (port->stirred && share-- > 0 && turn_open(self)) {
        if (!parts_read(&parts, port->socket)) {
            port->stirred = false;
            return;
        }
        if (!take(self, &parts))
            drop(self, endpoint_name(which));
        parts_fini(&parts);
    }
}

void intake_requests(struct broker *self, uint32_t share)
{
    take_routed(self, ENDPOINT_REQUESTS, share, take_request);
}

void intake_work(struct broker *self, uint32_t share)
{
    take_routed(self, ENDPOINT_WORK, share, take_work);
}

void intake_publish(struct broker *self, uint32_t share)
{
    take_subscribed(self, ENDPOINT_PUBLISH, share, take_publish);
}

void intake_publish_ack(struct broker *self, uint32_t share)
{
    take_routed(self, ENDPOINT_PUBLISH_ACK, share, take_publish_ack);
}

void intake_feed(struct broker *self, uint32_t share)
{
    take_subscribed(self, ENDPOINT_FEED, share, take_subscription);
}

void intake_tap(struct broker *self, uint32_t share)
{
    take_subscribed(self, ENDPOINT_TAP, share, take_tap);
}
