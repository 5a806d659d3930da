#include "table_text.h"

#include <fcntl.h>

#define BUFFER_BYTES (256u << 10)

static struct output *opened(int fd, uint64_t limit)
{
    struct output *self;
    assert_int_equal(output_new(&self, fd, limit, "some.key", NULL), ERR_OK);
    return self;
}

static void bytes_arrive_in_order_whatever_their_size(void **state)
{
    (void)state;
    int fd = table_file("", 0);
    struct output *output = opened(fd, 64u << 20);
    size_t sizes[] = {1, 0, 1000, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 3 * BUFFER_BYTES, 7}, total = 0;
    char *bytes = malloc(8 * BUFFER_BYTES);
    table_must(bytes != NULL);
    for (size_t i = 0; i < 8 * BUFFER_BYTES; i++)
        bytes[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(output_write(output, bytes + total, sizes[i], NULL), ERR_OK);
        total += sizes[i];
        assert_int_equal(output_bytes(output), total);
    }
    assert_int_equal(output_flush(output, NULL), ERR_OK);
    size_t len;
    char *got = table_bytes(fd, &len);
    assert_int_equal(len, total);
    assert_memory_equal(got, bytes, total);
    free(got);
    free(bytes);
    output_destroy(&output);
    close(fd);
}

/* The hole lies in the file, in the buffer, or across both, depending on what was written before it. */
static void holes_are_filled_wherever_they_lie(void **state)
{
    (void)state;
    static char filler[BUFFER_BYTES];
    memset(filler, 'x', sizeof filler);
    for (size_t before = BUFFER_BYTES - 12; before <= BUFFER_BYTES; before++)
        for (int flush = 0; flush < 2; flush++) {
            int fd = table_file("", 0);
            struct output *output = opened(fd, 64u << 20);
            struct hole hole;
            assert_int_equal(output_write(output, filler, before, NULL), ERR_OK);
            assert_int_equal(output_hole(output, 10, &hole, NULL), ERR_OK);
            assert_int_equal(output_write(output, "end", 3, NULL), ERR_OK);
            if (flush)
                assert_int_equal(output_flush(output, NULL), ERR_OK);
            assert_int_equal(output_fill(output, hole, "1234567", 7, NULL), ERR_OK);
            assert_int_equal(output_flush(output, NULL), ERR_OK);
            size_t len;
            char *got = table_bytes(fd, &len);
            assert_int_equal(len, before + 13);
            assert_memory_equal(got + before, "1234567   end", 13);
            free(got);
            output_destroy(&output);
            close(fd);
        }
}

static void a_hole_takes_no_more_than_its_room(void **state)
{
    (void)state;
    int fd = table_file("", 0);
    struct output *output = opened(fd, 100);
    struct hole hole;
    assert_int_equal(output_hole(output, 3, &hole, NULL), ERR_OK);
    assert_int_equal(output_fill(output, hole, "1234", 4, NULL), ERR_INTERNAL);
    assert_int_equal(output_fill(output, (struct hole){.offset = 2, .len = 2}, "12", 2, NULL), ERR_INTERNAL);
    output_destroy(&output);
    close(fd);
}

static void the_limit_is_named(void **state)
{
    (void)state;
    int fd = table_file("", 0);
    struct output *output = opened(fd, 10);
    struct fault why;
    struct hole hole;
    assert_int_equal(output_write(output, "1234567890", 10, &why), ERR_OK);
    assert_int_equal(output_write(output, "", 0, &why), ERR_OK);
    assert_int_equal(output_write(output, "1", 1, &why), ERR_TOO_LARGE);
    assert_string_equal(why.text, "the output file would be larger than 10 bytes (some.key)");
    assert_int_equal(output_hole(output, 1, &hole, &why), ERR_TOO_LARGE);
    assert_int_equal(output_write(output, "1", SIZE_MAX, &why), ERR_TOO_LARGE);
    output_destroy(&output);
    close(fd);
}

static void a_refused_write_is_reported(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    struct output *output = opened(fd, 64u << 20);
    struct fault why;
    assert_int_equal(output_write(output, "x", 1, &why), ERR_OK);
    assert_int_equal(output_flush(output, &why), ERR_NO_SPACE);
    assert_int_equal(output_flush(output, &why), ERR_NO_SPACE);
    output_destroy(&output);
    output_destroy(&output);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_in_order_whatever_their_size),
        cmocka_unit_test(holes_are_filled_wherever_they_lie),
        cmocka_unit_test(a_hole_takes_no_more_than_its_room),
        cmocka_unit_test(the_limit_is_named),
        cmocka_unit_test(a_refused_write_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
