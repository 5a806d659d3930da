/* The routes of docs/protocol.md are those of the tables. */
#include "rest/rest.h"

#include "document.h"

static size_t count_rows(const char *page)
{
    size_t count = 0;
    for (const char *at = strchr(page, '\n'); at; at = strchr(at + 1, '\n'))
        count += strncmp(at, "\n| `GET /", 8) == 0 || strncmp(at, "\n| `POST /", 9) == 0 ||
                 strncmp(at, "\n| `DELETE /", 11) == 0;
    return count;
}

/* "POST /chat/workflows/{chat}/dump" between its quotes. */
static void assert_documented(const char *page, const struct route *route)
{
    char row[256];
    snprintf(row, sizeof row, "\n| `%s %s` |", http_method_name(route->method), route->pattern);
    if (!strstr(page, row))
        fail_msg("docs/protocol.md has no row that begins:%s", row);
}

static void every_route_is_documented(void **state)
{
    (void)state;
    char *page = document_read("docs/protocol.md");
    size_t routes = 0;
    for (const struct route *const *table = rest_routes; *table; table++)
        for (const struct route *route = *table; route->pattern; route++, routes++)
            assert_documented(page, route);
    assert_int_equal(count_rows(page), routes);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
