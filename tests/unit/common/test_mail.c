#include "mail.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool readable(struct mailbox *box, int wait_ms)
{
    struct pollfd fd = {mailbox_fd(box), POLLIN, 0};
    return poll(&fd, 1, wait_ms) == 1;
}

static int freed;

static void count_free(void *body)
{
    freed++;
    free(body);
}

static void letters_come_in_order_and_the_descriptor_tells(void **state)
{
    (void)state;
    struct mailbox *box;
    struct mail letter;
    assert_int_equal(mailbox_new(&box, 3), ERR_OK);
    assert_false(readable(box, 0));
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(mailbox_put(box, &(struct mail){.kind = 7, .number = i}), ERR_OK);
    assert_true(readable(box, 0));
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(readable(box, 0));
        assert_true(mailbox_take(box, &letter));
        assert_int_equal(letter.kind, 7);
        assert_int_equal(letter.number, i);
    }
    assert_false(mailbox_take(box, &letter));
    assert_false(readable(box, 0));
    mailbox_destroy(&box);
}

static void a_full_box_takes_nothing_but_the_order_to_stop(void **state)
{
    (void)state;
    struct mailbox *box;
    struct mail letter;
    assert_int_equal(mailbox_new(&box, 2), ERR_OK);
    assert_int_equal(mailbox_put(box, &(struct mail){.kind = 1}), ERR_OK);
    assert_int_equal(mailbox_put(box, &(struct mail){.kind = 2}), ERR_OK);
    assert_int_equal(mailbox_put(box, &(struct mail){.kind = 3}), ERR_FULL);
    assert_int_equal(mailbox_put(box, &(struct mail){.kind = MAIL_STOP}), ERR_OK);
    assert_int_equal(mailbox_put(box, &(struct mail){.kind = MAIL_STOP}), ERR_OK);
    assert_int_equal(mailbox_put(box, &(struct mail){.kind = 3}), ERR_FULL);
    assert_true(mailbox_take(box, &letter) && letter.kind == 1);
    assert_int_equal(mailbox_put(box, &(struct mail){.kind = 4}), ERR_OK);
    assert_true(mailbox_take(box, &letter) && letter.kind == 2);
    assert_true(mailbox_take(box, &letter) && letter.kind == MAIL_STOP);
    assert_true(mailbox_take(box, &letter) && letter.kind == 4);
    assert_false(mailbox_take(box, &letter));
    mailbox_destroy(&box);
}

static void unread_bodies_are_freed_with_the_box(void **state)
{
    (void)state;
    struct mailbox *box;
    freed = 0;
    assert_int_equal(mailbox_new(&box, 4), ERR_OK);
    assert_int_equal(mailbox_put(box, &(struct mail){.body = malloc(10), .free_body = count_free}), ERR_OK);
    assert_int_equal(mailbox_put(box, &(struct mail){.body = malloc(10)}), ERR_OK);
    mailbox_destroy(&box);
    assert_int_equal(freed, 1);
    mailbox_destroy(&box);
}

#define WRITERS 4
#define LETTERS 2000

static void *write_letters(void *arg)
{
    struct mailbox *box = arg;
    for (int i = 0; i < LETTERS; i++) {
        struct mail letter = {.kind = 1, .body = calloc(1, 8), .len = 8};
        while (mailbox_put(box, &letter) == ERR_FULL)
            poll(NULL, 0, 1);
    }
    return NULL;
}

static void many_writers_lose_nothing(void **state)
{
    (void)state;
    struct mailbox *box;
    pthread_t writers[WRITERS];
    assert_int_equal(mailbox_new(&box, 50), ERR_OK);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_letters, box), 0);
    int got = 0;
    struct mail letter;
    while (got < WRITERS * LETTERS && readable(box, 10000))
        while (mailbox_take(box, &letter)) {
            got++;
            mail_fini(&letter);
        }
    assert_int_equal(got, WRITERS * LETTERS);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    mailbox_destroy(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_come_in_order_and_the_descriptor_tells),
        cmocka_unit_test(a_full_box_takes_nothing_but_the_order_to_stop),
        cmocka_unit_test(unread_bodies_are_freed_with_the_box),
        cmocka_unit_test(many_writers_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
