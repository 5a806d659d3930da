/* Every kind of change as bytes and back, and bytes that are no changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/change_codec.h"

#include <stdlib.h>
#include <string.h>

/* One of each, every member told from every other and from zero. Rows are given without names: a row with a new member
 * does not compile here until the member has a value, a line below and a field in the codec. */
static const struct change all[] = {
    {.kind = CHANGE_CHAT_PUT,
     .of.chat = {"c1", true, "Orca-1234", CHAT_FAILED, "2023/11", "{\"a\":1}", "epoch", UINT64_MAX, -1, INT64_MAX}},
    {.kind = CHANGE_CHAT_DELETE, .of.chat = {"c2", false, "", CHAT_CREATED, "", "", "", 0, 0, 77}},
    {.kind = CHANGE_MESSAGE_ADD, .of.message = {"m", "c3", "user", "\xc3\xa4\n\"", "{}", 5}},
    {.kind = CHANGE_FILE_ADD, .of.file = {"f", "c4", "in.csv", "key", FILE_RESULT, 1ULL << 40, 6, "job"}},
    {.kind = CHANGE_JOB_PUT,
     .of.job = {"j",
                "c5",
                JOB_CANCELLED,
                UINT32_MAX,
                {1ULL << 60, 3},
                4,
                "in",
                "ik",
                "tr",
                "broken",
                9,
                10,
                11,
                12,
                "j0",
                13,
                true}},
    {.kind = CHANGE_STEP_PUT,
     .of.step = {"s", "c6", "j", 7, "csv/search", "{}", "in", "out", "spool", "{\"r\":2}", STEP_FAILED, 40, "why", 8,
                 9}},
    {.kind = CHANGE_EVENT_ADD, .of.event = {"c7", "note", "j", 3, "e-1", "{\"type\":\"note\"}", 15, 14}},
    {.kind = CHANGE_ANSWER_PUT,
     .of.answer = {{0, 1, 2, 255}, 507, "message", "{\"x\":1}", "j", 15, true, UINT64_MAX - 1, "c8"}},
    {.kind = CHANGE_GARBAGE_ADD, .of.garbage_key = "gone"},
};

#define KINDS (sizeof all / sizeof *all)

static struct bytes encoded(const struct changes *changes, struct buf *out)
{
    assert_int_equal(changes_encode(changes, out), ERR_OK);
    return (struct bytes){out->data, out->len};
}

static struct changes *list_of(const struct change *list, size_t count)
{
    struct changes *changes = NULL;
    assert_int_equal(changes_new(&changes), ERR_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(changes_add(changes, &list[i]), ERR_OK);
    return changes;
}

static void assert_same_chat(const struct chat_row *a, const struct chat_row *b)
{
    assert_string_equal(a->chat_id, b->chat_id);
    assert_int_equal(a->room, b->room);
    assert_string_equal(a->participant_name, b->participant_name);
    assert_int_equal(a->status, b->status);
    assert_string_equal(a->partition_key, b->partition_key);
    assert_string_equal(a->metadata, b->metadata);
    assert_string_equal(a->epoch, b->epoch);
    assert_true(a->head == b->head && a->created_us == b->created_us && a->updated_us == b->updated_us);
}

static void assert_same_message(const struct message_row *a, const struct message_row *b)
{
    assert_string_equal(a->message_id, b->message_id);
    assert_string_equal(a->chat_id, b->chat_id);
    assert_string_equal(a->message_type, b->message_type);
    assert_string_equal(a->content, b->content);
    assert_string_equal(a->metadata, b->metadata);
    assert_true(a->created_us == b->created_us);
}

static void assert_same_file(const struct file_row *a, const struct file_row *b)
{
    assert_string_equal(a->file_id, b->file_id);
    assert_string_equal(a->chat_id, b->chat_id);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->key, b->key);
    assert_string_equal(a->job_id, b->job_id);
    assert_int_equal(a->type, b->type);
    assert_true(a->bytes == b->bytes && a->created_us == b->created_us);
}

static void assert_same_job(const struct job_row *a, const struct job_row *b)
{
    assert_string_equal(a->job_id, b->job_id);
    assert_string_equal(a->chat_id, b->chat_id);
    assert_string_equal(a->input_name, b->input_name);
    assert_string_equal(a->input_key, b->input_key);
    assert_string_equal(a->trace, b->trace);
    assert_string_equal(a->error, b->error);
    assert_string_equal(a->retry_of, b->retry_of);
    assert_int_equal(a->status, b->status);
    assert_true(a->attempts == b->attempts && a->total_steps == b->total_steps && a->set_back == b->set_back);
    assert_true(a->token.term == b->token.term && a->token.counter == b->token.counter);
    assert_true(a->last_number == b->last_number && a->spools_gone == b->spools_gone);
    assert_true(a->submitted_us == b->submitted_us && a->started_us == b->started_us);
    assert_true(a->completed_us == b->completed_us);
}

static void assert_same_step(const struct step_row *a, const struct step_row *b)
{
    assert_string_equal(a->step_id, b->step_id);
    assert_string_equal(a->chat_id, b->chat_id);
    assert_string_equal(a->job_id, b->job_id);
    assert_string_equal(a->operation, b->operation);
    assert_string_equal(a->arguments, b->arguments);
    assert_string_equal(a->input_file, b->input_file);
    assert_string_equal(a->output_file, b->output_file);
    assert_string_equal(a->spool_key, b->spool_key);
    assert_string_equal(a->result, b->result);
    assert_string_equal(a->error_message, b->error_message);
    assert_true(a->index == b->index && a->status == b->status && a->progress == b->progress);
    assert_true(a->started_us == b->started_us && a->completed_us == b->completed_us);
}

static void assert_same_event(const struct event_row *a, const struct event_row *b)
{
    assert_string_equal(a->chat_id, b->chat_id);
    assert_string_equal(a->type, b->type);
    assert_string_equal(a->job_id, b->job_id);
    assert_string_equal(a->event_id, b->event_id);
    assert_int_equal(a->body_len, b->body_len);
    assert_memory_equal(a->body, b->body, a->body_len + 1);
    assert_true(a->seq == b->seq && a->created_us == b->created_us);
}

static void assert_same_answer(const struct answer_row *a, const struct answer_row *b)
{
    assert_memory_equal(a->request_id, b->request_id, REQUEST_ID_LEN);
    assert_string_equal(a->message, b->message);
    assert_string_equal(a->body, b->body);
    assert_string_equal(a->job_id, b->job_id);
    assert_string_equal(a->chat_id, b->chat_id);
    assert_true(a->status == b->status && a->keyed == b->keyed && a->fingerprint == b->fingerprint);
    assert_true(a->created_us == b->created_us);
}

static void assert_same(const struct change *a, const struct change *b)
{
    assert_int_equal(a->kind, b->kind);
    switch (a->kind) {
    case CHANGE_CHAT_PUT:
    case CHANGE_CHAT_DELETE: assert_same_chat(&a->of.chat, &b->of.chat); break;
    case CHANGE_MESSAGE_ADD: assert_same_message(&a->of.message, &b->of.message); break;
    case CHANGE_FILE_ADD: assert_same_file(&a->of.file, &b->of.file); break;
    case CHANGE_JOB_PUT: assert_same_job(&a->of.job, &b->of.job); break;
    case CHANGE_STEP_PUT: assert_same_step(&a->of.step, &b->of.step); break;
    case CHANGE_EVENT_ADD: assert_same_event(&a->of.event, &b->of.event); break;
    case CHANGE_ANSWER_PUT: assert_same_answer(&a->of.answer, &b->of.answer); break;
    case CHANGE_GARBAGE_ADD: assert_string_equal(a->of.garbage_key, b->of.garbage_key); break;
    }
}

static void every_kind_reads_back_as_it_was(void **state)
{
    struct changes *changes = list_of(all, KINDS);
    struct buf out = BUF_INIT(1 << 20);
    struct change_reader reader;
    struct change change;
    (void)state;
    assert_int_equal(change_reader_init(&reader, encoded(changes, &out), NULL), ERR_OK);
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(change_reader_next(&reader, &change, NULL), ERR_OK);
        assert_same(&change, &all[i]);
    }
    assert_int_equal(change_reader_next(&reader, &change, NULL), ERR_END);
    changes_destroy(&changes);
    buf_fini(&out);
}

/* A text that is not given is an empty one. */
static void missing_texts_are_empty(void **state)
{
    struct changes *changes = list_of(&(struct change){.kind = CHANGE_JOB_PUT}, 1);
    struct buf out = BUF_INIT(1 << 20);
    struct change_reader reader;
    struct change change;
    (void)state;
    assert_int_equal(change_reader_init(&reader, encoded(changes, &out), NULL), ERR_OK);
    assert_int_equal(change_reader_next(&reader, &change, NULL), ERR_OK);
    assert_string_equal(change.of.job.job_id, "");
    assert_string_equal(change.of.job.retry_of, "");
    changes_destroy(&changes);
    buf_fini(&out);
}

/* The number of changes that read before the end; *end = what the end was. */
static size_t read_all(struct bytes bytes, enum err *end)
{
    struct change_reader reader;
    struct change change;
    struct fault why;
    size_t count = 0;
    *end = change_reader_init(&reader, bytes, &why);
    while (*end == ERR_OK && (*end = change_reader_next(&reader, &change, &why)) == ERR_OK)
        count++;
    return count;
}

static void what_is_cut_off_is_no_list(void **state)
{
    struct buf out = BUF_INIT(1 << 20);
    enum err end;
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct changes *changes = list_of(&all[kind], 1);
        buf_clear(&out);
        struct bytes whole = encoded(changes, &out);
        for (size_t len = 2; len < whole.len; len++) {
            char *copy = malloc(len);
            memcpy(copy, whole.at, len);
            assert_int_equal(read_all((struct bytes){copy, len}, &end), 0);
            assert_int_equal(end, ERR_INVALID);
            free(copy);
        }
        changes_destroy(&changes);
    }
    buf_fini(&out);
}

static void foreign_values_are_refused(void **state)
{
    static const struct {
        struct bytes bytes;
        enum err end;
    } cases[] = {
        {{"", 0}, ERR_UNSUPPORTED},
        {{"\2", 1}, ERR_UNSUPPORTED},
        {{"\1", 1}, ERR_END},
        {{"\1\x63", 2}, ERR_INVALID},                                  /* a kind there is not */
        {{"\1\x8\1\0\0\0\0", 7}, ERR_END},                             /* an empty key */
        {{"\1\x8\0\0\0\0", 6}, ERR_INVALID},                           /* a text without its NUL */
        {{"\1\x8\2\0\0\0xx", 8}, ERR_INVALID},                         /* another one */
        {{"\1\x8\3\0\0\0\0x\0", 9}, ERR_INVALID},                      /* one with a NUL inside */
        {{"\1\x8\xff\xff\xff\xff\0", 7}, ERR_INVALID},                 /* longer than all there is */
        {{"\1\0\1\0\0\0\0\2\1\0\0\0\0", 13}, ERR_INVALID},             /* a truth of 2 */
        {{"\1\0\1\0\0\0\0\1\1\0\0\0\0\x9", 14}, ERR_INVALID},          /* a status there is not */
        {{"\1\7\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19}, ERR_INVALID}, /* a request id of one byte */
    };
    enum err end;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)read_all(cases[i].bytes, &end);
        if (end != cases[i].end)
            fail_msg("case %zu: %s", i, err_name(end));
    }
}

static void more_than_the_limit_is_too_large(void **state)
{
    struct changes *changes = list_of(all, KINDS);
    struct buf out = BUF_INIT(100);
    (void)state;
    assert_int_equal(changes_encode(changes, &out), ERR_FULL);
    changes_destroy(&changes);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_reads_back_as_it_was),  cmocka_unit_test(missing_texts_are_empty),
        cmocka_unit_test(what_is_cut_off_is_no_list),       cmocka_unit_test(foreign_values_are_refused),
        cmocka_unit_test(more_than_the_limit_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
