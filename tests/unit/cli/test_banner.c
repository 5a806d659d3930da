#include "banner.h"

#include "text_width.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct settings settings = {
    .app = {.name = "Sheetwire", .host = "127.0.0.1", .port = 5050},
    .chat_workflows = {.enabled = true, .websocket = {.host = "127.0.0.1", .port = 5051}},
};

static char *banner(void)
{
    struct buf text = BUF_INIT(65536);
    assert_int_equal(banner_text(&text, &settings), ERR_OK);
    (void)buf_text(&text);
    return buf_steal(&text, NULL);
}

static void it_names_both_addresses_in_lines_of_one_width(void **state)
{
    (void)state;
    char *text = banner();
    assert_non_null(strstr(text, "REST API:   http://127.0.0.1:5050 "));
    assert_non_null(strstr(text, "WebSocket:  ✓ Running on ws://127.0.0.1:5051 "));
    int lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++)
        assert_int_equal(text_width(line), BANNER_COLUMNS + 2);
    assert_int_equal(lines, 6);
    free(text);
}

static void a_long_or_wide_name_does_not_break_the_box(void **state)
{
    (void)state;
    settings.app.name = "表計算の作業を流れとして実行しその様子を見せるためのサーバーです長い名前";
    char *text = banner();
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_int_equal(text_width(line), BANNER_COLUMNS + 2);
    free(text);
    settings.app.name = "Sheetwire";
}

static void without_websocket_it_says_so(void **state)
{
    (void)state;
    settings.chat_workflows.enabled = false;
    char *text = banner();
    assert_non_null(strstr(text, "✗ Disabled"));
    assert_null(strstr(text, "ws://"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_names_both_addresses_in_lines_of_one_width),
        cmocka_unit_test(a_long_or_wide_name_does_not_break_the_box),
        cmocka_unit_test(without_websocket_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
