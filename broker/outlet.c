#include "outlet.h"

#include "log.h"
#include "query.h"
#include "wire/feed_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* The packaged libzmq is not built with ThreadSanitizer, which so does not see that a message travels from the thread
 * that sends it to the one that frees it. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define handed_over(data) __tsan_release(data)
#define taken_over(data)  __tsan_acquire(data)
#else
#define handed_over(data) (void)(data)
#define taken_over(data)  (void)(data)
#endif

static void free_bytes(void *data, void *hint)
{
    (void)hint;
    taken_over(data);
    free(data);
}

/* Gives the buffer's memory to the socket. */
static bool send_bytes(void *socket, struct buf *bytes)
{
    zmq_msg_t message;
    size_t len;
    char *data = buf_steal(bytes, &len);
    handed_over(data);
    if (zmq_msg_init_data(&message, data, len, free_bytes, NULL) != 0) {
        free(data);
        return false;
    }
    if (zmq_msg_send(&message, socket, ZMQ_DONTWAIT) >= 0)
        return true;
    zmq_msg_close(&message);
    return false;
}

/* Whoever is gone or does not read loses it, and asks again when he is back. */
static void send_to_peer(struct broker *self, enum endpoint which, const struct peer *peer, const struct buf *bytes)
{
    struct router *router = self->ports[which].router;
    struct bytes frame = {bytes->data, bytes->len};
    if (!router || router_send(router, peer->id, peer->len, frame) != ERR_OK)
        self->dropped_frames++;
}

/* Two frames: the topic and the bytes. A subscriber that does not read loses them. */
static void send_topic(struct broker *self, enum endpoint which, const void *topic, size_t len, struct buf *bytes)
{
    struct port *port = &self->ports[which];
    port->stirred = port->socket != NULL;
    bool sent = port->socket && zmq_send(port->socket, topic, len, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                send_bytes(port->socket, bytes);
    if (!sent)
        self->dropped_frames++;
}

static void send_feed(struct broker *self, uint64_t link, struct buf *bytes)
{
    char topic[FEED_TOPIC_MAX];
    size_t len = feed_topic(link, topic);
    send_topic(self, ENDPOINT_FEED, topic, len, bytes);
}

/* Pairs without a value are left out: the list ends at the first empty one. */
static void write_note(const struct note *note)
{
    const char *const values[] = {note->chat, note->job, note->trace, note->worker, note->detail};
    static const char *const names[] = {"chat", "job", "trace", "worker", "detail"};
    const char *pairs[11] = {NULL};
    int count = 0;
    for (int i = 0; i < 5; i++) {
        if (values[i][0] == '\0')
            continue;
        pairs[count++] = names[i];
        pairs[count++] = values[i];
    }
    log_write(note->warning ? LOG_WARNING : LOG_INFO, note->sentence, pairs[0], pairs[1], pairs[2], pairs[3], pairs[4],
              pairs[5], pairs[6], pairs[7], pairs[8], pairs[9], NULL);
}

static void carry_out(struct broker *self, struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_ANSWER: send_to_peer(self, ENDPOINT_REQUESTS, &effect->peer, &effect->bytes); break;
    case EFFECT_WORK: send_to_peer(self, ENDPOINT_WORK, &effect->peer, &effect->bytes); break;
    case EFFECT_PUBLISHED: send_to_peer(self, ENDPOINT_PUBLISH_ACK, &effect->peer, &effect->bytes); break;
    case EFFECT_FEED: send_feed(self, effect->link, &effect->bytes); break;
    case EFFECT_TAP: send_topic(self, ENDPOINT_TAP, effect->topic, strlen(effect->topic), &effect->bytes); break;
    case EFFECT_QUERY: query_send(self, &effect->query); break;
    case EFFECT_SWEEP: self->sweep_due = true; break;
    case EFFECT_NOTE: write_note(effect->note); break;
    }
}

void outlet_release(struct broker *self)
{
    for (size_t i = 0; i < self->effects.count; i++)
        carry_out(self, &self->effects.list[i]);
    effects_clear(&self->effects);
}

void outlet_answer(struct broker *self, const struct peer *peer, struct buf *frame)
{
    send_to_peer(self, ENDPOINT_REQUESTS, peer, frame);
}

static void refuse_publisher(struct broker *self, const struct peer *peer)
{
    struct buf bytes = BUF_INIT(256);
    if (buf_add_text(&bytes, "{\"error\":\"Not accepted: the event could not be kept\"}") == ERR_OK)
        send_to_peer(self, ENDPOINT_PUBLISH_ACK, peer, &bytes);
    buf_fini(&bytes);
}

static struct request_frame refusal(enum err cause)
{
    const char *message = cause == ERR_NO_SPACE  ? "Insufficient storage"
                          : cause == ERR_TIMEOUT ? "The run was accepted; its end cannot be told at the moment"
                                                 : "Service temporarily unavailable";
    return (struct request_frame){.kind = REQUEST_ANSWER,
                                  .status = cause == ERR_NO_SPACE  ? 507
                                            : cause == ERR_TIMEOUT ? 504
                                                                   : 503,
                                  .message = {message, strlen(message)},
                                  .body = {"null", 4}};
}

void outlet_refuse(struct broker *self, const struct caller *caller, enum err cause)
{
    if (caller->publisher) {
        refuse_publisher(self, &caller->peer);
        return;
    }
    struct request_frame frame = refusal(cause);
    memcpy(frame.id, caller->id, REQUEST_ID_LEN);
    struct buf bytes = BUF_INIT(4096);
    if (request_frame_write(&frame, &bytes) == ERR_OK)
        send_to_peer(self, ENDPOINT_REQUESTS, &caller->peer, &bytes);
    buf_fini(&bytes);
}
