#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/dedupe.h"

#include <stdlib.h>

static void put(struct dedupe *self, uint32_t key, uint32_t value)
{
    uint32_t *kept = malloc(sizeof *kept);
    *kept = value;
    void *given = kept;
    assert_int_equal(dedupe_put(self, &key, sizeof key, &given), ERR_OK);
    assert_null(given);
}

static uint32_t get(const struct dedupe *self, uint32_t key)
{
    const uint32_t *kept = dedupe_get(self, &key, sizeof key);
    return kept ? *kept : 0;
}

static void the_newest_are_remembered(void **state)
{
    (void)state;
    struct dedupe *self;
    assert_int_equal(dedupe_new(&self, 3), ERR_OK);
    for (uint32_t i = 1; i <= 10; i++) {
        put(self, i, i * 10);
        dedupe_settle(self);
    }
    assert_int_equal(get(self, 7), 0);
    assert_int_equal(get(self, 8), 80);
    assert_int_equal(get(self, 10), 100);
    dedupe_destroy(&self);
    assert_null(self);
}

static void a_known_key_gets_a_new_value_and_keeps_its_place(void **state)
{
    (void)state;
    struct dedupe *self;
    assert_int_equal(dedupe_new(&self, 2), ERR_OK);
    put(self, 1, 10);
    put(self, 2, 20);
    put(self, 1, 11);
    assert_int_equal(get(self, 1), 11);
    dedupe_settle(self);
    put(self, 3, 30);
    assert_int_equal(get(self, 1), 0); /* still the oldest */
    assert_int_equal(get(self, 2), 20);
    dedupe_destroy(&self);
}

static void what_came_since_the_last_settling_is_all_remembered(void **state)
{
    (void)state;
    struct dedupe *self;
    assert_int_equal(dedupe_new(&self, 2), ERR_OK);
    put(self, 1, 10);
    dedupe_settle(self);
    for (uint32_t i = 2; i <= 10; i++)
        put(self, i, i * 10);
    assert_int_equal(get(self, 1), 0);
    for (uint32_t i = 2; i <= 10; i++)
        assert_int_equal(get(self, i), i * 10);
    dedupe_settle(self);
    assert_int_equal(get(self, 8), 0);
    assert_int_equal(get(self, 9), 90);
    assert_int_equal(get(self, 10), 100);
    put(self, 11, 110);
    assert_int_equal(get(self, 9), 0);
    dedupe_destroy(&self);
}

static bool is_odd(const void *value, const void *context)
{
    (void)context;
    return *(const uint32_t *)value % 2 == 1;
}

static void what_is_forgotten_makes_room(void **state)
{
    (void)state;
    struct dedupe *self;
    assert_int_equal(dedupe_new(&self, 4), ERR_OK);
    for (uint32_t i = 1; i <= 4; i++)
        put(self, i, i);
    dedupe_settle(self);
    put(self, 5, 5);
    dedupe_forget(self, is_odd, NULL); /* 3 of the old ones, 5 of the new */
    assert_int_equal(get(self, 5), 0);
    put(self, 6, 6);
    put(self, 8, 8);
    for (uint32_t i = 2; i <= 8; i += 2)
        assert_int_equal(get(self, i), i);
    dedupe_settle(self);
    put(self, 10, 10);
    assert_int_equal(get(self, 2), 0);
    assert_int_equal(get(self, 4), 4);
    dedupe_forget(self, is_odd, NULL);
    dedupe_destroy(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_are_remembered),
        cmocka_unit_test(a_known_key_gets_a_new_value_and_keeps_its_place),
        cmocka_unit_test(what_came_since_the_last_settling_is_all_remembered),
        cmocka_unit_test(what_is_forgotten_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
