/* read_twice - what the fuzz targets of all readers have in common. */
#ifndef READ_TWICE_H
#define READ_TWICE_H

#include "table/sink.h"
#include "table/source.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define READ_FAILED 0

static inline void must(bool yes)
{
    if (!yes)
        abort();
}

static inline int file_of(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && (size == 0 || pwrite(fd, data, size, 0) == (ssize_t)size));
    return fd;
}

static inline uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 1099511628211u;
    return (hash ^ 0xFF) * 1099511628211u;
}

static inline uint64_t mix_cells(uint64_t hash, const struct cell *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        must(cells[i].kind <= CELL_ERROR);
        must(cells[i].kind != CELL_TEXT || cells[i].len > 0);
        hash = mix(hash, cells[i].is.text, cells[i].len);
    }
    return hash;
}

/* Hash of all cells, or READ_FAILED. */
static inline uint64_t read_rows(struct source *source)
{
    struct fault why = {.code = ERR_OK, .text = ""};
    struct row row;
    uint64_t hash = mix_cells(14695981039346656037u, source->columns.name, source->columns.count), number = 0, done,
             total;
    enum err err;
    while ((err = source_next(source, &row, &why)) == ERR_OK) {
        must(row.count == source->columns.count && row.number == ++number);
        hash = mix_cells(hash, row.cell, row.count);
        source_consumed(source, &done, &total);
        must(done <= total);
    }
    must(err == ERR_END || why.text[0] != '\0');
    return err == ERR_END ? hash | 1 : READ_FAILED;
}

static inline uint64_t read_twice(const struct source_kind *kind, const uint8_t *data, size_t size,
                                  const struct read_options *how)
{
    int fd = file_of(data, size);
    struct fault why = {.code = ERR_OK, .text = ""};
    struct source *source;
    uint64_t hash = READ_FAILED;
    if (kind->open(&source, fd, how, &why) == ERR_OK) {
        hash = read_rows(source);
        if (hash != READ_FAILED) {
            must(source_rewind(source, &why) == ERR_OK);
            must(read_rows(source) == hash);
        }
    } else {
        must(source == NULL && why.text[0] != '\0');
    }
    source_destroy(&source);
    close(fd);
    return hash;
}

/* The rows of a table that can be read are written as CSV; reading that gives the same cells. Names are unique already,
 * so they stay too. A table without columns has no CSV form. */
static inline void must_survive_csv(const struct source_kind *kind, const uint8_t *data, size_t size,
                                    const struct read_options *how)
{
    int fd = file_of(data, size), copy = file_of(NULL, 0);
    struct fault why;
    struct source *source, *back;
    struct output *output;
    struct sink *sink;
    struct layout look = {.sheet_name = NULL};
    struct row row;
    uint64_t hash = READ_FAILED;
    if (kind->open(&source, fd, how, &why) == ERR_OK) {
        hash = read_rows(source);
        if (hash != READ_FAILED && source->columns.count > 0) {
            must(source_rewind(source, &why) == ERR_OK);
            must(output_new(&output, copy, 1u << 30, "fuzz", &why) == ERR_OK);
            must(csv_sink.begin(&sink, output, &source->columns, &look, &why) == ERR_OK);
            while (source_next(source, &row, &why) == ERR_OK)
                must(sink_row(sink, &row, &why) == ERR_OK);
            must(sink_finish(sink, &why) == ERR_OK && output_flush(output, &why) == ERR_OK);
            sink_destroy(&sink);
            output_destroy(&output);
            must(csv_source.open(&back, copy, &(struct read_options){.delimiter = ','}, &why) == ERR_OK);
            must(read_rows(back) == hash);
            source_destroy(&back);
        }
    }
    source_destroy(&source);
    close(fd);
    close(copy);
}

#endif
