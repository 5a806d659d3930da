/* A record that refuses: what callers hear, and that the memory is built anew. The store is the test's own. */
#include "stage.h"

#include <stdatomic.h>

struct store {
    int unused;
};

struct store_reader {
    int unused;
};

static _Atomic int next_commit; /* what the broker's next commit answers; an enum err */
static _Atomic int next_load;   /* likewise for loading a chat; ERR_OK: there is none */
static _Atomic int on_record;   /* first byte of a request id that was carried out before; 0 = none */
static _Atomic int commits;
static const char *_Atomic event_on_record; /* event_id of an event of c1 that was kept before, as number 7 */
static atomic_bool event_cannot_be_looked_up;

enum err store_open(struct store **out, const char *path, uint64_t *term, struct fault *why)
{
    (void)path;
    (void)why;
    *out = calloc(1, sizeof **out);
    *term = 1;
    return ERR_OK;
}

void store_close(struct store **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

enum err store_commit(struct store *self, const struct changes *batch, struct fault *why)
{
    (void)self;
    assert_true(changes_count(batch) > 0);
    enum err err = (enum err)atomic_exchange(&next_commit, ERR_OK);
    commits++;
    return err == ERR_OK ? ERR_OK : fault_set(why, err, "refused by the test");
}

enum err store_load_chat(struct store *self, const char *chat_id, uint32_t events, const struct store_load *to,
                         struct fault *why)
{
    (void)self;
    (void)chat_id;
    (void)events;
    (void)to;
    enum err err = (enum err)atomic_exchange(&next_load, ERR_OK);
    return fault_set(why, err == ERR_OK ? ERR_NOT_FOUND : err, "Conversation not found");
}

enum err store_load_job(struct store *self, const char *chat_id, const char *job_id, const struct store_load *to,
                        struct fault *why)
{
    (void)self;
    (void)chat_id;
    (void)job_id;
    (void)to;
    return fault_set(why, ERR_NOT_FOUND, "Job not found");
}

enum err store_read_jobs(struct store_reader *self, const char *chat_id, int64_t limit, int64_t offset,
                         struct buf *json, struct fault *why)
{
    (void)chat_id;
    return store_read_chats(self, "", limit, offset, json, why);
}

enum err store_busy_chats(struct store *self, enum err (*each)(void *context, const char *chat_id), void *context,
                          struct fault *why)
{
    (void)self;
    (void)each;
    (void)context;
    (void)why;
    return ERR_OK;
}

enum err store_find_answer(struct store *self, const unsigned char id[REQUEST_ID_LEN], struct answer_row *out,
                           struct buf *space, struct fault *why)
{
    (void)self;
    (void)space;
    (void)why;
    if (id[0] != on_record || on_record == 0)
        return ERR_NOT_FOUND;
    *out = (struct answer_row){.status = 201, .message = "kept", .body = "{}", .job_id = ""};
    return ERR_OK;
}

enum err store_counts(struct store *self, uint64_t *rooms, uint64_t *open_jobs, struct fault *why)
{
    (void)self;
    (void)why;
    *rooms = *open_jobs = 0;
    return ERR_OK;
}

enum err store_find_event_id(struct store *self, const char *chat_id, const char *event_id, uint64_t *seq,
                             struct fault *why)
{
    (void)self;
    (void)why;
    if (!event_on_record || strcmp(chat_id, "c1") != 0 || strcmp(event_id, event_on_record) != 0)
        return ERR_NOT_FOUND;
    *seq = 7;
    return event_cannot_be_looked_up ? ERR_UNAVAILABLE : ERR_OK;
}

enum err store_garbage(struct store *self, uint32_t max, enum err (*each)(void *context, const char *key),
                       void *context, struct fault *why)
{
    (void)self;
    (void)max;
    (void)each;
    (void)context;
    (void)why;
    return ERR_OK;
}

enum err store_garbage_done(struct store *self, const char *key, struct fault *why)
{
    (void)self;
    (void)key;
    (void)why;
    return ERR_OK;
}

enum err store_reader_open(struct store_reader **out, const struct store *of, struct fault *why)
{
    (void)of;
    (void)why;
    *out = calloc(1, sizeof **out);
    return ERR_OK;
}

void store_reader_close(struct store_reader **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

enum err store_read_chats(struct store_reader *self, const char *status, int64_t limit, int64_t offset,
                          struct buf *json, struct fault *why)
{
    (void)self;
    (void)status;
    (void)limit;
    (void)offset;
    (void)json;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_read_chat(struct store_reader *self, const char *chat_id, const struct store_paths *paths,
                         struct buf *json, struct fault *why)
{
    (void)chat_id;
    (void)paths;
    return store_read_chats(self, "", 0, 0, json, why);
}

enum err store_read_file(struct store_reader *self, const char *chat_id, const char *name, struct buf *json,
                         struct fault *why)
{
    (void)chat_id;
    (void)name;
    return store_read_chats(self, "", 0, 0, json, why);
}

enum err store_read_job(struct store_reader *self, const char *chat_id, const char *job_id,
                        const struct store_paths *paths, const struct store_progress *now, struct buf *json,
                        struct fault *why)
{
    (void)chat_id;
    (void)job_id;
    (void)paths;
    (void)now;
    return store_read_chats(self, "", 0, 0, json, why);
}

enum err store_read_events(struct store_reader *self, const char *chat_id, uint64_t since, uint32_t limit,
                           size_t bytes_max, enum err (*each)(void *context, const struct event_row *row),
                           void *context, struct fault *why)
{
    (void)self;
    (void)chat_id;
    (void)since;
    (void)limit;
    (void)bytes_max;
    (void)each;
    (void)context;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_read_oldest(struct store_reader *self, const char *chat_id, uint64_t *oldest, struct fault *why)
{
    (void)self;
    (void)chat_id;
    (void)oldest;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_read_export(struct store_reader *self, const char *chat_id, const struct store_paths *paths,
                           struct buf *json, struct fault *why)
{
    return store_read_chat(self, chat_id, paths, json, why);
}

enum err store_read_old_events(struct store_reader *self, const char *after, const struct store_retention *keep,
                               uint32_t chats, enum err (*each)(void *context, const struct store_old_events *old),
                               void *context, struct fault *why)
{
    (void)self;
    (void)after;
    (void)keep;
    (void)chats;
    (void)each;
    (void)context;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_trim_events(struct store *self, const struct store_old_events *old, uint32_t *rows, struct fault *why)
{
    (void)self;
    (void)old;
    (void)rows;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_read_old_rooms(struct store_reader *self, struct store_room_cursor *cursor, int64_t older_than_us,
                              uint32_t max, uint32_t *looked,
                              enum err (*each)(void *context, const char *chat_id, uint64_t head), void *context,
                              struct fault *why)
{
    (void)self;
    (void)cursor;
    (void)older_than_us;
    (void)max;
    (void)looked;
    (void)each;
    (void)context;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_read_old_answers(struct store_reader *self, struct store_answer_range *range, uint32_t max,
                                uint32_t *looked, uint32_t *old, struct fault *why)
{
    (void)self;
    (void)range;
    (void)max;
    (void)looked;
    (void)old;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_forget_answers(struct store *self, const struct store_answer_range *range, struct fault *why)
{
    (void)self;
    (void)range;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_read_keys(struct store_reader *self, const char *chat_id, bool *busy,
                         enum err (*each)(void *context, const char *key), void *context, struct fault *why)
{
    (void)self;
    (void)chat_id;
    (void)busy;
    (void)each;
    (void)context;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_read_born(struct store_reader *self, int64_t *born_us, struct fault *why)
{
    (void)self;
    (void)born_us;
    return fault_set(why, ERR_IO, "refused by the test");
}

enum err store_copy(const struct store *self, const char *target, const atomic_bool *end, struct fault *why)
{
    (void)self;
    (void)target;
    (void)end;
    return fault_set(why, ERR_IO, "refused by the test");
}

/* ---- the tests ---- */

#define CREATE "{\"chat_id\":\"c1\"}"

/* The broker has forgotten the link with everything else: it says so, and the link is opened again. */
static void link_again(struct stage *self)
{
    say(self, &(struct request_frame){.kind = REQUEST_BEAT, .link = LINK, .number = self->received});
    hear(self, REQUEST_HELLO);
    char topic[FEED_TOPIC_MAX];
    size_t len = feed_topic(LINK, topic);
    assert_int_equal(zmq_setsockopt(self->feed, ZMQ_UNSUBSCRIBE, topic, len), 0);
    open_link(self);
}

static void a_full_disk_is_507_and_nothing_of_the_turn_stays(void **state)
{
    struct stage *self = *state;
    open_link(self);
    next_commit = ERR_NO_SPACE;
    expect_answer(self, CALL_CREATE_CHAT, 1, CREATE, 507, "Insufficient storage");
    link_again(self);
    expect_answer(self, CALL_GET_CHAT, 2, "{}", 404, "Conversation not found");  /* memory does not know better */
    expect_answer(self, CALL_CREATE_CHAT, 1, CREATE, 201, "\"chat_id\":\"c1\""); /* the disk has room again */
}

static void another_refusal_is_503(void **state)
{
    struct stage *self = *state;
    open_link(self);
    next_commit = ERR_INTERNAL;
    expect_answer(self, CALL_CREATE_CHAT, 1, CREATE, 503, "unavailable");
    link_again(self);
    expect_answer(self, CALL_CREATE_CHAT, 1, CREATE, 201, "\"chat_id\":\"c1\"");
}

/* The turn's requests got no answer: what comes next is the word that the link is not known any more. */
static void hear_hello_first(struct stage *self)
{
    char bytes[4096];
    struct request_frame frame;
    say(self, &(struct request_frame){.kind = REQUEST_BEAT, .link = LINK, .number = self->received});
    int len = zmq_recv(self->requests, bytes, sizeof bytes, 0);
    assert_true(len > 0);
    assert_int_equal(request_frame_read(&frame, bytes, (size_t)len), ERR_OK);
    assert_int_equal(frame.kind, REQUEST_HELLO);
}

/* What a gateway is told of a request means "never" (503, 507), which would be a lie. */
static void a_request_that_was_carried_out_before_is_not_refused_with_its_turn(void **state)
{
    struct stage *self = *state;
    open_link(self);
    on_record = 1;
    next_load = ERR_INTERNAL;
    call(self, CALL_CREATE_CHAT, 1, CREATE);
    hear_hello_first(self);
    link_again(self);
    expect_answer(self, CALL_CREATE_CHAT, 1, CREATE, 201, "kept");
    on_record = 0;
}

static void a_request_whose_key_was_used_before_is_not_refused_with_its_turn(void **state)
{
    struct stage *self = *state;
    open_link(self);
    on_record = 1;
    next_load = ERR_INTERNAL;
    say(self, &(struct request_frame){.kind = REQUEST_CALL,
                                      .link = LINK,
                                      .call = CALL_CREATE_CHAT,
                                      .id = {2},
                                      .keyed = true,
                                      .key = {1},
                                      .body = {CREATE, strlen(CREATE)}});
    hear_hello_first(self);
    on_record = 0;
}

static void a_publisher_is_told_that_its_event_was_not_kept(void **state)
{
    struct stage *self = *state;
    open_link(self);
    const char *event = "{\"type\":\"note\",\"event_id\":\"e\"}";
    char answer[256];
    for (int i = 0; i < 2; i++) {
        next_commit = i == 0 ? ERR_NO_SPACE : ERR_OK;
        assert_int_equal(zmq_send(self->publisher, "c1", 2, ZMQ_SNDMORE), 2);
        assert_true(zmq_send(self->publisher, event, strlen(event), 0) > 0);
        int len = zmq_recv(self->publisher, answer, sizeof answer - 1, 0);
        assert_true(len > 0);
        answer[len] = '\0';
        assert_non_null(strstr(answer, i == 0 ? "\"error\"" : "{\"ok\":true,\"seq\":1,\"event_id\":\"e\"}"));
    }
}

static void publish(struct stage *self, const char *event)
{
    assert_int_equal(zmq_send(self->publisher, "c1", 2, ZMQ_SNDMORE), 2);
    assert_true(zmq_send(self->publisher, event, strlen(event), 0) > 0);
}

static void expect_published(struct stage *self, const char *part)
{
    char answer[256];
    int len = zmq_recv(self->publisher, answer, sizeof answer - 1, 0);
    assert_true(len > 0);
    answer[len] = '\0';
    if (!strstr(answer, part))
        fail_msg("'%s' instead of '%s'", answer, part);
}

/* An error means that the event is not on record, which would be a lie: its publisher sends it again and learns its
 * number. The next event's answer shows that this one got none. */
static void an_event_that_was_kept_before_is_not_refused_with_its_turn(void **state)
{
    struct stage *self = *state;
    const char *event = "{\"type\":\"note\",\"event_id\":\"before\"}";
    open_link(self);
    event_on_record = "before";
    for (int i = 0; i < 2; i++) {
        event_cannot_be_looked_up = i == 1;
        next_load = i == 0 ? ERR_INTERNAL : ERR_OK;
        publish(self, event);
        publish(self, "{\"no\":\"type\"}");
        expect_published(self, "\"error\":");
        event_cannot_be_looked_up = false;
        publish(self, event);
        expect_published(self, "{\"ok\":true,\"seq\":7,\"event_id\":\"before\"}");
    }
    event_on_record = NULL;
}

static void reads_and_connections_commit_nothing(void **state)
{
    struct stage *self = *state;
    open_link(self);
    commits = 0;
    say(self, &(struct request_frame){.kind = REQUEST_ATTACH, .link = LINK, .attach = 1, .chat = "c1"});
    wait_for(self, "\"status\":null");
    expect_answer(self, CALL_GET_CHAT, 2, "{}", 404, "Conversation not found");
    expect_answer(self, CALL_LIST_CHATS, 3, "{}", 500, "cannot be read");
    assert_int_equal(commits, 0);
}

static void a_refused_fsync_ends_the_broker(void **state)
{
    struct stage *self = *state;
    open_link(self);
    next_commit = ERR_IO;
    call(self, CALL_CREATE_CHAT, 1, CREATE);
    pthread_join(self->thread, NULL);
    assert_int_equal(self->result, ERR_IO);
    assert_int_equal(pthread_create(&self->thread, NULL, run_broker, self), 0); /* for the end of the test */
}

int main(void)
{
    struct fault why;
    if (log_open("broker", LOG_ERROR, "/dev/null", &why) != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_is_507_and_nothing_of_the_turn_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(another_refusal_is_503, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_that_was_carried_out_before_is_not_refused_with_its_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_request_whose_key_was_used_before_is_not_refused_with_its_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_publisher_is_told_that_its_event_was_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(an_event_that_was_kept_before_is_not_refused_with_its_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_and_connections_commit_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_fsync_ends_the_broker, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
