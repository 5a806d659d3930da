/* The stream of an old Excel workbook as any bytes, in an honest compound file; an input that begins as a compound file
 * does is the file itself. Both readings of it say the same. */
#include "../../unit/workflow/compound_build.h"
#include "read_twice.h"

#define ROWS_MAX 500 /* a few bytes may make a sheet of 65,536 rows */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t read_some(struct source *source)
{
    struct fault why = {.code = ERR_OK, .text = ""};
    struct row row;
    uint64_t hash = mix_cells(1, source->columns.name, source->columns.count), done, total;
    for (int i = 0; i < ROWS_MAX; i++) {
        enum err err = source_next(source, &row, &why);
        must(err == ERR_OK || err == ERR_END || why.text[0] != '\0');
        if (err != ERR_OK)
            return hash;
        must(row.count == source->columns.count);
        hash = mix_cells(hash, row.cell, row.count);
        source_consumed(source, &done, &total);
        must(done <= total);
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool whole = size >= 8 && memcmp(data, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8) == 0;
    int fd = whole ? file_of(data, size) : compound_build(data, size);
    struct fault why = {.code = ERR_OK, .text = ""};
    struct source *source;
    if (xls_source.open(&source, fd, NULL, &why) == ERR_OK) {
        uint64_t hash = read_some(source);
        must(source_rewind(source, &why) == ERR_OK);
        must(read_some(source) == hash);
    } else {
        must(source == NULL && why.text[0] != '\0');
    }
    source_destroy(&source);
    close(fd);
    return 0;
}
