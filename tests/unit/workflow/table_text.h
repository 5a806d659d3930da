/* table_text - for tests of readers and writers: a file made of bytes, and a table shown as text.
 * A table is shown as lines of cells with `|` between them, the header first; ERROR cells as `#`, an error as `!text`.
 */
#ifndef TABLE_TEXT_H
#define TABLE_TEXT_H

#include "buf.h"
#include "table/sink.h"
#include "table/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Aborts: such a failure is the machine's, not the tested code's. */
static inline void table_must(bool yes)
{
    if (!yes)
        abort();
}

static inline int table_file(const void *bytes, size_t len)
{
    int fd = memfd_create("table", MFD_CLOEXEC);
    table_must(fd >= 0);
    for (size_t done = 0; done < len;) {
        ssize_t part = write(fd, (const char *)bytes + done, len - done);
        table_must(part > 0);
        done += (size_t)part;
    }
    return fd;
}

static inline char *table_bytes(int fd, size_t *len)
{
    off_t size = lseek(fd, 0, SEEK_END);
    table_must(size >= 0);
    char *bytes = calloc((size_t)size + 1, 1);
    table_must(bytes && pread(fd, bytes, (size_t)size, 0) == (ssize_t)size);
    *len = (size_t)size;
    return bytes;
}

static inline void table_show_row(struct buf *out, const struct cell *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char space[CELL_NUMBER_MAX];
        size_t len;
        const char *text = cell_as_text(&cells[i], space, &len);
        table_must(buf_add_text(out, i > 0 ? "|" : "") == ERR_OK);
        table_must((cells[i].kind == CELL_ERROR ? buf_add_text(out, "#") : buf_add(out, text, len)) == ERR_OK);
    }
    table_must(buf_add_byte(out, '\n') == ERR_OK);
}

static inline enum err table_show_rows(struct buf *out, struct source *source, struct fault *why)
{
    struct row row;
    enum err err;
    uint64_t number = 0, before = 0, done, total;
    while ((err = source_next(source, &row, why)) == ERR_OK) {
        assert_int_equal(row.number, ++number);
        assert_int_equal(row.count, source->columns.count);
        source_consumed(source, &done, &total);
        assert_true(done >= before && done <= total);
        before = done;
        table_show_row(out, row.cell, row.count);
    }
    return err;
}

/* Reads everything twice: a rewound source must say the same, whether it was at its end or after its first row. The
 * text is the caller's. */
static inline char *table_show(const struct source_kind *kind, int fd, const struct read_options *how)
{
    struct buf out = BUF_INIT(1u << 30), again = BUF_INIT(1u << 30);
    struct fault why = {.code = ERR_OK};
    struct source *source;
    enum err err = kind->open(&source, fd, how, &why);
    if (err == ERR_OK) {
        table_show_row(&out, source->columns.name, source->columns.count);
        table_show_row(&again, source->columns.name, source->columns.count);
        err = table_show_rows(&out, source, &why);
        assert_int_not_equal(err, ERR_OK);
        if (err == ERR_END) {
            struct row row;
            assert_int_equal(source_rewind(source, &why), ERR_OK);
            enum err one = source_next(source, &row, &why);
            assert_true(one == ERR_OK || one == ERR_END);
            assert_int_equal(source_rewind(source, &why), ERR_OK);
            assert_int_equal(table_show_rows(&again, source, &why), ERR_END);
            assert_string_equal(buf_text(&out), buf_text(&again));
        }
    }
    if (err != ERR_END) {
        assert_int_equal(err, why.code);
        table_must(buf_printf(&out, "!%s", why.text) == ERR_OK);
    }
    source_destroy(&source);
    buf_fini(&again);
    table_must(buf_text(&out) != NULL);
    size_t len;
    return buf_steal(&out, &len);
}

static const struct layout table_look = {.sheet_name = NULL};

/* Writes a header and rows with a sink and gives back the file. */
static inline int table_written_file_as(const struct sink_kind *kind, const struct layout *look,
                                        const struct cell *names, const struct cell *cells, uint32_t columns,
                                        uint32_t rows)
{
    struct fault why;
    struct output *output;
    struct sink *sink;
    struct columns header = {.count = columns, .name = names};
    int fd = table_file("", 0);
    assert_int_equal(output_new(&output, fd, 64u << 20, "some.key", &why), ERR_OK);
    assert_int_equal(kind->begin(&sink, output, &header, look, &why), ERR_OK);
    for (uint32_t i = 0; i < rows; i++) {
        struct row row = {.number = i + 1, .count = columns, .cell = cells + (size_t)i * columns};
        assert_int_equal(sink_row(sink, &row, &why), ERR_OK);
    }
    assert_int_equal(sink_finish(sink, &why), ERR_OK);
    assert_int_equal(output_flush(output, &why), ERR_OK);
    sink_destroy(&sink);
    output_destroy(&output);
    return fd;
}

static inline int table_written_file(const struct sink_kind *kind, const struct cell *names, const struct cell *cells,
                                     uint32_t columns, uint32_t rows)
{
    return table_written_file_as(kind, &table_look, names, cells, columns, rows);
}

/* The same as a string, which is the caller's. */
static inline char *table_written(const struct sink_kind *kind, const struct cell *names, const struct cell *cells,
                                  uint32_t columns, uint32_t rows)
{
    int fd = table_written_file(kind, names, cells, columns, rows);
    size_t len;
    char *bytes = table_bytes(fd, &len);
    close(fd);
    return bytes;
}

static inline struct cell table_cell(const char *text)
{
    return cell_text(text, strlen(text));
}

#endif
