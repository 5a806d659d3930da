#include "live/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOG_MAX 20000

/* A socket: what it was sent, as text. `connected` is shortened to C:chat:epoch:resume:seq; progress has its kind. */
struct client {
    char log[LOG_MAX];
    struct session *session;
};

struct fixture {
    struct hub *hub;
    struct hub_output output;
    char asked[LOG_MAX]; /* attaches and detaches as text */
    int room;            /* attaches and detaches the uplink takes */
    struct buf batch;
    uint32_t count;
    uint64_t number;
};

static void say(char *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(char *log, const char *format, ...)
{
    va_list args;
    size_t len = strlen(log);
    va_start(args, format);
    vsnprintf(log + len, LOG_MAX - len, format, args);
    va_end(args);
}

static void text_of(const char *json, const char *key, char out[64])
{
    const char *at = strstr(json, key);
    size_t len = 0;
    if (at) {
        at += strlen(key);
        len = strcspn(at, ",}");
    }
    snprintf(out, 64, "%.*s", (int)len, at ? at : "");
}

static void on_send(void *ctx, void *socket, struct frame *frame, enum out_kind kind, struct bytes key)
{
    struct client *client = socket;
    char text[2000], chat[64], epoch[64], resume[64], seq[64];
    (void)ctx;
    size_t head = frame->bytes[1] < 126 ? 2 : 4;
    snprintf(text, sizeof text, "%.*s", (int)(frame->len - head), (const char *)frame->bytes + head);
    if (strstr(text, "\"connected\"")) {
        text_of(text, "\"chat_id\":", chat);
        text_of(text, "\"epoch\":", epoch);
        text_of(text, "\"resume\":", resume);
        text_of(text, "\"seq\":", seq);
        say(client->log, "C:%s:%s:%s:%s ", chat, epoch, resume, seq);
        return;
    }
    say(client->log, "%s%s%s ", text,
        kind == OUT_PROGRESS  ? "?"
        : kind == OUT_CLOSING ? "!"
                              : "",
        kind != OUT_DURABLE && (key.len < 2 || !memchr(key.at, '\0', key.len)) ? "badkey" : "");
}

static enum err on_attach(void *ctx, const struct uplink_attach *attach)
{
    struct fixture *self = ctx;
    if (self->room == 0)
        return ERR_FULL;
    self->room--;
    say(self->asked, "+%d@%d:%s:", (int)attach->attach, (int)attach->link, attach->chat);
    if (attach->has_since)
        say(self->asked, "%d", (int)attach->since);
    say(self->asked, ":%s ", attach->epoch);
    return ERR_OK;
}

static enum err on_detach(void *ctx, uint64_t link, uint64_t attach)
{
    struct fixture *self = ctx;
    if (self->room == 0)
        return ERR_FULL;
    self->room--;
    say(self->asked, "-%d@%d ", (int)attach, (int)link);
    return ERR_OK;
}

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    self->output = (struct hub_output){self, on_send, on_attach, on_detach};
    self->room = 1000000;
    self->batch = BUF_INIT(1 << 20);
    assert_int_equal(hub_new(&self->hub, &self->output), ERR_OK);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *self = *state;
    hub_destroy(&self->hub);
    buf_fini(&self->batch);
    free(self);
    return 0;
}

static void open_client(struct fixture *self, struct client *client, const char *chat)
{
    client->log[0] = '\0';
    assert_int_equal(hub_open(self->hub, &client->session, client, &(struct hub_want){.chat = chat}), ERR_OK);
}

static void add(struct fixture *self, struct feed_record record)
{
    if (self->count++ == 0)
        assert_int_equal(feed_batch_open(&self->batch, 1), ERR_OK);
    assert_int_equal(feed_batch_add(&self->batch, &record), ERR_OK);
}

static enum err flush(struct fixture *self, uint64_t link)
{
    if (self->count == 0)
        return ERR_OK;
    feed_batch_close(&self->batch, ++self->number, self->count);
    enum err err = hub_batch(self->hub, link, self->batch.data, self->batch.len);
    buf_clear(&self->batch);
    self->count = 0;
    return err;
}

static struct bytes text(const char *value)
{
    return (struct bytes){value, strlen(value)};
}

static struct feed_record attached(uint64_t id, const char *chat, enum feed_resume resume, const char *epoch,
                                   uint64_t seq)
{
    return (struct feed_record){.kind = FEED_ATTACHED,
                                .attach = id,
                                .chat = text(chat),
                                .resume = resume,
                                .epoch = text(epoch),
                                .seq = seq,
                                .head = seq,
                                .body = text(resume == FEED_RESUMED ? "" : "{}")};
}

static struct feed_record record(enum feed_kind kind, uint64_t id, const char *chat, uint64_t seq, const char *body)
{
    return (struct feed_record){.kind = kind, .attach = id, .chat = text(chat), .seq = seq, .body = text(body)};
}

static struct feed_record progress(const char *chat, const char *key, const char *body, bool closing)
{
    return (struct feed_record){
        .kind = FEED_PROGRESS, .chat = text(chat), .key = text(key), .body = text(body), .closing = closing};
}

static void deliver(struct fixture *self, struct feed_record one)
{
    add(self, one);
    assert_int_equal(flush(self, 1), ERR_OK);
}

static void expect(char *log, const char *expected)
{
    assert_string_equal(log, expected);
    log[0] = '\0';
}

static void without_a_chat_connected_comes_at_once(void **state)
{
    struct fixture *self = *state;
    struct client client;
    open_client(self, &client, NULL);
    expect(client.log, "C:null:null:\"snapshot\":0 ");
    assert_int_equal(hub_sessions(self->hub), 1);
    hub_close(self->hub, &client.session);
    assert_int_equal(hub_sessions(self->hub), 0);
    expect(self->asked, "");
}

static void connected_waits_for_the_broker(void **state)
{
    struct fixture *self = *state;
    struct client client;
    open_client(self, &client, "a");
    expect(client.log, "");
    expect(self->asked, "");
    hub_link(self->hub, 1);
    expect(self->asked, "+1@1:a:: ");
    expect(client.log, "");
    deliver(self, attached(1, "a", FEED_SNAPSHOT, "e", 5));
    expect(client.log, "C:\"a\":\"e\":\"snapshot\":5 ");
    hub_close(self->hub, &client.session);
    expect(self->asked, "-1@1 ");
}

static void replay_then_live_gives_every_event_once(void **state)
{
    struct fixture *self = *state;
    struct client client;
    hub_link(self->hub, 1);
    client.log[0] = '\0';
    struct hub_want want = {"a", true, 2, "e"};
    assert_int_equal(hub_open(self->hub, &client.session, &client, &want), ERR_OK);
    expect(self->asked, "+1@1:a:2:e ");
    deliver(self, record(FEED_EVENT, 0, "a", 3, "early3")); /* of others on this link: not ours yet */
    deliver(self, progress("a", "k", "early", false));
    deliver(self, attached(1, "a", FEED_RESUMED, "e", 2));
    deliver(self, record(FEED_REPLAY, 1, "a", 3, "r3"));
    deliver(self, record(FEED_EVENT, 0, "a", 4, "early4"));
    deliver(self, progress("a", "k", "early", false));
    deliver(self, record(FEED_REPLAY, 1, "a", 4, "r4"));
    deliver(self, record(FEED_REPLAY, 1, "a", 4, "r4again"));
    deliver(self, record(FEED_LIVE, 1, "a", 0, ""));
    deliver(self, record(FEED_REPLAY, 1, "a", 9, "late"));
    deliver(self, record(FEED_EVENT, 0, "a", 4, "again"));
    deliver(self, progress("a", "k", "p", false));
    deliver(self, progress("a", "k", "q", true));
    deliver(self, record(FEED_EVENT, 0, "a", 5, "e5"));
    deliver(self, record(FEED_EVENT, 0, "b", 1, "other"));
    expect(client.log, "C:\"a\":\"e\":\"resumed\":2 r3 r4 p? q! e5 ");
    assert_int_equal(hub_cursor(client.session), 5);
    hub_close(self->hub, &client.session);
}

static void go_live(struct fixture *self, uint64_t id, const char *chat, const char *epoch, uint64_t seq)
{
    add(self, attached(id, chat, FEED_SNAPSHOT, epoch, seq));
    add(self, record(FEED_LIVE, id, chat, 0, ""));
    assert_int_equal(flush(self, 1), ERR_OK);
}

static void every_socket_of_a_chat_gets_the_same_frame(void **state)
{
    struct fixture *self = *state;
    static struct client clients[3];
    hub_link(self->hub, 1);
    for (int i = 0; i < 3; i++) {
        open_client(self, &clients[i], i == 2 ? "b" : "a");
        go_live(self, (uint64_t)i + 1, i == 2 ? "b" : "a", "e", 0);
        clients[i].log[0] = '\0';
    }
    deliver(self, record(FEED_EVENT, 0, "a", 1, "one"));
    expect(clients[0].log, "one ");
    expect(clients[1].log, "one ");
    expect(clients[2].log, "");
    hub_close(self->hub, &clients[0].session);
    deliver(self, record(FEED_EVENT, 0, "a", 2, "two"));
    expect(clients[0].log, "");
    expect(clients[1].log, "two ");
    hub_close(self->hub, &clients[1].session);
    deliver(self, record(FEED_EVENT, 0, "a", 3, "three"));
    hub_close(self->hub, &clients[2].session);
}

static void subscribing_leaves_the_old_chat(void **state)
{
    struct fixture *self = *state;
    struct client client;
    hub_link(self->hub, 1);
    open_client(self, &client, "a");
    go_live(self, 1, "a", "e", 0);
    self->asked[0] = client.log[0] = '\0';
    assert_int_equal(hub_subscribe(self->hub, client.session, &(struct hub_want){"b", true, 3, "f"}), ERR_OK);
    expect(self->asked, "-1@1 +2@1:b:3:f ");
    deliver(self, record(FEED_EVENT, 0, "a", 1, "old"));
    deliver(self, attached(1, "a", FEED_SNAPSHOT, "e", 1));
    expect(client.log, "");
    deliver(self, attached(2, "b", FEED_RESUMED, "f", 3));
    expect(client.log, "C:\"b\":\"f\":\"resumed\":3 ");
    /* The same chat anew, and from a chat to none. */
    assert_int_equal(hub_subscribe(self->hub, client.session, &(struct hub_want){.chat = "b"}), ERR_OK);
    expect(self->asked, "-2@1 +3@1:b:: ");
    assert_int_equal(hub_subscribe(self->hub, client.session, &(struct hub_want){.chat = ""}), ERR_OK);
    expect(self->asked, "-3@1 ");
    expect(client.log, "C:null:null:\"snapshot\":0 ");
    hub_close(self->hub, &client.session);
    expect(self->asked, "");
}

static void a_want_that_does_not_fit_changes_nothing(void **state)
{
    struct fixture *self = *state;
    struct client client;
    char chat[ID_CHAT_MAX + 2];
    memset(chat, 'c', sizeof chat - 1);
    chat[sizeof chat - 1] = '\0';
    hub_link(self->hub, 1);
    open_client(self, &client, "a");
    self->asked[0] = '\0';
    assert_int_equal(hub_subscribe(self->hub, client.session, &(struct hub_want){.chat = chat}), ERR_INVALID);
    assert_int_equal(hub_subscribe(self->hub, client.session, &(struct hub_want){.chat = "b", .epoch = chat}),
                     ERR_INVALID);
    expect(self->asked, "");
    go_live(self, 1, "a", "e", 0);
    expect(client.log, "C:\"a\":\"e\":\"snapshot\":0 ");
    hub_close(self->hub, &client.session);
}

static void a_new_link_resumes_without_the_client_noticing(void **state)
{
    struct fixture *self = *state;
    struct client client;
    hub_link(self->hub, 1);
    open_client(self, &client, "a");
    go_live(self, 1, "a", "e", 4);
    deliver(self, record(FEED_EVENT, 0, "a", 5, "five"));
    self->asked[0] = client.log[0] = '\0';
    hub_link(self->hub, 0);
    hub_link(self->hub, 2);
    expect(self->asked, "+1@2:a:5:e ");
    deliver(self, record(FEED_EVENT, 0, "a", 6, "of the old link"));
    add(self, attached(1, "a", FEED_RESUMED, "e", 5));
    add(self, record(FEED_REPLAY, 1, "a", 6, "six"));
    add(self, record(FEED_LIVE, 1, "a", 0, ""));
    add(self, record(FEED_EVENT, 0, "a", 7, "seven"));
    assert_int_equal(flush(self, 2), ERR_OK);
    expect(client.log, "six seven ");
    hub_close(self->hub, &client.session);
}

static void a_gap_or_another_history_is_told(void **state)
{
    struct fixture *self = *state;
    struct client client;
    hub_link(self->hub, 1);
    open_client(self, &client, "a");
    go_live(self, 1, "a", "e", 4);
    client.log[0] = '\0';
    hub_link(self->hub, 2);
    add(self, attached(1, "a", FEED_GAP, "e", 9));
    add(self, record(FEED_LIVE, 1, "a", 0, ""));
    assert_int_equal(flush(self, 2), ERR_OK);
    expect(client.log, "C:\"a\":\"e\":\"gap\":9 ");
    hub_link(self->hub, 3);
    add(self, attached(1, "a", FEED_RESET_HISTORY, "f", 2));
    add(self, record(FEED_LIVE, 1, "a", 0, ""));
    add(self, record(FEED_EVENT, 0, "a", 3, "three"));
    assert_int_equal(flush(self, 3), ERR_OK);
    expect(client.log, "C:\"a\":\"f\":\"reset\":2 three ");
    hub_close(self->hub, &client.session);
}

static void a_room_without_record_is_attached_again_in_silence(void **state)
{
    struct fixture *self = *state;
    struct client client;
    hub_link(self->hub, 1);
    open_client(self, &client, "a");
    go_live(self, 1, "a", "", 0);
    expect(client.log, "C:\"a\":null:\"snapshot\":0 ");
    self->asked[0] = '\0';
    hub_link(self->hub, 2);
    expect(self->asked, "+1@2:a:0: ");
    add(self, attached(1, "a", FEED_SNAPSHOT, "", 0));
    add(self, record(FEED_LIVE, 1, "a", 0, ""));
    assert_int_equal(flush(self, 2), ERR_OK);
    expect(client.log, "");
    /* The first durable event makes record and epoch: a new connected, then the event. */
    add(self, (struct feed_record){.kind = FEED_RESET, .chat = text("a"), .epoch = text("e"), .body = text("{}")});
    add(self, record(FEED_EVENT, 0, "a", 1, "one"));
    assert_int_equal(flush(self, 2), ERR_OK);
    expect(client.log, "C:\"a\":\"e\":\"snapshot\":0 one ");
    hub_close(self->hub, &client.session);
}

static void who_was_told_of_no_record_is_given_all_of_it_by_a_new_link(void **state)
{
    struct fixture *self = *state;
    struct client client;
    hub_link(self->hub, 1);
    open_client(self, &client, "a");
    go_live(self, 1, "a", "", 0);
    self->asked[0] = client.log[0] = '\0';
    hub_link(self->hub, 0);
    hub_link(self->hub, 2);
    expect(self->asked, "+1@2:a:0: ");
    add(self, attached(1, "a", FEED_SNAPSHOT, "e", 0));
    add(self, record(FEED_REPLAY, 1, "a", 1, "one"));
    assert_int_equal(flush(self, 2), ERR_OK);
    expect(client.log, "C:\"a\":\"e\":\"snapshot\":0 one ");
    hub_link(self->hub, 3); /* in the middle of it: from here on it has a position like any other */
    expect(self->asked, "+1@3:a:1:e ");
    hub_close(self->hub, &client.session);
}

static void a_position_without_an_epoch_is_none(void **state)
{
    struct fixture *self = *state;
    struct client client;
    client.log[0] = '\0';
    hub_link(self->hub, 1);
    struct hub_want want = {"a", true, 0, NULL};
    assert_int_equal(hub_open(self->hub, &client.session, &client, &want), ERR_OK);
    expect(self->asked, "+1@1:a:: ");
    hub_link(self->hub, 2); /* it was told nothing yet */
    expect(self->asked, "+1@2:a:: ");
    add(self, attached(1, "a", FEED_SNAPSHOT, "e", 7));
    assert_int_equal(flush(self, 2), ERR_OK);
    expect(client.log, "C:\"a\":\"e\":\"snapshot\":7 ");
    hub_close(self->hub, &client.session);
}

static void a_reset_moves_the_cursor_of_the_live_ones(void **state)
{
    struct fixture *self = *state;
    static struct client live, replaying;
    hub_link(self->hub, 1);
    open_client(self, &live, "a");
    go_live(self, 1, "a", "e", 40);
    open_client(self, &replaying, "a");
    deliver(self, attached(2, "a", FEED_SNAPSHOT, "e", 40));
    live.log[0] = replaying.log[0] = '\0';
    deliver(self,
            (struct feed_record){
                .kind = FEED_RESET, .chat = text("a"), .epoch = text("f"), .seq = 2, .head = 2, .body = text("{}")});
    expect(live.log, "C:\"a\":\"f\":\"reset\":2 ");
    expect(replaying.log, "");
    deliver(self, attached(2, "a", FEED_RESET_HISTORY, "f", 2)); /* answered again instead */
    deliver(self, record(FEED_LIVE, 2, "a", 0, ""));
    deliver(self, record(FEED_EVENT, 0, "a", 3, "three"));
    expect(live.log, "three ");
    expect(replaying.log, "C:\"a\":\"f\":\"reset\":2 three ");
    hub_close(self->hub, &live.session);
    hub_close(self->hub, &replaying.session);
}

static void an_uplink_without_room_is_asked_again(void **state)
{
    struct fixture *self = *state;
    static struct client clients[3];
    hub_link(self->hub, 1);
    self->room = 1;
    for (int i = 0; i < 3; i++)
        open_client(self, &clients[i], "a");
    expect(self->asked, "+1@1:a:: ");
    assert_true(hub_pump(self->hub));
    hub_close(self->hub, &clients[0].session); /* attached: the broker must be told */
    hub_close(self->hub, &clients[1].session); /* never attached: nothing to tell */
    self->room = 1;
    assert_true(hub_pump(self->hub));
    expect(self->asked, "-1@1 ");
    self->room = 10;
    assert_false(hub_pump(self->hub));
    expect(self->asked, "+3@1:a:: ");
    hub_close(self->hub, &clients[2].session);
}

static void detaches_are_void_with_their_link(void **state)
{
    struct fixture *self = *state;
    struct client client;
    hub_link(self->hub, 1);
    open_client(self, &client, "a");
    self->room = 0;
    hub_close(self->hub, &client.session);
    self->asked[0] = '\0';
    self->room = 10;
    hub_link(self->hub, 2);
    expect(self->asked, "");
}

static void a_batch_that_does_not_decode_is_an_error(void **state)
{
    struct fixture *self = *state;
    hub_link(self->hub, 1);
    add(self, record(FEED_EVENT, 0, "a", 1, "one"));
    assert_int_equal(buf_add_byte(&self->batch, 7), ERR_OK);
    assert_int_equal(flush(self, 1), ERR_PROTOCOL);
    assert_int_equal(hub_batch(self->hub, 1, "x", 1), ERR_PROTOCOL);
    assert_int_equal(hub_batch(self->hub, 99, "x", 1), ERR_OK); /* of another link: void */
}

static void progress_with_a_key_too_long_to_compare_is_kept(void **state)
{
    struct fixture *self = *state;
    struct client client;
    char key[1000];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    hub_link(self->hub, 1);
    open_client(self, &client, "a");
    go_live(self, 1, "a", "e", 0);
    client.log[0] = '\0';
    deliver(self, progress("a", key, "p", false));
    expect(client.log, "p ");
    hub_close(self->hub, &client.session);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void a_session_follows_several_chats(void **state)
{
    struct fixture *self = *state;
    struct client client = {.log = ""};
    struct hub_want one = {"one", false, 0, NULL}, two = {"two", false, 0, NULL};
    assert_int_equal(hub_open(self->hub, &client.session, &client, &one), ERR_OK);
    assert_int_equal(hub_add(self->hub, client.session, &two), ERR_OK);
    assert_int_equal(hub_add(self->hub, client.session, &two), ERR_OK); /* anew, not twice */
    assert_int_equal(hub_sessions(self->hub), 1);
    assert_true(hub_follows(client.session, "one") && hub_follows(client.session, "two"));
    hub_unsubscribe(self->hub, client.session, "one");
    hub_unsubscribe(self->hub, client.session, "none");
    assert_false(hub_follows(client.session, "one"));
    assert_true(hub_follows(client.session, "two"));
    assert_int_equal(hub_add(self->hub, client.session, &one), ERR_OK);
    assert_int_equal(hub_subscribe(self->hub, client.session, &one), ERR_OK);
    assert_false(hub_follows(client.session, "two"));
    for (int i = 1; i < HUB_CHATS_MAX; i++) {
        char chat[16];
        snprintf(chat, sizeof chat, "more-%d", i);
        assert_int_equal(hub_add(self->hub, client.session, &(struct hub_want){chat, false, 0, NULL}), ERR_OK);
    }
    assert_int_equal(hub_add(self->hub, client.session, &two), ERR_FULL);
    hub_unsubscribe(self->hub, client.session, "more-3");
    assert_int_equal(hub_add(self->hub, client.session, &two), ERR_OK);
    hub_close(self->hub, &client.session);
    assert_int_equal(hub_sessions(self->hub), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_follows_several_chats),
        TEST(without_a_chat_connected_comes_at_once),
        TEST(connected_waits_for_the_broker),
        TEST(replay_then_live_gives_every_event_once),
        TEST(every_socket_of_a_chat_gets_the_same_frame),
        TEST(subscribing_leaves_the_old_chat),
        TEST(a_want_that_does_not_fit_changes_nothing),
        TEST(a_new_link_resumes_without_the_client_noticing),
        TEST(a_gap_or_another_history_is_told),
        TEST(a_room_without_record_is_attached_again_in_silence),
        TEST(who_was_told_of_no_record_is_given_all_of_it_by_a_new_link),
        TEST(a_position_without_an_epoch_is_none),
        TEST(a_reset_moves_the_cursor_of_the_live_ones),
        TEST(an_uplink_without_room_is_asked_again),
        TEST(detaches_are_void_with_their_link),
        TEST(a_batch_that_does_not_decode_is_an_error),
        TEST(progress_with_a_key_too_long_to_compare_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
