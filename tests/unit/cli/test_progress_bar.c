#include "progress_bar.h"

#include "text_width.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct step_view steps[60];
static struct run_view run = {.state = RUN_GOING, .count = 2, .steps = steps};

static const char *line(size_t step, int columns)
{
    static struct buf text;
    buf_fini(&text);
    text = BUF_INIT(65536);
    assert_int_equal(progress_bar_line(&text, &run, step, columns), ERR_OK);
    return buf_text(&text);
}

static void a_line_shows_number_operation_bar_and_message(void **state)
{
    (void)state;
    snprintf(steps[0].operation, sizeof steps[0].operation, "csv/search");
    snprintf(steps[0].message, sizeof steps[0].message, "Row 500");
    steps[0].progress = 50;
    steps[0].state = STEP_RUNNING;
    assert_string_equal(line(0, 120), " … 1/2 csv/search                     [████████████░░░░░░░░░░░░]  50% Row 500");
}

static void no_line_is_wider_than_the_terminal(void **state)
{
    (void)state;
    snprintf(steps[1].message, sizeof steps[1].message,
             "列「名前」の値を正規化しています🚀🚀🚀 e\xcc\x81t\xc3\xa9 and much more text");
    for (int columns = 1; columns < 130; columns++)
        assert_in_range(text_width(line(1, columns)), 0, columns);
}

static void drawing_again_moves_up_by_the_lines_drawn(void **state)
{
    (void)state;
    struct buf first = BUF_INIT(65536), again = BUF_INIT(65536);
    assert_int_equal(progress_bar_draw(&first, &run, 80, false), ERR_OK);
    assert_int_equal(progress_bar_draw(&again, &run, 80, true), ERR_OK);
    assert_int_equal(strncmp(buf_text(&first), "\r\x1b[2K", 5), 0);
    assert_int_equal(strncmp(buf_text(&again), "\x1b[2A\r\x1b[2K", 9), 0);
    buf_fini(&first);
    buf_fini(&again);
}

static void a_long_run_shows_where_it_is(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(65536);
    run.count = 60;
    for (size_t i = 0; i < 50; i++)
        steps[i].state = STEP_COMPLETED;
    assert_int_equal(progress_bar_draw(&text, &run, 80, false), ERR_OK);
    assert_non_null(strstr(buf_text(&text), " 51/60 "));
    assert_null(strstr(buf_text(&text), " 1/60 "));
    buf_fini(&text);
    run.count = 2;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_shows_number_operation_bar_and_message),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(drawing_again_moves_up_by_the_lines_drawn),
        cmocka_unit_test(a_long_run_shows_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
