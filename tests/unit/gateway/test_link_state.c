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

/* ---- a link with hands ---- */

struct hands_seen {
    uint64_t next_id, opened;
    int renewed;
};

static enum err take_frame(void *ctx, const struct request_frame *frame)
{
    (void)ctx;
    (void)frame;
    return ERR_OK;
}

static uint64_t renew(void *ctx, const char *reason)
{
    struct hands_seen *seen = ctx;
    (void)reason;
    seen->renewed++;
    return ++seen->next_id;
}

static void tell_link(void *ctx, uint64_t link)
{
    ((struct hands_seen *)ctx)->opened = link;
}

static bool take_batch(void *ctx, uint64_t link, struct bytes bytes)
{
    (void)ctx;
    (void)link;
    (void)bytes;
    return true;
}

static void give_beat(struct link_state *state)
{
    struct buf bytes = BUF_INIT(4096);
    assert_int_equal(feed_batch_open(&bytes, 5), ERR_OK);
    feed_batch_close(&bytes, 0, 0);
    link_state_batch(state, (struct bytes){bytes.data, bytes.len});
    buf_fini(&bytes);
}

/* A subscription that ZeroMQ makes again after a cut looks like a link on which nothing has happened yet: numbers alone
 * cannot tell that the broker knows nothing of what was attached before. */
static void a_connection_that_breaks_ends_the_link_open_or_not(void **state)
{
    (void)state;
    struct hands_seen seen = {.next_id = 1};
    struct link_hands hands = {&seen, take_frame, renew, tell_link, take_batch};
    struct pending *pending;
    struct link_state link;
    assert_int_equal(pending_new(&pending), ERR_OK);
    link_state_init(&link, &hands, pending, 100, 8, 1, 1000);
    link_state_broken(&link, "cut");
    assert_int_equal(seen.renewed, 1);
    give_beat(&link);
    assert_int_equal(seen.opened, 2);
    link_state_broken(&link, "cut");
    assert_int_equal(seen.renewed, 2);
    assert_int_equal(seen.opened, 0);
    assert_false(link_state_open(&link));
    pending_destroy(&pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_batch_opens_a_link),
        cmocka_unit_test(a_link_does_not_open_in_the_middle),
        cmocka_unit_test(batches_follow_without_a_hole_and_beats_repeat_the_last),
        cmocka_unit_test(a_connection_that_breaks_ends_the_link_open_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
