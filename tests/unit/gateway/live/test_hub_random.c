/* The hub against a small model of the broker under random histories: events, attaches answered late and in pieces,
 * links lost at any moment, clients that change chats, leave and resume, an uplink that has no room now and then. Every
 * client must see every event of its chat once and in order, and in the end all that there is. */
#include "live/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHATS    3
#define CLIENTS  6
#define ATTACHES 200
#define ROUNDS   400
#define SEEDS    300

struct client {
    struct session *session;
    int chat;       /* -1: none */
    bool told;      /* connected came for this chat */
    uint64_t holds; /* last seq */
    bool resuming;  /* asked with since: connected must say resumed */
};

enum model_state { ASKED, ANSWERED, JOINED };

struct model_attach {
    uint64_t id, since, sent;
    bool has_since;
    int chat;
    enum model_state state;
};

struct world {
    uint64_t seed;
    struct hub *hub;
    struct client clients[CLIENTS];
    uint64_t head[CHATS];
    struct model_attach attaches[ATTACHES];
    int attach_count;
    uint64_t link, links, number;
    struct buf batch;
    uint32_t count;
};

static uint32_t pick(struct world *self, uint32_t below)
{
    self->seed ^= self->seed << 13;
    self->seed ^= self->seed >> 7;
    self->seed ^= self->seed << 17;
    return (uint32_t)(self->seed >> 33) % below;
}

static struct bytes name_of(int chat)
{
    static const char *const names[CHATS] = {"a", "b", "c"};
    return (struct bytes){names[chat], 1};
}

static void on_send(void *ctx, void *socket, struct frame *frame, enum out_kind kind, struct bytes key)
{
    struct client *client = socket;
    char text[400], chat;
    unsigned long seq, head;
    (void)ctx;
    (void)key;
    size_t start = frame->bytes[1] < 126 ? 2 : 4;
    snprintf(text, sizeof text, "%.*s", (int)(frame->len - start), (const char *)frame->bytes + start);
    const char *place = strstr(text, "\"seq\":");
    if (strstr(text, "\"connected\"") && sscanf(place, "\"seq\":%lu,\"head\":%lu", &seq, &head) == 2) {
        bool resumed = strstr(text, "\"resumed\"");
        assert_true(client->resuming == resumed);
        assert_true(!resumed || seq == client->holds);
        client->told = true;
        client->holds = seq;
        return;
    }
    assert_true(client->told);
    assert_int_equal(sscanf(text, "%c%lu", &chat, &seq), 2);
    assert_int_equal(chat, name_of(client->chat).at[0]);
    if (kind == OUT_DURABLE) {
        assert_int_equal(seq, client->holds + 1);
        client->holds = seq;
    }
}

static enum err on_attach(void *ctx, const struct uplink_attach *attach)
{
    struct world *self = ctx;
    if (self->attach_count == ATTACHES || pick(self, 4) == 0)
        return ERR_FULL;
    assert_true(attach->link == self->link);
    self->attaches[self->attach_count++] = (struct model_attach){
        .id = attach->attach, .since = attach->since, .has_since = attach->has_since, .chat = attach->chat[0] - 'a'};
    return ERR_OK;
}

static enum err on_detach(void *ctx, uint64_t link, uint64_t id)
{
    struct world *self = ctx;
    int found = 0;
    if (pick(self, 4) == 0)
        return ERR_FULL;
    assert_true(link == self->link);
    while (found < self->attach_count && self->attaches[found].id != id)
        found++;
    assert_true(found < self->attach_count); /* told once, of an attach that was made on this link */
    self->attaches[found] = self->attaches[--self->attach_count];
    return ERR_OK;
}

static void add(struct world *self, const struct feed_record *record)
{
    if (self->count++ == 0)
        assert_int_equal(feed_batch_open(&self->batch, 1), ERR_OK);
    assert_int_equal(feed_batch_add(&self->batch, record), ERR_OK);
}

static void flush(struct world *self)
{
    if (self->count == 0)
        return;
    feed_batch_close(&self->batch, ++self->number, self->count);
    assert_int_equal(hub_batch(self->hub, self->link, self->batch.data, self->batch.len), ERR_OK);
    buf_clear(&self->batch);
    self->count = 0;
}

static void add_event(struct world *self, enum feed_kind kind, uint64_t id, int chat, uint64_t seq)
{
    char text[40];
    int len = snprintf(text, sizeof text, "%c%lu", name_of(chat).at[0], (unsigned long)seq);
    struct feed_record record = {.kind = kind, .attach = id, .chat = name_of(chat), .seq = seq};
    record.body = (struct bytes){text, (size_t)len};
    if (kind == FEED_PROGRESS)
        record.key = (struct bytes){"k", 1};
    add(self, &record);
}

static void new_event(struct world *self)
{
    int chat = (int)pick(self, CHATS);
    bool wanted = false;
    self->head[chat]++;
    for (int i = 0; i < self->attach_count; i++)
        wanted |= self->attaches[i].chat == chat && self->attaches[i].state == JOINED;
    if (wanted && self->link) {
        if (pick(self, 3) == 0)
            add_event(self, FEED_PROGRESS, 0, chat, self->head[chat]);
        add_event(self, FEED_EVENT, 0, chat, self->head[chat]);
    }
}

static void answer(struct world *self, struct model_attach *attach)
{
    struct feed_record record = {.kind = FEED_ATTACHED, .attach = attach->id, .chat = name_of(attach->chat)};
    bool resumed = attach->has_since && attach->since <= self->head[attach->chat];
    record.resume = resumed ? FEED_RESUMED : FEED_SNAPSHOT;
    record.epoch = (struct bytes){"e", 1};
    record.head = self->head[attach->chat];
    record.seq = attach->sent = resumed ? attach->since : record.head;
    attach->state = ANSWERED;
    add(self, &record);
}

/* One step of one attach: its answer, one event of its replay, or the turn to live. */
static void serve(struct world *self)
{
    if (!self->link || self->attach_count == 0)
        return;
    struct model_attach *attach = &self->attaches[pick(self, (uint32_t)self->attach_count)];
    switch (attach->state) {
    case ASKED: answer(self, attach); break;
    case ANSWERED:
        if (attach->sent < self->head[attach->chat]) {
            add_event(self, FEED_REPLAY, attach->id, attach->chat, ++attach->sent);
        } else {
            add(self, &(struct feed_record){.kind = FEED_LIVE, .attach = attach->id, .chat = name_of(attach->chat)});
            attach->state = JOINED;
        }
        break;
    case JOINED: break;
    }
}

static void change_link(struct world *self)
{
    flush(self);
    self->attach_count = 0;
    self->link = 0;
    if (pick(self, 2))
        hub_link(self->hub, 0);
    self->link = ++self->links;
    self->number = 0;
    hub_link(self->hub, self->link);
}

/* A client opens, subscribes or comes back with what it holds. */
static void move_client(struct world *self)
{
    struct client *client = &self->clients[pick(self, CLIENTS)];
    flush(self); /* what the broker said before reaches whoever is there now */
    if (client->session && pick(self, 3) == 0)
        hub_close(self->hub, &client->session);
    bool resume = client->told && client->chat >= 0 && pick(self, 2);
    int chat = resume ? client->chat : (int)pick(self, CHATS);
    char name[2] = {name_of(chat).at[0], '\0'};
    client->chat = chat;
    client->told = false;
    client->resuming = resume;
    client->holds = resume ? client->holds : 0;
    struct hub_want want = {name, resume, client->holds, resume ? "e" : ""};
    enum err err = client->session ? hub_subscribe(self->hub, client->session, &want)
                                   : hub_open(self->hub, &client->session, client, &want);
    assert_int_equal(err, ERR_OK);
}

static void settle(struct world *self)
{
    for (int i = 0; i < 100 && hub_pump(self->hub); i++)
        continue;
    for (int i = 0; i < self->attach_count; i++)
        while (self->attaches[i].state != JOINED) {
            struct model_attach *attach = &self->attaches[i];
            if (attach->state == ASKED)
                answer(self, attach);
            else if (attach->sent < self->head[attach->chat])
                add_event(self, FEED_REPLAY, attach->id, attach->chat, ++attach->sent);
            else
                attach->state = JOINED;
        }
    flush(self);
}

static void run(uint64_t seed)
{
    struct world *self = calloc(1, sizeof *self);
    struct hub_output output = {self, on_send, on_attach, on_detach};
    self->seed = seed * 0x9E3779B97F4A7C15u + 1;
    self->batch = BUF_INIT(1 << 20);
    for (int i = 0; i < CLIENTS; i++)
        self->clients[i].chat = -1;
    assert_int_equal(hub_new(&self->hub, &output), ERR_OK);
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t what = pick(self, 40);
        if (what < 12)
            new_event(self);
        else if (what < 30)
            serve(self);
        else if (what < 34)
            flush(self);
        else if (what < 36)
            hub_pump(self->hub);
        else if (what < 39)
            move_client(self);
        else
            change_link(self);
    }
    change_link(self);
    settle(self);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &self->clients[i];
        if (client->session && (!client->told || client->holds != self->head[client->chat]))
            fail_msg("seed %lu: client %d holds %lu of %lu", (unsigned long)seed, i, (unsigned long)client->holds,
                     (unsigned long)self->head[client->chat]);
        hub_close(self->hub, &client->session);
    }
    hub_destroy(&self->hub);
    buf_fini(&self->batch);
    free(self);
}

static void every_event_reaches_every_follower_once_and_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_reaches_every_follower_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
