#include "actor.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LETTERS_MAX 100

static void add_up(struct actor *self, struct mailbox *box, void *arg)
{
    uint64_t *sum = arg;
    actor_ready(self, ERR_OK, NULL);
    for (;;) {
        struct pollfd fd = {mailbox_fd(box), POLLIN, 0};
        poll(&fd, 1, -1);
        struct mail letter;
        while (mailbox_take(box, &letter)) {
            if (letter.kind == MAIL_STOP)
                return;
            *sum += letter.number;
        }
    }
}

static void letters_before_the_stop_are_read(void **state)
{
    (void)state;
    struct actor *actor;
    struct fault why;
    uint64_t sum = 0;
    assert_int_equal(actor_start(&actor, "adder", LETTERS_MAX, add_up, &sum, &why), ERR_OK);
    for (uint64_t i = 1; i <= LETTERS_MAX; i++)
        assert_int_equal(actor_tell(actor, &(struct mail){.kind = 1, .number = i}), ERR_OK);
    actor_stop(&actor, 10000);
    assert_null(actor);
    assert_int_equal(sum, LETTERS_MAX * (LETTERS_MAX + 1) / 2);
    actor_stop(&actor, 10000);
}

static void refuse(struct actor *self, struct mailbox *box, void *arg)
{
    (void)box;
    (void)arg;
    struct fault why;
    fault_set(&why, ERR_UNAVAILABLE, "the port is taken");
    actor_ready(self, ERR_UNAVAILABLE, &why);
}

static void a_failed_start_is_known_to_the_starter(void **state)
{
    (void)state;
    struct actor *actor;
    struct fault why;
    assert_int_equal(actor_start(&actor, "refuser", 1, refuse, NULL, &why), ERR_UNAVAILABLE);
    assert_string_equal(why.text, "the port is taken");
    assert_null(actor);
}

static void vanish(struct actor *self, struct mailbox *box, void *arg)
{
    (void)self;
    (void)box;
    (void)arg;
}

static void a_body_that_never_gets_ready_is_an_error(void **state)
{
    (void)state;
    struct actor *actor;
    struct fault why;
    assert_int_equal(actor_start(&actor, "vanisher", 1, vanish, NULL, &why), ERR_INTERNAL);
    assert_string_equal(why.text, "vanisher ended before it was ready");
    assert_null(actor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_before_the_stop_are_read),
        cmocka_unit_test(a_failed_start_is_known_to_the_starter),
        cmocka_unit_test(a_body_that_never_gets_ready_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
