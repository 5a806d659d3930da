#include "http/splice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int file_of(const char *text)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int fd = dup(fileno(file));
    fclose(file);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static void add(struct splices *self, size_t at, const char *content)
{
    assert_int_equal(splices_add(self, at, file_of(content), strlen(content)), ERR_OK);
}

/* Whatever the size of the pieces it is read in. */
static void check_whole(const struct splices *self, const char *text, const char *expected)
{
    assert_int_equal(strlen(text) + splices_bytes(self), strlen(expected));
    for (size_t max = 1; max < 40; max++) {
        char got[128] = "";
        size_t len = 0;
        ssize_t piece;
        while ((piece = splices_read(self, text, strlen(text), len, got + len, max)) > 0)
            len += (size_t)piece;
        assert_int_equal(piece, 0);
        assert_string_equal(got, expected);
    }
}

static void files_stand_in_their_places(void **state)
{
    (void)state;
    struct splices self = SPLICES_INIT;
    check_whole(&self, "plain", "plain");
    add(&self, 2, "<one>");
    add(&self, 2, "<two>");
    add(&self, 4, "<three>");
    check_whole(&self, "abcd", "ab<one><two>cd<three>");
    splices_shift(&self, 1);
    check_whole(&self, "_abcd_", "_ab<one><two>cd<three>_");
    splices_fini(&self);
    add(&self, 0, "<first>");
    check_whole(&self, "", "<first>");
    splices_fini(&self);
}

static void a_file_that_has_shrunk_is_an_error(void **state)
{
    (void)state;
    struct splices self = SPLICES_INIT;
    char got[16];
    assert_int_equal(splices_add(&self, 1, file_of("xy"), 5), ERR_OK);
    assert_int_equal(splices_read(&self, "ab", 2, 1, got, sizeof got), 2);
    assert_int_equal(splices_read(&self, "ab", 2, 3, got, sizeof got), -1);
    splices_fini(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_stand_in_their_places),
        cmocka_unit_test(a_file_that_has_shrunk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
