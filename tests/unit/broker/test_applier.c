/* A long random life of a few chats, brought into one record change by change and into another by the applier, many
 * batches in a transaction: nobody who reads them can tell which is which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/applier.h"
#include "store/change_codec.h"
#include "store/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHATS   4
#define BATCHES 400
#define T0      INT64_C(1700000000000000)

struct life {
    char folder[64], path[2][96];
    struct writer writer[2]; /* [0] change by change, [1] the applier's */
    struct reserve *reserve;
    struct applier *applier;
    struct changes *changes;
    uint32_t random;
    bool there[CHATS];
    uint64_t head[CHATS];
    int jobs[CHATS], added;
    struct fault why;
};

static unsigned below(struct life *self, unsigned limit)
{
    self->random = self->random * 1664525u + 1013904223u;
    return (self->random >> 8) % limit;
}

static int setup(void **state)
{
    struct life *self = calloc(1, sizeof *self);
    *state = self;
    strcpy(self->folder, "/tmp/sheetwire-applier-XXXXXX");
    if (!mkdtemp(self->folder) || changes_new(&self->changes) != ERR_OK)
        return -1;
    for (int i = 0; i < 2; i++) {
        snprintf(self->path[i], sizeof self->path[i], "%s/%d.db", self->folder, i);
        if (writer_open(&self->writer[i], self->path[i], &self->why) != ERR_OK)
            return -1;
    }
    if (reserve_open(&self->reserve, self->path[1], 4096, &self->why) != ERR_OK)
        return -1;
    return applier_start(&self->applier, &self->writer[1], self->reserve, &self->why) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct life *self = *state;
    char command[128];
    enum err err = applier_stop(&self->applier, &self->why);
    reserve_close(&self->reserve);
    for (int i = 0; i < 2; i++)
        writer_close(&self->writer[i]);
    changes_destroy(&self->changes);
    snprintf(command, sizeof command, "rm -rf %s", self->folder);
    int failed = system(command);
    free(self);
    return err != ERR_OK || failed;
}

/* ---- what happens ---- */

static void add(struct life *self, struct change change)
{
    assert_int_equal(changes_add(self->changes, &change), ERR_OK);
}

static void put_chat(struct life *self, unsigned chat, const char *id)
{
    if (!self->there[chat])
        self->head[chat] = 0;
    self->there[chat] = true;
    add(self, (struct change){.kind = CHANGE_CHAT_PUT,
                              .of.chat = {.chat_id = id,
                                          .room = below(self, 8) == 0,
                                          .participant_name = "Orca-1234",
                                          .status = (enum chat_status)below(self, CHAT_FAILED + 1),
                                          .head = self->head[chat],
                                          .created_us = T0 + below(self, 2),
                                          .updated_us = T0 + below(self, 1000)}});
}

static void delete_chat(struct life *self, unsigned chat, const char *id)
{
    add(self, (struct change){.kind = CHANGE_CHAT_DELETE, .of.chat = {.chat_id = id, .updated_us = T0}});
    self->there[chat] = false;
    self->jobs[chat] = 0;
}

static void put_job(struct life *self, unsigned chat, const char *id)
{
    char job[32], spool[32];
    if (self->jobs[chat] == 0 || below(self, 4) == 0)
        self->jobs[chat]++;
    snprintf(job, sizeof job, "job %d", 1 + (int)below(self, (unsigned)self->jobs[chat]));
    snprintf(spool, sizeof spool, "spool %u", below(self, 5));
    add(self, (struct change){.kind = CHANGE_JOB_PUT,
                              .of.job = {.job_id = job,
                                         .chat_id = id,
                                         .status = (enum job_status)below(self, JOB_CANCELLED + 1),
                                         .attempts = below(self, 3),
                                         .token = {.term = 1, .counter = below(self, 3)},
                                         .last_number = below(self, 9),
                                         .input_name = "in.csv",
                                         .total_steps = 2,
                                         .submitted_us = T0}});
    add(self, (struct change){.kind = CHANGE_STEP_PUT,
                              .of.step = {.step_id = "s",
                                          .chat_id = id,
                                          .job_id = job,
                                          .index = below(self, 2),
                                          .operation = "csv/search",
                                          .spool_key = below(self, 2) ? spool : "",
                                          .status = (enum step_status)below(self, STEP_FAILED + 1),
                                          .progress = below(self, 100)}});
}

static void add_event(struct life *self, unsigned chat, const char *id)
{
    add(self, (struct change){
                  .kind = CHANGE_EVENT_ADD,
                  .of.event = {.chat_id = id, .seq = ++self->head[chat], .type = "note", .body = "{}", .body_len = 2}});
}

static void add_others(struct life *self, const char *id)
{
    char name[32];
    struct answer_row answer = {.status = 200, .message = id, .keyed = below(self, 2), .chat_id = id};
    snprintf(name, sizeof name, "%d", ++self->added);
    answer.request_id[0] = (unsigned char)below(self, 8);
    add(self, (struct change){.kind = CHANGE_MESSAGE_ADD, .of.message = {.message_id = name, .chat_id = id}});
    add(self, (struct change){.kind = CHANGE_FILE_ADD, .of.file = {.file_id = name, .chat_id = id, .key = name}});
    add(self, (struct change){.kind = CHANGE_ANSWER_PUT, .of.answer = answer});
    snprintf(name, sizeof name, "spool %u", below(self, 8));
    add(self, (struct change){.kind = CHANGE_GARBAGE_ADD, .of.garbage_key = name});
}

static void happen(struct life *self)
{
    unsigned chat = below(self, CHATS), what = below(self, 20);
    char id[16];
    snprintf(id, sizeof id, "chat %u", chat);
    if (!self->there[chat] || what < 4)
        put_chat(self, chat, id);
    else if (what < 10)
        put_job(self, chat, id);
    else if (what < 17)
        add_event(self, chat, id);
    else if (what < 19)
        add_others(self, id);
    else
        delete_chat(self, chat, id);
}

/* ---- bringing it into both ---- */

static void apply_one_by_one(struct life *self)
{
    struct writer *writer = &self->writer[0];
    enum err err = writer_begin(writer, false, &self->why);
    for (size_t i = 0; err == ERR_OK && i < changes_count(self->changes); i++)
        err = writer_apply(writer, changes_at(self->changes, i), &self->why);
    if (err != ERR_OK || writer_commit(writer, 0, &self->why) != ERR_OK)
        fail_msg("%s", self->why.text);
}

static void hand_over(struct life *self, uint64_t number)
{
    struct applier_batch *batch;
    assert_int_equal(applier_batch_new(&batch, 1 << 20), ERR_OK);
    assert_int_equal(journal_record(&batch->record), ERR_OK);
    assert_int_equal(changes_encode(self->changes, &batch->record), ERR_OK);
    batch->payload = batch->record.len - JOURNAL_HEAD;
    batch->number = number;
    applier_take(self->applier, &batch);
}

/* Every row of every table. What lies there as text is no secret of this test. */
static char *contents(struct life *self, int which)
{
    static const char *const selects[] = {
        "SELECT * FROM conversations ORDER BY chat_id",
        "SELECT * FROM messages ORDER BY position",
        "SELECT * FROM files ORDER BY position",
        "SELECT * FROM jobs ORDER BY chat_id, job_id",
        "SELECT * FROM workflow_steps ORDER BY chat_id, job_id, step_index",
        "SELECT * FROM events ORDER BY chat_id, seq",
        "SELECT hex(request_id), status, message, keyed, chat_id FROM answers ORDER BY request_id",
        "SELECT key FROM garbage ORDER BY key",
    };
    size_t len = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &len);
    for (size_t i = 0; i < sizeof selects / sizeof *selects; i++) {
        sqlite3_stmt *s;
        assert_int_equal(db_prepare(&self->writer[which].db, selects[i], &s, &self->why), ERR_OK);
        while (db_row(&self->writer[which].db, s, &self->why) == ERR_OK) {
            for (int column = 0; column < sqlite3_column_count(s); column++)
                fprintf(out, "%s|", db_text(s, column));
            fputc('\n', out);
        }
        sqlite3_finalize(s);
    }
    fclose(out);
    return text;
}

/* The applier has nothing to do then, so its connection may be used here. */
static void compare(struct life *self)
{
    if (applier_wait_all(self->applier, &self->why) != ERR_OK)
        fail_msg("%s", self->why.text);
    char *one_by_one = contents(self, 0), *applied = contents(self, 1);
    assert_string_equal(applied, one_by_one);
    free(one_by_one);
    free(applied);
}

static void rows_are_as_if_every_change_had_been_written(void **state)
{
    struct life *self = *state;
    for (uint64_t number = 1; number <= BATCHES; number++) {
        changes_clear(self->changes);
        for (unsigned left = 1 + below(self, 8); left > 0; left--)
            happen(self);
        apply_one_by_one(self);
        hand_over(self, number);
        if (below(self, 10) == 0)
            compare(self);
    }
    compare(self);
}

static void an_event_of_a_chat_without_a_row_is_refused(void **state)
{
    struct life *self = *state;
    put_chat(self, 0, "chat 0");
    add_event(self, 1, "chat 1");
    hand_over(self, 1);
    assert_int_equal(applier_wait_all(self->applier, &self->why), ERR_IO);
    assert_non_null(strstr(self->why.text, "batches 1 to 1: "));
    assert_int_equal(applier_stop(&self->applier, &self->why), ERR_IO);
    char *rows = contents(self, 1);
    assert_string_equal(rows, "");
    free(rows);
}

#define APPLIER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        APPLIER(rows_are_as_if_every_change_had_been_written),
        APPLIER(an_event_of_a_chat_without_a_row_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
