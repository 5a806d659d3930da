#include "strmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Vectors of the reference implementation: key 00..0f, message 00 01 02 ... of the given length. */
static void siphash_gives_the_published_values(void **state)
{
    (void)state;
    uint8_t key[16], message[64];
    for (uint8_t i = 0; i < 64; i++) {
        if (i < 16)
            key[i] = i;
        message[i] = i;
    }
    assert_true(siphash(key, message, 0) == 0x726fdb47dd0e0e31u);
    assert_true(siphash(key, message, 1) == 0x74f839c593dc67fdu);
    assert_true(siphash(key, message, 8) == 0x93f5f5799a932462u);
    assert_true(siphash(key, message, 15) == 0xa129ca6149be45e5u);
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    struct strmap *map;
    int a, b;
    void *old = &a;
    assert_int_equal(strmap_new(&map), ERR_OK);
    assert_null(strmap_get(map, "k", 1));
    assert_int_equal(strmap_put(map, "k", 1, &a, &old), ERR_OK);
    assert_null(old);
    assert_int_equal(strmap_put(map, "", 0, &b, NULL), ERR_OK);
    assert_int_equal(strmap_put(map, "k\0", 2, &b, NULL), ERR_OK);
    assert_ptr_equal(strmap_get(map, "k", 1), &a);
    assert_ptr_equal(strmap_get(map, "", 0), &b);
    assert_int_equal(strmap_put(map, "k", 1, &b, &old), ERR_OK);
    assert_ptr_equal(old, &a);
    assert_int_equal(strmap_count(map), 3);
    assert_ptr_equal(strmap_take(map, "k", 1), &b);
    assert_null(strmap_take(map, "k", 1));
    assert_int_equal(strmap_count(map), 2);
    strmap_destroy(&map);
    assert_null(map);
    strmap_destroy(&map);
}

static void a_value_has_its_place(void **state)
{
    (void)state;
    struct strmap *map;
    int a, b;
    void **place;
    assert_int_equal(strmap_new(&map), ERR_OK);
    assert_int_equal(strmap_place(map, "k", 1, &place), ERR_OK);
    assert_null(*place);
    *place = &a;
    assert_ptr_equal(strmap_get(map, "k", 1), &a);
    assert_int_equal(strmap_place(map, "k", 1, &place), ERR_OK);
    assert_ptr_equal(*place, &a);
    assert_int_equal(strmap_count(map), 1);
    strmap_drop(map, "k", 1, &b);
    strmap_drop(map, "other", 5, &a);
    assert_int_equal(strmap_count(map), 1);
    strmap_drop(map, "k", 1, &a);
    assert_int_equal(strmap_count(map), 0);
    assert_null(strmap_get(map, "k", 1));
    strmap_destroy(&map);
}

#define MANY 5000

static void put_numbered(struct strmap *map, int *values, int i)
{
    char key[16];
    int len = snprintf(key, sizeof key, "key-%d", i);
    assert_int_equal(strmap_put(map, key, (size_t)len, &values[i], NULL), ERR_OK);
}

static void walking_sees_every_entry_once_even_when_it_removes_them(void **state)
{
    (void)state;
    static int values[MANY];
    struct strmap *map;
    assert_int_equal(strmap_new(&map), ERR_OK);
    for (int i = 0; i < MANY; i++)
        put_numbered(map, values, i);
    memset(values, 0, sizeof values);
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (strmap_next(map, &cursor, &key, &len, &value)) {
        ++*(int *)value;
        if ((int *)value - values >= MANY / 2)
            assert_ptr_equal(strmap_take(map, key, len), value);
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(values[i], 1);
    assert_int_equal(strmap_count(map), MANY / 2);
    strmap_destroy(&map);
}

/* Marks of removed entries must not fill the table: a short-lived key a time, for ever. */
static void putting_and_taking_goes_on_for_ever(void **state)
{
    (void)state;
    static int values[MANY];
    struct strmap *map;
    assert_int_equal(strmap_new(&map), ERR_OK);
    for (int i = 0; i < MANY; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "key-%d", i);
        put_numbered(map, values, i);
        assert_ptr_equal(strmap_take(map, key, (size_t)len), &values[i]);
    }
    assert_int_equal(strmap_count(map), 0);
    size_t cursor = 0;
    assert_false(strmap_next(map, &cursor, NULL, NULL, NULL));
    assert_true(cursor <= 64);
    strmap_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_published_values),
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(a_value_has_its_place),
        cmocka_unit_test(walking_sees_every_entry_once_even_when_it_removes_them),
        cmocka_unit_test(putting_and_taking_goes_on_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
