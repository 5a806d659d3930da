#include "operations/json_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct json_stream start(int *fd, bool pretty)
{
    struct json_stream self = {.pretty = pretty};
    *fd = memfd_create("json", MFD_CLOEXEC);
    assert_true(*fd >= 0);
    assert_int_equal(output_new(&self.to, *fd, 1 << 20, "limit", NULL), ERR_OK);
    return self;
}

static void wrote(struct json_stream *self, int fd, const char *expected)
{
    char got[512] = "";
    assert_int_equal(output_flush(self->to, NULL), ERR_OK);
    assert_true(pread(fd, got, sizeof got - 1, 0) >= 0);
    assert_string_equal(got, expected);
    output_destroy(&self->to);
    close(fd);
}

static void strings_are_escaped_as_pythons(void **state)
{
    (void)state;
    int fd;
    struct json_stream self = start(&fd, false);
    static const char text[] = "\"q\" \\ / \b\f\n\r\t \x01\x1f\x7f Zo\xC3\xAB \xF0\x9F\x98\x80";
    assert_int_equal(json_stream_string(&self, text, strlen(text), NULL), ERR_OK);
    assert_int_equal(json_stream_string(&self, "", 0, NULL), ERR_OK);
    wrote(&self, fd, "\"\\\"q\\\" \\\\ / \\b\\f\\n\\r\\t \\u0001\\u001f\x7f Zo\xC3\xAB \xF0\x9F\x98\x80\"\"\"");
}

static void cells_keep_their_type(void **state)
{
    (void)state;
    static const struct cell cells[] = {
        {.kind = CELL_EMPTY, .is.text = ""},
        {.kind = CELL_TEXT, .len = 1, .is.text = "x"},
        {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"},
        {.kind = CELL_INTEGER, .is.integer = -7},
        {.kind = CELL_REAL, .is.real = 2.0},
        {.kind = CELL_TRUTH, .is.truth = true},
        {.kind = CELL_TRUTH, .is.truth = false},
    };
    int fd;
    struct json_stream self = start(&fd, false);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        assert_int_equal(json_stream_next(&self, i == 0, 1, NULL), ERR_OK);
        assert_int_equal(json_stream_cell(&self, &cells[i], NULL), ERR_OK);
    }
    assert_int_equal(json_stream_close(&self, 0, "]", NULL), ERR_OK);
    wrote(&self, fd, "\"\", \"x\", null, -7, 2.0, true, false]");
}

static void pretty_means_an_indent_of_two(void **state)
{
    (void)state;
    int fd;
    struct json_stream self = start(&fd, true);
    assert_int_equal(json_stream_next(&self, true, 1, NULL), ERR_OK);
    assert_int_equal(json_stream_next(&self, false, 2, NULL), ERR_OK);
    assert_int_equal(json_stream_close(&self, 0, "}", NULL), ERR_OK);
    wrote(&self, fd, "\n  ,\n    \n}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped_as_pythons),
        cmocka_unit_test(cells_keep_their_type),
        cmocka_unit_test(pretty_means_an_indent_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
