#include "http/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct route first[] = {
    {.method = HTTP_POST, .pattern = "/things"},
    {.method = HTTP_GET, .pattern = "/things/{thing}"},
    {.pattern = NULL},
};
static const struct route second[] = {
    {.method = HTTP_DELETE, .pattern = "/things/{thing}"},
    {.method = HTTP_GET, .pattern = "/things/{thing}/parts/{part}"},
    {.pattern = NULL},
};
static const struct route *const tables[] = {first, second, NULL};

/* The match stays valid only as long as the target; tests look at what they need before the next. */
static struct target target;

static struct route_match find(enum http_method method, const char *path)
{
    struct route_match match;
    target_fini(&target);
    assert_int_equal(target_parse(&target, path, NULL), ERR_OK);
    route_find(tables, "/api/v1", &target, method, &match);
    return match;
}

static void paths_lead_to_rows(void **state)
{
    (void)state;
    assert_ptr_equal(find(HTTP_POST, "/api/v1/things").route, &first[0]);
    assert_ptr_equal(find(HTTP_GET, "/api/v1/things/x").route, &first[1]);
    assert_ptr_equal(find(HTTP_HEAD, "/api/v1/things/x").route, &first[1]);
    assert_ptr_equal(find(HTTP_DELETE, "/api/v1/things/x").route, &second[0]);
    struct route_match match = find(HTTP_GET, "/api/v1/things/a%2fb/parts/c");
    assert_ptr_equal(match.route, &second[1]);
    assert_string_equal(route_parameter(&match, "thing"), "a/b");
    assert_string_equal(route_parameter(&match, "part"), "c");
    assert_null(route_parameter(&match, "par"));
    target_fini(&target);
}

static void other_paths_lead_nowhere(void **state)
{
    (void)state;
    static const char *const paths[] = {"/",
                                        "/api/v1",
                                        "/things/x",
                                        "/api/v1/things/",
                                        "/api/v1//things",
                                        "*",
                                        "/api/v1/thing",
                                        "/api/v1/things/x/parts",
                                        "/api/v2/things",
                                        "/api/v1/things/x/parts/y/z",
                                        "/api"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct route_match match = find(HTTP_GET, paths[i]);
        assert_null(match.route);
        assert_int_equal(match.methods, 0);
    }
    target_fini(&target);
}

static void wrong_methods_are_told_the_right_ones(void **state)
{
    (void)state;
    struct buf allow = BUF_INIT(100);
    struct route_match match = find(HTTP_OTHER, "/api/v1/things/x");
    assert_null(match.route);
    assert_int_equal(route_allow(match.methods, &allow), ERR_OK);
    assert_string_equal(buf_text(&allow), "GET, HEAD, DELETE, OPTIONS");
    buf_fini(&allow);
    target_fini(&target);
}

static void methods_have_names(void **state)
{
    (void)state;
    assert_int_equal(http_method_parse("GET"), HTTP_GET);
    assert_int_equal(http_method_parse("OPTIONS"), HTTP_OPTIONS);
    assert_int_equal(http_method_parse("get"), HTTP_OTHER);
    assert_string_equal(http_method_name(HTTP_DELETE), "DELETE");
    assert_string_equal(http_method_name(HTTP_OTHER), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_rows),
        cmocka_unit_test(other_paths_lead_nowhere),
        cmocka_unit_test(wrong_methods_are_told_the_right_ones),
        cmocka_unit_test(methods_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
