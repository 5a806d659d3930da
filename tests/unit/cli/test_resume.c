#include "resume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct resume self;
static char query[RESUME_QUERY_MAX];

static void attached_at(const char *epoch, uint64_t seq)
{
    resume_init(&self, "", 0);
    assert_int_equal(resume_connected(&self, "snapshot", epoch, seq), RESUME_REBUILD);
}

static void the_next_event_is_applied_and_a_repeated_one_ignored(void **state)
{
    (void)state;
    attached_at("e1", 5);
    assert_int_equal(resume_event(&self, true, 6, "e1"), RESUME_APPLY);
    assert_int_equal(resume_event(&self, true, 6, "e1"), RESUME_IGNORE);
    assert_int_equal(resume_event(&self, true, 2, "e1"), RESUME_IGNORE);
    assert_int_equal(resume_event(&self, true, 7, "e1"), RESUME_APPLY);
    resume_query(&self, query);
    assert_string_equal(query, "?since=7&epoch=e1");
}

static void a_hole_asks_again_from_the_position_held(void **state)
{
    (void)state;
    attached_at("e1", 5);
    assert_int_equal(resume_event(&self, true, 7, "e1"), RESUME_AGAIN);
    resume_query(&self, query);
    assert_string_equal(query, "?since=5&epoch=e1");
}

static void another_epoch_is_never_applied(void **state)
{
    (void)state;
    attached_at("e1", 5);
    assert_int_equal(resume_event(&self, true, 6, "e2"), RESUME_AGAIN);
    assert_int_equal(resume_event(&self, true, 6, NULL), RESUME_AGAIN);
}

static void progress_has_no_number_and_is_applied(void **state)
{
    (void)state;
    attached_at("e1", 5);
    assert_int_equal(resume_event(&self, false, 0, NULL), RESUME_APPLY);
    assert_int_equal(self.seq, 5);
}

static void before_connected_nothing_counts(void **state)
{
    (void)state;
    attached_at("e1", 5);
    resume_lost(&self);
    assert_int_equal(resume_event(&self, true, 6, "e1"), RESUME_IGNORE);
    assert_int_equal(resume_event(&self, false, 0, NULL), RESUME_IGNORE);
    assert_int_equal(self.seq, 5);
}

static void resumed_at_our_position_goes_on(void **state)
{
    (void)state;
    attached_at("e1", 5);
    resume_lost(&self);
    assert_int_equal(resume_connected(&self, "resumed", "e1", 5), RESUME_CONTINUE);
    assert_int_equal(resume_event(&self, true, 6, "e1"), RESUME_APPLY);
}

static void anything_else_starts_from_the_snapshot(void **state)
{
    (void)state;
    static const struct {
        const char *how, *epoch;
        uint64_t seq;
    } cases[] = {{"gap", "e1", 9},     {"reset", "e2", 0},   {"snapshot", "e1", 5}, {NULL, "e1", 5},
                 {"resumed", "e2", 5}, {"resumed", "e1", 6}, {"resumed", NULL, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attached_at("e1", 5);
        assert_int_equal(resume_connected(&self, cases[i].how, cases[i].epoch, cases[i].seq), RESUME_REBUILD);
        assert_int_equal(self.seq, cases[i].epoch ? cases[i].seq : 0);
        assert_string_equal(self.epoch, cases[i].epoch ? cases[i].epoch : "");
    }
}

static void a_chat_without_a_record_gives_no_position(void **state)
{
    (void)state;
    attached_at(NULL, 0);
    resume_query(&self, query);
    assert_string_equal(query, "");
    assert_int_equal(resume_event(&self, false, 0, NULL), RESUME_APPLY);
    assert_int_equal(resume_event(&self, true, 1, "e1"), RESUME_AGAIN); /* its `connected` must come first */
}

static void an_epoch_that_would_break_the_address_is_not_kept(void **state)
{
    (void)state;
    attached_at("e1&x=\r\n", 5);
    resume_query(&self, query);
    assert_string_equal(query, "");
    char epoch[200];
    memset(epoch, 'a', sizeof epoch - 1);
    epoch[sizeof epoch - 1] = '\0';
    attached_at(epoch, 5);
    assert_string_equal(self.epoch, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_event_is_applied_and_a_repeated_one_ignored),
        cmocka_unit_test(a_hole_asks_again_from_the_position_held),
        cmocka_unit_test(another_epoch_is_never_applied),
        cmocka_unit_test(progress_has_no_number_and_is_applied),
        cmocka_unit_test(before_connected_nothing_counts),
        cmocka_unit_test(resumed_at_our_position_goes_on),
        cmocka_unit_test(anything_else_starts_from_the_snapshot),
        cmocka_unit_test(a_chat_without_a_record_gives_no_position),
        cmocka_unit_test(an_epoch_that_would_break_the_address_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
