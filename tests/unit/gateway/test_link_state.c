#include "link_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static enum link_step take(struct link_place *place, uint64_t term, uint64_t number, uint32_t count)
{
    return link_take(place, &(struct feed_batch){term, number, count});
}

static void the_first_batch_opens_a_link(void **state)
{
    (void)state;
    struct link_place beat = {LINK_OPENING, 0, 0}, records = beat;
    assert_int_equal(take(&beat, 5, 0, 0), LINK_BEAT);
    assert_int_equal(beat.phase, LINK_OPEN);
    assert_int_equal(beat.term, 5);
    assert_int_equal(take(&beat, 5, 1, 3), LINK_NEXT);
    assert_int_equal(take(&records, 5, 1, 2), LINK_NEXT);
    assert_int_equal(records.number, 1);
}

static void a_link_does_not_open_in_the_middle(void **state)
{
    (void)state;
    struct link_place place = {LINK_OPENING, 0, 0};
    assert_int_equal(take(&place, 5, 2, 1), LINK_BROKEN);
    assert_int_equal(take(&place, 5, 2, 0), LINK_BROKEN);
    assert_int_equal(take(&place, 5, 0, 1), LINK_BROKEN);
    assert_int_equal(place.phase, LINK_OPENING);
}

static void batches_follow_without_a_hole_and_beats_repeat_the_last(void **state)
{
    (void)state;
    struct link_place place = {LINK_OPEN, 5, 7};
    assert_int_equal(take(&place, 5, 7, 0), LINK_BEAT);
    assert_int_equal(take(&place, 5, 8, 1), LINK_NEXT);
    assert_int_equal(take(&place, 5, 8, 0), LINK_BEAT);
    assert_int_equal(take(&place, 5, 8, 1), LINK_BROKEN);
    assert_int_equal(take(&place, 5, 10, 1), LINK_BROKEN);
    assert_int_equal(take(&place, 5, 9, 0), LINK_BROKEN); /* a beat shows that a batch was lost */
    assert_int_equal(take(&place, 6, 9, 1), LINK_BROKEN);
    assert_int_equal(take(&place, 6, 8, 0), LINK_BROKEN);
    assert_int_equal(place.number, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_batch_opens_a_link),
        cmocka_unit_test(a_link_does_not_open_in_the_middle),
        cmocka_unit_test(batches_follow_without_a_hole_and_beats_repeat_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
