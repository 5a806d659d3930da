#include "lease_keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BEAT 1000

static const struct token first = {.term = 3, .counter = 1}, second = {.term = 3, .counter = 2};

static struct bytes text(const char *at)
{
    return (struct bytes){.at = at, .len = strlen(at)};
}

static struct keeper *make(void)
{
    struct keeper *keeper;
    assert_int_equal(keeper_new(&keeper, "worker1", 4, BEAT), ERR_OK);
    return keeper;
}

static enum keeper_news give(struct keeper *keeper, enum work_kind kind, struct token token, uint64_t number,
                             int64_t now)
{
    struct work_frame frame = {
        .kind = kind, .token = token, .number = number, .term = number, .beat_ms = BEAT, .lease_ms = 10 * BEAT};
    return keeper_take(keeper, &frame, now);
}

static enum keeper_news welcome(struct keeper *keeper, uint64_t term, int64_t now)
{
    return give(keeper, WORK_WELCOME, (struct token){0}, term, now);
}

static struct work_frame *next(struct keeper *keeper, int64_t now)
{
    static struct work_frame frame;
    return keeper_next(keeper, now, &frame) ? &frame : NULL;
}

static void check_nothing(struct keeper *keeper, int64_t now)
{
    struct work_frame *frame = next(keeper, now);
    if (frame)
        fail_msg("a frame of kind %d was due", frame->kind);
}

static void check_event(struct keeper *keeper, int64_t now, struct token token, uint64_t number, const char *event)
{
    struct work_frame *frame = next(keeper, now);
    assert_non_null(frame);
    assert_int_equal(frame->kind, WORK_EVENT);
    assert_int_equal(frame->token.counter, token.counter);
    assert_int_equal(frame->number, number);
    assert_int_equal(frame->event.len, strlen(event));
    assert_memory_equal(frame->event.at, event, frame->event.len);
}

/* Greeted at time 0 with the first token held. */
static struct keeper *make_working(void)
{
    struct keeper *keeper = make();
    assert_int_equal(next(keeper, 0)->kind, WORK_HELLO);
    assert_int_equal(welcome(keeper, 3, 0), KEEPER_READY);
    assert_int_equal(give(keeper, WORK_JOB, first, 0, 0), KEEPER_JOB);
    check_nothing(keeper, 0);
    return keeper;
}

static void say(struct keeper *keeper, struct token token, enum work_what what, const char *event)
{
    assert_int_equal(keeper_record(keeper, token, what, text(event), text("{}")), ERR_OK);
}

static void it_greets_until_it_is_welcome_and_then_beats(void **state)
{
    (void)state;
    struct keeper *keeper = make();
    assert_int_equal(keeper_wait_ms(keeper, 0), 0);
    struct work_frame *frame = next(keeper, 0);
    assert_int_equal(frame->kind, WORK_HELLO);
    assert_string_equal(frame->worker, "worker1");
    assert_int_equal(frame->free_slots, 4);
    check_nothing(keeper, BEAT - 1);
    assert_int_equal(keeper_wait_ms(keeper, BEAT - 1), 1);
    assert_int_equal(next(keeper, BEAT)->kind, WORK_HELLO);
    assert_int_equal(welcome(keeper, 3, BEAT), KEEPER_READY);
    assert_int_equal(keeper_term(keeper), 3);
    check_nothing(keeper, BEAT);
    assert_int_equal(next(keeper, 2 * BEAT)->kind, WORK_BEAT);
    check_nothing(keeper, 2 * BEAT);
    keeper_destroy(&keeper);
}

static void a_job_takes_a_slot_until_its_last_word_is_on_disk(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    assert_int_equal(give(keeper, WORK_JOB, first, 0, 0), KEEPER_NOTHING); /* said twice */
    assert_int_equal(give(keeper, WORK_JOB, second, 0, 0), KEEPER_JOB);
    struct work_frame *beat = next(keeper, BEAT);
    assert_int_equal(beat->free_slots, 2);
    assert_int_equal(beat->token_count, 2);
    say(keeper, first, WORK_RUN_DONE, "{}");
    keeper_finish(keeper, first);
    assert_int_equal(keeper_record(keeper, first, WORK_PROGRESS, text("{}"), text("{}")), ERR_NOT_FOUND);
    check_event(keeper, BEAT, first, 1, "{}");
    beat = next(keeper, 2 * BEAT); /* finished: its slot is free, but it is still told */
    assert_int_equal(beat->free_slots, 3);
    assert_int_equal(beat->token_count, 2);
    give(keeper, WORK_ACK, first, 1, 2 * BEAT);
    assert_false(keeper_holds(keeper, first));
    assert_true(keeper_holds(keeper, second));
    assert_int_equal(keeper_held(keeper), 1);
    keeper_destroy(&keeper);
}

static void events_are_said_again_in_order_until_acknowledged(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    say(keeper, first, WORK_STEP_STARTED, "{\"a\":1}");
    say(keeper, first, WORK_STEP_DONE, "{\"a\":2}");
    assert_int_equal(keeper_wait_ms(keeper, 10), 0);
    check_event(keeper, 10, first, 1, "{\"a\":1}");
    check_event(keeper, 10, first, 2, "{\"a\":2}");
    check_nothing(keeper, 10);
    say(keeper, first, WORK_STEP_STARTED, "{\"a\":3}");
    check_event(keeper, 20, first, 3, "{\"a\":3}");
    give(keeper, WORK_ACK, first, 1, 30);
    give(keeper, WORK_ACK, first, 1, 30);  /* twice */
    give(keeper, WORK_ACK, first, 77, 30); /* never said */
    assert_int_equal(next(keeper, BEAT)->kind, WORK_BEAT);
    check_nothing(keeper, 2 * BEAT - 1);
    check_event(keeper, 2 * BEAT + 10, first, 2, "{\"a\":2}");
    check_event(keeper, 2 * BEAT + 10, first, 3, "{\"a\":3}");
    give(keeper, WORK_ACK, first, 3, 2 * BEAT + 11); /* the middle one was lost */
    say(keeper, first, WORK_RUN_DONE, "{}");
    check_event(keeper, 2 * BEAT + 12, first, 4, "{}");
    assert_int_equal(next(keeper, 3 * BEAT)->kind, WORK_BEAT);
    check_event(keeper, 4 * BEAT + 10, first, 2, "{\"a\":2}");
    give(keeper, WORK_ACK, first, 2, 4 * BEAT + 10);
    give(keeper, WORK_ACK, first, 4, 4 * BEAT + 10);
    keeper_finish(keeper, first);
    assert_int_equal(keeper_held(keeper), 0);
    keeper_destroy(&keeper);
}

static void progress_is_conflated_and_never_follows_its_result(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    say(keeper, first, WORK_STEP_STARTED, "{\"s\":1}");
    say(keeper, first, WORK_PROGRESS, "{\"p\":10}");
    say(keeper, first, WORK_PROGRESS, "{\"p\":20}");
    check_event(keeper, 1, first, 1, "{\"s\":1}");
    check_event(keeper, 1, first, 1, "{\"p\":20}"); /* carries the number of the event before it */
    check_nothing(keeper, 1);
    say(keeper, first, WORK_PROGRESS, "{\"p\":30}");
    say(keeper, first, WORK_STEP_DONE, "{\"d\":1}");
    check_event(keeper, 2, first, 2, "{\"d\":1}");
    check_nothing(keeper, 2);
    keeper_destroy(&keeper);
}

static void it_goes_on_through_an_outage_and_presents_what_it_holds(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    say(keeper, first, WORK_STEP_STARTED, "{}");
    check_event(keeper, 1, first, 1, "{}");
    keeper_connected(keeper, 50000); /* hours of silence ended nothing */
    say(keeper, first, WORK_STEP_DONE, "{\"late\":1}");
    struct work_frame *frame = next(keeper, 50000);
    assert_int_equal(frame->kind, WORK_HELLO);
    assert_int_equal(frame->token_count, 1);
    assert_int_equal(frame->tokens[0].counter, first.counter);
    check_nothing(keeper, 50000); /* events wait for the WELCOME */
    assert_int_equal(welcome(keeper, 4, 50001), KEEPER_READY);
    check_event(keeper, 50001, first, 1, "{}");
    check_event(keeper, 50001, first, 2, "{\"late\":1}");
    keeper_connected(keeper, 50010); /* a short one: nothing is overdue, but what was on its way is lost */
    assert_int_equal(next(keeper, 50010)->kind, WORK_HELLO);
    assert_int_equal(welcome(keeper, 4, 50011), KEEPER_READY);
    check_event(keeper, 50011, first, 1, "{}");
    check_event(keeper, 50011, first, 2, "{\"late\":1}");
    keeper_destroy(&keeper);
}

static void a_new_term_or_a_forgetful_broker_is_greeted_again(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    assert_int_equal(welcome(keeper, 3, 5), KEEPER_NOTHING); /* answers a repeated HELLO */
    check_nothing(keeper, 5);
    assert_int_equal(welcome(keeper, 4, 10), KEEPER_NOTHING);
    assert_int_equal(next(keeper, 10)->kind, WORK_HELLO);
    assert_int_equal(welcome(keeper, 4, 11), KEEPER_READY);
    assert_int_equal(welcome(keeper, 4, 9000), KEEPER_NOTHING); /* it had forgotten us */
    assert_int_equal(next(keeper, 9000)->kind, WORK_HELLO);
    keeper_destroy(&keeper);
}

static void a_revoked_token_is_forgotten_at_once(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    say(keeper, first, WORK_STEP_STARTED, "{}");
    assert_int_equal(give(keeper, WORK_REVOKE, second, 0, 1), KEEPER_NOTHING);
    assert_int_equal(give(keeper, WORK_REVOKE, first, 0, 1), KEEPER_LOST);
    assert_int_equal(give(keeper, WORK_REVOKE, first, 0, 1), KEEPER_NOTHING);
    assert_int_equal(keeper_record(keeper, first, WORK_STEP_DONE, text("{}"), text("{}")), ERR_NOT_FOUND);
    check_nothing(keeper, 1);
    assert_int_equal(next(keeper, BEAT)->token_count, 0);
    assert_int_equal(give(keeper, WORK_ACK, first, 1, 1), KEEPER_NOTHING);
    assert_int_equal(give(keeper, WORK_BYE, first, 1, 1), KEEPER_ODD);
    keeper_destroy(&keeper);
}

static void too_many_unacknowledged_events_give_the_lease_up(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    size_t len = KEEPER_LEASE_BYTES_MAX / 4;
    char *large = calloc(1, len);
    struct bytes event = {.at = large, .len = len};
    for (int i = 0; i < 3; i++)
        assert_int_equal(keeper_record(keeper, first, WORK_STEP_DONE, event, text("{}")), ERR_OK);
    assert_int_equal(next(keeper, 1)->number, 1);
    give(keeper, WORK_ACK, first, 1, 2); /* makes room for one */
    assert_int_equal(keeper_record(keeper, first, WORK_STEP_DONE, event, text("{}")), ERR_OK);
    assert_int_equal(keeper_record(keeper, first, WORK_STEP_DONE, event, text("{}")), ERR_FULL);
    assert_false(keeper_holds(keeper, first));
    assert_int_equal(next(keeper, BEAT)->token_count, 0);
    free(large);
    keeper_destroy(&keeper);
}

static void no_more_tokens_than_a_beat_can_carry(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    for (uint64_t i = 2; i <= WORK_TOKENS_MAX; i++)
        assert_int_equal(give(keeper, WORK_JOB, (struct token){.term = 3, .counter = i}, 0, 0), KEEPER_JOB);
    assert_int_equal(give(keeper, WORK_JOB, (struct token){.term = 3, .counter = 999}, 0, 0), KEEPER_ODD);
    struct work_frame *beat = next(keeper, BEAT);
    assert_int_equal(beat->token_count, WORK_TOKENS_MAX);
    assert_int_equal(beat->free_slots, 0);
    keeper_destroy(&keeper);
}

static void a_draining_worker_says_bye_and_offers_nothing(void **state)
{
    (void)state;
    struct keeper *keeper = make_working();
    keeper_drain(keeper);
    assert_int_equal(next(keeper, 1)->kind, WORK_BYE);
    check_nothing(keeper, 1);
    assert_int_equal(next(keeper, BEAT)->free_slots, 0);
    give(keeper, WORK_JOB, second, 0, BEAT); /* it crossed our BYE */
    keeper_give_back(keeper, second);
    assert_int_equal(next(keeper, BEAT + 1)->token_count, 1); /* said at once, by not naming it */
    check_nothing(keeper, BEAT + 1);
    keeper_connected(keeper, BEAT);
    struct work_frame *hello = next(keeper, BEAT);
    assert_int_equal(hello->kind, WORK_HELLO);
    assert_int_equal(hello->free_slots, 0);
    welcome(keeper, 5, BEAT);
    assert_int_equal(next(keeper, BEAT)->kind, WORK_BYE); /* the new broker has not heard it */
    keeper_leave(keeper);
    assert_int_equal(next(keeper, BEAT + 2)->kind, WORK_BYE);
    check_nothing(keeper, BEAT + 2);
    keeper_destroy(&keeper);
}

/* --- a broker that takes events in order, behind a link that loses, repeats and breaks --- */

#define LINK_FRAMES 64
#define JOB_EVENTS  20

struct world {
    uint32_t seed;
    struct work_frame to_broker[LINK_FRAMES], to_worker[LINK_FRAMES];
    size_t out, in;
    uint64_t term;
    bool knows_worker;
    uint64_t taken[3]; /* newest event on disk, by token counter */
};

static uint32_t chance(struct world *self, uint32_t of)
{
    self->seed = self->seed * 1664525u + 1013904223u;
    return (self->seed >> 8) % of;
}

static void answer(struct world *self, struct work_frame frame)
{
    if (self->in < LINK_FRAMES && chance(self, 10) > 0)
        self->to_worker[self->in++] = frame;
}

static void broker_takes(struct world *self, const struct work_frame *frame)
{
    if (frame->kind == WORK_HELLO || !self->knows_worker) {
        self->knows_worker = true;
        answer(self, (struct work_frame){.kind = WORK_WELCOME, .term = self->term, .beat_ms = BEAT});
    }
    if (frame->kind != WORK_EVENT || frame->what == WORK_PROGRESS)
        return;
    uint64_t *taken = &self->taken[frame->token.counter];
    if (frame->number == *taken + 1)
        ++*taken;
    if (frame->number <= *taken)
        answer(self, (struct work_frame){.kind = WORK_ACK, .token = frame->token, .number = frame->number});
}

static void break_link(struct world *self, struct keeper *keeper, int64_t now)
{
    self->out = self->in = 0;
    if (chance(self, 2) == 0) { /* it was a restart */
        self->term++;
        self->knows_worker = false;
    }
    if (chance(self, 2) == 0) /* otherwise nobody notices */
        keeper_connected(keeper, now);
}

static void world_turn(struct world *self, struct keeper *keeper, int64_t now)
{
    static struct work_frame frame;
    while (keeper_next(keeper, now, &frame)) {
        frame.event = frame.body = (struct bytes){.at = NULL};
        for (uint32_t copies = chance(self, 8) == 0 ? chance(self, 3) : 1; copies > 0; copies--)
            if (self->out < LINK_FRAMES)
                self->to_broker[self->out++] = frame;
    }
    size_t arrived = self->out > 0 ? chance(self, (uint32_t)self->out + 1) : 0;
    for (size_t i = 0; i < arrived; i++)
        broker_takes(self, &self->to_broker[i]);
    memmove(self->to_broker, self->to_broker + arrived, (self->out - arrived) * sizeof *self->to_broker);
    self->out -= arrived;
    for (size_t i = 0; i < self->in; i++)
        keeper_take(keeper, &self->to_worker[i], now);
    self->in = 0;
}

/* Whatever the link does, as long as it works now and then: the broker takes every event once and in order, and the
 * worker lets go of its leases. */
static void every_event_arrives_through_a_bad_link(void **state)
{
    (void)state;
    static struct world world;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        world = (struct world){.seed = seed, .term = 1};
        struct keeper *keeper = make();
        struct work_frame job = {.kind = WORK_JOB, .token = first};
        keeper_take(keeper, &job, 0);
        job.token = second;
        keeper_take(keeper, &job, 0);
        int said = 0;
        int64_t now = 0;
        for (; keeper_held(keeper) > 0; now += 1 + chance(&world, BEAT / 2)) {
            if (now > 2000 * BEAT)
                fail_msg("seed %u: event %llu is the last that arrived", seed, (unsigned long long)world.taken[1]);
            if (said < JOB_EVENTS && chance(&world, 3) == 0) {
                enum work_what what = chance(&world, 4) == 0 ? WORK_PROGRESS : WORK_STEP_DONE;
                say(keeper, first, what, "{}");
                say(keeper, second, WORK_STEP_DONE, "{}");
                if (++said == JOB_EVENTS) {
                    keeper_finish(keeper, first);
                    keeper_finish(keeper, second);
                }
            }
            if (chance(&world, 40) == 0)
                break_link(&world, keeper, now);
            world_turn(&world, keeper, now);
        }
        assert_int_equal(world.taken[2], JOB_EVENTS);
        keeper_destroy(&keeper);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_greets_until_it_is_welcome_and_then_beats),
        cmocka_unit_test(a_job_takes_a_slot_until_its_last_word_is_on_disk),
        cmocka_unit_test(events_are_said_again_in_order_until_acknowledged),
        cmocka_unit_test(progress_is_conflated_and_never_follows_its_result),
        cmocka_unit_test(it_goes_on_through_an_outage_and_presents_what_it_holds),
        cmocka_unit_test(a_new_term_or_a_forgetful_broker_is_greeted_again),
        cmocka_unit_test(a_revoked_token_is_forgotten_at_once),
        cmocka_unit_test(too_many_unacknowledged_events_give_the_lease_up),
        cmocka_unit_test(no_more_tokens_than_a_beat_can_carry),
        cmocka_unit_test(every_event_arrives_through_a_bad_link),
        cmocka_unit_test(a_draining_worker_says_bye_and_offers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
