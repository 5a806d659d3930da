#include "archive/json_weight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <malloc.h>

#define TEXT_MAX (1 << 20)

static size_t allocated;

static void *counted_malloc(size_t size)
{
    void *block = malloc(size);
    allocated += block ? malloc_usable_size(block) + sizeof(size_t) : 0;
    return block;
}

static void counted_free(void *block)
{
    allocated -= block ? malloc_usable_size(block) + sizeof(size_t) : 0;
    free(block);
}

/* What jansson holds for the text when it has been read. */
static size_t real_weight(const char *text, size_t len)
{
    json_set_alloc_funcs(counted_malloc, counted_free);
    allocated = 0;
    json_t *tree = json_loadb(text, len, 0, NULL);
    size_t held = allocated;
    assert_non_null(tree);
    json_decref(tree);
    json_set_alloc_funcs(malloc, free);
    return held;
}

/* The estimate is never below what is held, and not absurdly above. */
static void a_tree_holds_no_more_than_was_estimated(void **state)
{
    static const char *const items[] = {
        "[]",
        "{}",
        "1",
        "\"\"",
        "null",
        "[[1]]",
        "{\"a\":1}",
        "{\"a\":\"\",\"b\":[],\"c\":{}}",
        "\"a text of some length that takes a block of its own\"",
        "{\"type\":\"a\",\"body\":\"{\\\"x\\\":1}\"}",
        "[1,2,3,4,5,6,7,8,9]",
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9}",
    };
    static char text[TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        size_t len = 0;
        text[len++] = '[';
        for (int n = 0; n < 5000; n++)
            len += (size_t)snprintf(text + len, TEXT_MAX - len, "%s%s", n ? "," : "", items[i]);
        text[len++] = ']';
        size_t estimate = json_weight(text, len), real = real_weight(text, len);
        if (estimate < real || (estimate > 4 * real && estimate > 50 * len))
            fail_msg("%s: %zu estimated, %zu held", items[i], estimate, real);
    }
}

/* Braces and commas in texts weigh nothing. */
static void what_is_within_strings_is_text(void **state)
{
    (void)state;
    static const char plain[] = "[\"xxxxxxxxxx\"]", odd[] = "[\"{[,:\\\"]}\\\\\"]";
    assert_int_equal(strlen(plain), strlen(odd));
    assert_int_equal(json_weight(plain, strlen(plain)), json_weight(odd, strlen(odd)));
    assert_int_equal(json_weight("", 0), 0);
    assert_true(json_weight("\"\\", 2) > 2); /* ends in the middle */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_holds_no_more_than_was_estimated),
        cmocka_unit_test(what_is_within_strings_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
