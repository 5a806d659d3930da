/* Sheetwire's broker for bench_queue: a producer is a gateway link, a worker is a worker, both with the real frames
 * over plain sockets (bench_zmtp.h). */
#include "bench_server.h"
#include "bench_zmtp.h"

#include "wire/feed_frame.h"
#include "wire/request_frame.h"
#include "wire/work_frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHATS     16 /* per producer: jobs of one chat run one at a time */
#define FRAME_MAX (1u << 20)
#define BEAT_US   500000

struct wire_server {
    struct bench_server base;
    struct bench_zmtp socket, feed;
    bool has_feed;
    struct buf out;
    uint64_t link, heard; /* heard: newest batch on the feed */
    int64_t beat_us;
    char chats[CHATS][ID_UUID_LEN + 1];
    unsigned next_chat;
    struct work_frame *frame;
    struct token token, next_token; /* next: a job that came before the last one's acknowledgement */
    int64_t next_sent_us;
    bool next_there;
    char worker[ID_HEX_LEN + 1];
};

static struct wire_server *wire_of(struct bench_server *base)
{
    return (struct wire_server *)base;
}

static void must(enum err err, const char *what)
{
    if (err == ERR_OK)
        return;
    fprintf(stderr, "bench_queue: %s: %s\n", what, err_name(err));
    exit(1);
}

static struct bytes receive(struct wire_server *self)
{
    struct bytes message;
    bench_zmtp_receive(&self->socket, true, &message);
    return message;
}

/* ---- producer ---- */

static void send_request(struct wire_server *self, const struct request_frame *frame)
{
    buf_clear(&self->out);
    must(request_frame_write(frame, &self->out), "frame");
    bench_zmtp_add(&self->socket, (struct bytes){self->out.data, self->out.len}, false);
    bench_zmtp_flush(&self->socket);
}

/* The feed is read for the batch numbers alone: a link that acknowledges nothing gets nothing, and is given up. */
static void keep_link(struct wire_server *self)
{
    struct bytes batch;
    struct feed_batch head;
    struct unpack rest;
    if (bench_now_us() - self->beat_us < BEAT_US)
        return;
    self->beat_us = bench_now_us();
    while (bench_zmtp_receive(&self->feed, false, &batch))
        if (feed_batch_read(&head, &rest, batch.at, batch.len) == ERR_OK)
            self->heard = head.number;
    send_request(self, &(struct request_frame){.kind = REQUEST_BEAT, .link = self->link, .number = self->heard});
}

/* One CALL and its ANSWER; the body is valid until the next. */
static struct bytes ask(struct wire_server *self, enum call call, const char *chat, const char *body, uint16_t wanted)
{
    struct request_frame frame = {
        .kind = REQUEST_CALL, .link = self->link, .call = call, .body = {.at = body, .len = strlen(body)}};
    id_sortable(frame.id);
    snprintf(frame.chat, sizeof frame.chat, "%s", chat);
    keep_link(self);
    send_request(self, &frame);
    struct request_frame answer;
    do {
        struct bytes message = receive(self);
        must(request_frame_read(&answer, message.at, message.len), "answer");
    } while (answer.kind != REQUEST_ANSWER || memcmp(answer.id, frame.id, sizeof frame.id) != 0);
    if (answer.status != wanted) {
        fprintf(stderr, "bench_queue: %s: %d %.*s\n", call_name(call), answer.status, (int)answer.message.len,
                answer.message.at);
        exit(1);
    }
    return answer.body;
}

static void make_chats(struct wire_server *self)
{
    for (int i = 0; i < CHATS; i++) {
        struct bytes chat = ask(self, CALL_CREATE_CHAT, "", "{}", 201);
        const char *at = memmem(chat.at, chat.len, "\"chat_id\":\"", 11);
        if (!at)
            bench_die("no chat id");
        memcpy(self->chats[i], at + 11, ID_UUID_LEN);
        ask(self, CALL_ADD_UPLOAD, self->chats[i],
            "{\"name\":\"cities.csv\",\"key\":\"2026/11/bench/uploads/0123456789abcdef\",\"bytes\":1000}", 200);
    }
}

static void open_link(struct wire_server *self, const char *requests, const char *feed)
{
    char topic[FEED_TOPIC_MAX];
    self->link = id_u64();
    struct bytes beat;
    bench_zmtp_open(&self->socket, requests, "DEALER");
    bench_zmtp_open(&self->feed, feed, "SUB");
    self->has_feed = true;
    bench_zmtp_subscribe(&self->feed, topic, feed_topic(self->link, topic));
    bench_zmtp_receive(&self->feed, true, &beat); /* the link is open */
}

static void open_worker(struct wire_server *self, const char *work);

static struct bench_server *wire_open(const char *ports, enum bench_role role, int process)
{
    char text[64], *rest = text, *port[4];
    struct wire_server *self = calloc(1, sizeof *self);
    (void)process;
    if (!self || !(self->frame = calloc(1, sizeof *self->frame)))
        bench_die("memory");
    snprintf(text, sizeof text, "%s", ports);
    for (int i = 0; i < 4; i++)
        if (!(port[i] = strsep(&rest, ":")))
            bench_die("sheetwire wants four ports");
    self->base.kind = &bench_sheetwire;
    self->out = BUF_INIT(FRAME_MAX);
    switch (role) {
    case BENCH_PRODUCER:
        open_link(self, port[0], port[1]);
        make_chats(self);
        break;
    case BENCH_WORKER: open_worker(self, port[2]); break;
    case BENCH_PUBLISHER: bench_zmtp_open(&self->socket, port[3], "DEALER"); break;
    }
    return &self->base;
}

static void wire_close(struct bench_server *base)
{
    struct wire_server *self = wire_of(base);
    bench_zmtp_close(&self->socket);
    if (self->has_feed)
        bench_zmtp_close(&self->feed);
    buf_fini(&self->out);
    free(self->frame);
    free(self);
}

static void wire_put(struct bench_server *base, int64_t sent_us)
{
    struct wire_server *self = wire_of(base);
    char body[512];
    snprintf(body, sizeof body, BENCH_JOB, (long long)sent_us);
    ask(self, CALL_EXECUTE, self->chats[self->next_chat++ % CHATS], body, 202);
}

/* ---- worker ---- */

static void add_work(struct wire_server *self, const struct work_frame *frame)
{
    buf_clear(&self->out);
    must(work_frame_write(frame, &self->out), "frame");
    bench_zmtp_add(&self->socket, (struct bytes){self->out.data, self->out.len}, false);
}

static void keep_job(struct wire_server *self)
{
    const char *at = memmem(self->frame->body.at, self->frame->body.len, "\"sent_us\":", 10);
    self->next_token = self->frame->token;
    self->next_sent_us = at ? strtoll(at + 10, NULL, 10) : 0;
    self->next_there = true;
}

/* Waits for a frame of that kind. Leases outlast the benchmark; a worker that is not heard gets no new ones. */
static void hear_work(struct wire_server *self, enum work_kind kind)
{
    do {
        struct bytes message = receive(self);
        must(work_frame_read(self->frame, message.at, message.len), "work");
        if (self->frame->kind == WORK_JOB)
            keep_job(self);
    } while (self->frame->kind != kind);
}

static void greet(struct wire_server *self, enum work_kind kind, uint32_t free_slots)
{
    struct work_frame *hello = self->frame;
    memset(hello, 0, sizeof *hello);
    hello->kind = kind;
    snprintf(hello->worker, sizeof hello->worker, "%s", self->worker);
    hello->slots = 1;
    hello->free_slots = free_slots;
    add_work(self, hello);
    bench_zmtp_flush(&self->socket);
}

static void open_worker(struct wire_server *self, const char *work)
{
    bench_zmtp_open(&self->socket, work, "DEALER");
    id_hex(self->worker, ID_HEX_LEN);
    greet(self, WORK_HELLO, 1);
    hear_work(self, WORK_WELCOME);
}

static int64_t wire_take(struct bench_server *base)
{
    struct wire_server *self = wire_of(base);
    if (bench_now_us() - self->beat_us >= BEAT_US) {
        self->beat_us = bench_now_us();
        greet(self, WORK_BEAT, 1);
    }
    if (!self->next_there)
        hear_work(self, WORK_JOB);
    self->next_there = false;
    self->token = self->next_token;
    return self->next_sent_us;
}

static void add_event(struct wire_server *self, enum work_what what, uint64_t number, const char *event,
                      const char *detail)
{
    struct work_frame *frame = self->frame;
    memset(frame, 0, sizeof *frame);
    frame->kind = WORK_EVENT;
    frame->token = self->token;
    frame->number = number;
    frame->what = what;
    frame->event = (struct bytes){event, strlen(event)};
    frame->body = (struct bytes){detail, strlen(detail)};
    add_work(self, frame);
}

static void wire_finish(struct bench_server *base)
{
    struct wire_server *self = wire_of(base);
    add_event(self, WORK_STEP_DONE, 1, "{\"operation\":\"csv/search\",\"message\":\"Step completed successfully\"}",
              "{\"index\":0,\"file\":null,\"spool\":null,\"result\":{}}");
    add_event(self, WORK_RUN_DONE, 2, "{}", "{}");
    bench_zmtp_flush(&self->socket);
    do
        hear_work(self, WORK_ACK);
    while (self->frame->number != 2);
}

/* ---- publisher ---- */

static void wire_publish(struct bench_server *base, long count)
{
    struct wire_server *self = wire_of(base);
    for (long sent = 0, heard = 0; heard < count;) {
        if (sent < count && sent - heard < BENCH_IN_FLIGHT) {
            char body[256];
            int len = snprintf(body, sizeof body, BENCH_EVENT, sent++);
            bench_zmtp_add(&self->socket, (struct bytes){"bench-events", 12}, true);
            bench_zmtp_add(&self->socket, (struct bytes){body, (size_t)len}, false);
            bench_zmtp_flush(&self->socket);
        } else {
            struct bytes answer = receive(self);
            if (!memmem(answer.at, answer.len, "\"ok\"", 4))
                bench_die("publish refused");
            heard++;
        }
    }
}

const struct bench_kind bench_sheetwire = {"sheetwire", wire_open,    wire_put,  wire_take,
                                           wire_finish, wire_publish, wire_close};

struct bench_server *bench_server_open(const char *server, enum bench_role role, int process)
{
    static const struct bench_kind *const kinds[] = {&bench_sheetwire, &bench_beanstalkd, &bench_redis, &bench_zeromq};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i]->name);
        if (strncmp(server, kinds[i]->name, len) == 0 && server[len] == ':')
            return kinds[i]->open(server + len + 1, role, process);
    }
    fprintf(stderr, "bench_queue: unknown server %s\n", server);
    exit(2);
}
