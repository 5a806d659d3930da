/* source - reads a table, row by row, in constant memory. One implementation a file format: csv_read, xlsx_sheet, ...
 *
 * A source is opened on a file descriptor at offset 0 of a regular file (it may seek and mmap; it never closes it).
 * It runs inside the step's sandbox: after open() it must not open files, connect or fork.
 * A fault's text starts with the kind's `read_prefix` ("Failed to read CSV file: ") and says where: line, or sheet part
 * and cell. Used by one thread. */
#ifndef SOURCE_H
#define SOURCE_H

#include "table/cell.h"

#define SOURCE_COLUMNS_MAX        16384        /* as in Excel; more is ERR_TOO_LARGE, naming the line or row */
#define SOURCE_CELL_BYTES_MAX     (8u << 20)   /* one cell's text; more is ERR_TOO_LARGE */
#define SOURCE_INFLATED_BYTES_MAX (8ull << 30) /* bytes unpacked from one package, over all parts (zip bombs) */

struct read_options {
    const char *sheet;    /* XLSX/XLS: name or 0-based index as text; NULL = first sheet */
    char delimiter;       /* CSV: 0 = sniff among , ; tab | */
    uint32_t block_bytes; /* CSV, JSON, spool: bytes read at a time; 0 = the usual. Tests meet every split with 1 */
    uint64_t inflated_bytes_max; /* 0 = SOURCE_INFLATED_BYTES_MAX */
};

struct source; /* first member of every implementation's struct */

struct source_kind {
    const char *name;        /* "csv" */
    const char *suffixes;    /* "csv,tsv,txt": file name endings, lower case, no dot */
    const char *read_prefix; /* "Failed to read CSV file: " */
    enum err (*open)(struct source **out, int fd, const struct read_options *how, struct fault *why);
    /* ERR_END after the last row. Trailing all-empty rows are not reported where the contract drops them (XLSX). */
    enum err (*next)(struct source *self, struct row *row, struct fault *why);
    /* Back before the first data row; the header stays as it was. */
    enum err (*rewind)(struct source *self, struct fault *why);
    /* Input really consumed, in the file's own unit (bytes on disk); done <= total, never decreasing between rewinds.
     */
    void (*consumed)(const struct source *self, uint64_t *done, uint64_t *total);
    void (*destroy)(struct source *self);
};

struct source {
    const struct source_kind *kind;
    struct columns columns; /* the header, made unique by header.h; set by open, constant afterwards */
};

/* Picks the reader by content (zip magic, OLE magic, spool magic) and then by the file name's ending; a file that fits
 * none is ERR_UNSUPPORTED with a text that names the ending and the readable ones. `name` is for that choice only. */
enum err source_open(struct source **out, int fd, const char *name, const struct read_options *how,
                     struct fault *why) MUST_CHECK;

/* Whether the file begins as spools do. A damaged beginning would make source_open() take it for something else. */
bool source_is_spool(int fd);

static inline enum err source_next(struct source *self, struct row *row, struct fault *why)
{
    return self->kind->next(self, row, why);
}

static inline enum err source_rewind(struct source *self, struct fault *why)
{
    return self->kind->rewind(self, why);
}

static inline void source_consumed(const struct source *self, uint64_t *done, uint64_t *total)
{
    self->kind->consumed(self, done, total);
}

static inline void source_destroy(struct source **self_p)
{
    if (*self_p)
        (*self_p)->kind->destroy(*self_p);
    *self_p = NULL;
}

/* The table of readable formats, NULL-terminated: a new input format is one file and one row here (source.c). */
extern const struct source_kind *const source_kinds[];

extern const struct source_kind csv_source;   /* csv_read.c */
extern const struct source_kind xlsx_source;  /* xlsx_sheet.c */
extern const struct source_kind xls_source;   /* xls_read.c */
#define SPOOL_MAGIC "SWSPOOL1"                /* the first bytes of a spool: no other format begins so */
extern const struct source_kind spool_source; /* spool.c */
extern const struct source_kind json_source;  /* json_read.c */

#endif
