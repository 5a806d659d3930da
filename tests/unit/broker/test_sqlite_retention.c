/* What may go: looked for by a reader in pieces, forgotten by the writer. */
#include "record_on_disk.h"

static enum err join(void *context, const char *text, uint64_t number)
{
    char *all = context;
    sprintf(all + strlen(all), "%s:%d ", text, (int)number);
    return ERR_OK;
}

/* All old rooms, in pieces of two. */
static void read_rooms(struct record *self, int64_t older_than_us, char *all)
{
    struct store_room_cursor cursor = {0};
    uint32_t looked = 2;
    all[0] = '\0';
    while (looked == 2)
        assert_int_equal(store_read_old_rooms(self->reader, &cursor, older_than_us, 2, &looked, join, all, &self->why),
                         ERR_OK);
}

static void rooms_are_as_old_as_their_newest_event(void **state)
{
    struct record *self = *state;
    char all[256];
    record_add_chat(self, "young", true, T0 + 5 * DAY);
    record_add_chat(self, "quiet", true, T0);
    record_add_chat(self, "busy", true, T0);
    record_add_chat(self, "empty", true, T0);
    record_add_chat(self, "conversation", false, T0);
    record_add_chat(self, "later", true, T0 + HOUR);
    record_add_event(self, "quiet", 1, T0);
    record_add_event(self, "quiet", 2, T0 + DAY);
    record_add_event(self, "busy", 1, T0);
    record_add_event(self, "busy", 2, T0 + 4 * DAY);
    record_add_event(self, "later", 1, T0 + HOUR);
    record_commit(self);
    read_rooms(self, T0 + 2 * DAY, all);
    assert_string_equal(all, "quiet:2 empty:0 later:1 ");
    read_rooms(self, T0 + DAY, all);
    assert_string_equal(all, "empty:0 later:1 ");
    read_rooms(self, T0, all);
    assert_string_equal(all, "");
    read_rooms(self, T0 + 9 * DAY, all);
    assert_string_equal(all, "quiet:2 empty:0 busy:2 later:1 young:0 ");
}

static enum err full_at_once(void *context, const char *text, uint64_t number)
{
    enum err err = join(context, text, number);
    return err == ERR_OK ? ERR_FULL : err;
}

static void a_piece_that_was_cut_short_goes_on_behind_its_last_room(void **state)
{
    struct record *self = *state;
    char all[256] = "";
    struct store_room_cursor cursor = {0};
    uint32_t looked;
    record_add_chat(self, "a", true, T0);
    record_add_chat(self, "b", true, T0);
    record_add_chat(self, "c", true, T0 + 1);
    record_commit(self);
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_read_old_rooms(self->reader, &cursor, T0 + DAY, 9, &looked, full_at_once, all, NULL),
                         ERR_FULL);
    assert_string_equal(all, "b:0 a:0 c:0 ");
    assert_int_equal(store_read_old_rooms(self->reader, &cursor, T0 + DAY, 9, &looked, full_at_once, all, NULL),
                     ERR_OK);
    assert_int_equal(looked, 0);
}

/* ---- events ---- */

struct found {
    char chat[8], epoch[8];
    uint64_t upto;
};

static enum err keep_found(void *context, const struct store_old_events *old)
{
    struct found *found = context;
    snprintf(found->chat, sizeof found->chat, "%s", old->chat_id);
    snprintf(found->epoch, sizeof found->epoch, "%s", old->epoch);
    found->upto = old->upto;
    return ERR_OK;
}

static void old_events_go_of_the_history_they_were_found_in(void **state)
{
    struct record *self = *state;
    struct found found = {.upto = 0};
    uint32_t rows;
    record_add_chat(self, "c", false, T0);
    for (uint64_t seq = 1; seq <= 5; seq++)
        record_add_event(self, "c", seq, T0);
    record_commit(self);
    assert_int_equal(store_read_old_events(self->reader, "", &(struct store_retention){.events_max = 2}, 9, keep_found,
                                           &found, &self->why),
                     ERR_OK);
    assert_string_equal(found.chat, "c");
    assert_int_equal(found.upto, 3);
    const struct store_old_events another = {"c", "e0", 3}, old = {found.chat, found.epoch, found.upto};
    assert_int_equal(store_trim_events(self->store, &another, &rows, &self->why), ERR_OK);
    assert_int_equal(rows, 0); /* the chat was restored or made again meanwhile */
    assert_int_equal(store_trim_events(self->store, &old, &rows, &self->why), ERR_OK);
    assert_int_equal(rows, 3);
}

/* ---- answers ---- */

static void put_answer(struct record *self, unsigned char id, bool keyed, int64_t created_us)
{
    record_add(self, &(struct change){.kind = CHANGE_ANSWER_PUT,
                                      .of.answer = {.request_id = {id},
                                                    .status = 201,
                                                    .message = "made",
                                                    .body = "{}",
                                                    .job_id = "",
                                                    .created_us = created_us,
                                                    .keyed = keyed,
                                                    .chat_id = keyed ? "c" : ""}});
}

static bool has_answer(struct record *self, unsigned char id)
{
    struct answer_row row;
    struct buf space = BUF_INIT(4096);
    unsigned char request_id[REQUEST_ID_LEN] = {id};
    enum err err = store_find_answer(self->store, request_id, &row, &space, &self->why);
    buf_fini(&space);
    return err == ERR_OK;
}

/* One pass in pieces of three; how many were said to be old. */
static uint32_t forget_answers(struct record *self, int64_t older_than_us)
{
    struct store_answer_range range = {.older_than_us = older_than_us};
    uint32_t looked = 3, old, all = 0;
    while (looked == 3) {
        assert_int_equal(store_read_old_answers(self->reader, &range, 3, &looked, &old, &self->why), ERR_OK);
        if (old > 0)
            assert_int_equal(store_forget_answers(self->store, &range, &self->why), ERR_OK);
        memcpy(range.after, range.upto, sizeof range.after);
        all += old;
    }
    return all;
}

static void old_answers_go_and_keyed_ones_stay_with_their_chat(void **state)
{
    struct record *self = *state;
    record_add_chat(self, "c", false, T0);
    for (unsigned char id = 1; id <= 10; id++)
        put_answer(self, id, id % 5 == 0, T0 + id * DAY); /* 5 and 10 are keyed */
    put_answer(self, 11, false, T0);                      /* of a gateway whose clock is ahead */
    record_commit(self);
    assert_int_equal(forget_answers(self, T0 + 7 * DAY), 6);
    for (unsigned char id = 1; id <= 11; id++)
        assert_int_equal(has_answer(self, id), id == 5 || (id >= 7 && id <= 10));
    assert_int_equal(forget_answers(self, T0 + 7 * DAY), 0);
}

static void what_is_forgotten_is_looked_at_again(void **state)
{
    struct record *self = *state;
    struct store_answer_range range = {.older_than_us = T0 + DAY};
    uint32_t looked, old;
    put_answer(self, 1, false, T0);
    put_answer(self, 2, false, T0);
    record_commit(self);
    assert_int_equal(store_read_old_answers(self->reader, &range, 9, &looked, &old, &self->why), ERR_OK);
    put_answer(self, 2, true, T0 + 2 * DAY); /* between looking and forgetting */
    record_commit(self);
    assert_int_equal(store_forget_answers(self->store, &range, &self->why), ERR_OK);
    assert_false(has_answer(self, 1));
    assert_true(has_answer(self, 2));
}

/* ---- keys ---- */

static enum err join_key(void *context, const char *key)
{
    return join(context, key, 0);
}

static void a_chat_names_its_files_inputs_and_spools(void **state)
{
    struct record *self = *state;
    char all[256] = "";
    bool busy = true;
    record_add_chat(self, "c", false, T0);
    record_add_chat(self, "other", false, T0);
    record_add_file(self, "c", "a.csv", "k1");
    record_add_file(self, "c", "a.csv", "k2");
    record_add_file(self, "other", "a.csv", "k3");
    record_put_job(self, "c", "j", JOB_FAILED, "k-in");
    record_put_spool(self, "c", "j", "k-spool");
    record_commit(self);
    assert_int_equal(store_read_keys(self->reader, "c", &busy, join_key, all, &self->why), ERR_OK);
    assert_false(busy);
    assert_string_equal(all, "k1:0 k2:0 k-in:0 k-spool:0 ");
    record_put_job(self, "c", "j2", JOB_PENDING, "k-in");
    record_commit(self);
    assert_int_equal(store_read_keys(self->reader, "c", &busy, join_key, all, &self->why), ERR_OK);
    assert_true(busy);
    all[0] = '\0';
    assert_int_equal(store_read_keys(self->reader, "nobody", &busy, join_key, all, &self->why), ERR_OK);
    assert_false(busy);
    assert_string_equal(all, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(rooms_are_as_old_as_their_newest_event),
        ON_DISK(a_piece_that_was_cut_short_goes_on_behind_its_last_room),
        ON_DISK(old_events_go_of_the_history_they_were_found_in),
        ON_DISK(old_answers_go_and_keyed_ones_stay_with_their_chat),
        ON_DISK(what_is_forgotten_is_looked_at_again),
        ON_DISK(a_chat_names_its_files_inputs_and_spools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
