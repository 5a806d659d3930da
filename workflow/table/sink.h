/* sink - writes a table, row by row, in constant memory. One implementation a file format: csv_write, xlsx_write, ...
 * A fault's text starts with the kind's `write_prefix` ("Failed to write Excel file: "). Used by one thread. */
#ifndef SINK_H
#define SINK_H

#include "table/cell.h"
#include "table/output.h"

struct sink_kind;

/* How the table is to look: constant per operation, except file_name, created and visible. */
struct layout {
    const char *sheet_name;    /* XLSX; NULL = "Sheet1" */
    const char *file_name;     /* XLSX Info sheet: the row "File" */
    int64_t created_us;        /* XLSX Info sheet: the row "Created", microseconds since the Unix epoch, UTC */
    bool info_sheet;           /* XLSX: add the sheet Info (a sheet already called Info makes it Info1) */
    bool column_widths;        /* XLSX: min(longest text + 2, column_width_max) */
    bool styled_header;        /* XLSX: bold, bordered header (search results) */
    uint32_t column_width_max; /* 0 = 50 */
    int deflate_level;         /* 0 = 6 */
    /* Spool: the format of the visible file, whose reading back its rows must equal; NULL = xlsx. */
    const struct sink_kind *visible;
};

struct sink; /* first member of every implementation's struct */

struct sink_kind {
    const char *name;         /* "xlsx" */
    const char *suffix;       /* ".xlsx" */
    const char *content_type; /* RFC 9110 media type */
    const char *write_prefix; /* "Failed to write Excel file: " */
    bool keeps_empty_end;     /* a reader finds all-empty rows at the end of the file again */
    bool spells_nul;          /* a reader finds a NUL byte as the text _x0000_ */
    enum err (*begin)(struct sink **out, struct output *to, const struct columns *columns, const struct layout *look,
                      struct fault *why);
    enum err (*row)(struct sink *self, const struct row *row, struct fault *why);
    enum err (*finish)(struct sink *self, struct fault *why); /* once, after the last row; does not flush the output */
    void (*destroy)(struct sink *self);
};

struct sink {
    const struct sink_kind *kind;
};

static inline enum err sink_row(struct sink *self, const struct row *row, struct fault *why)
{
    return self->kind->row(self, row, why);
}

static inline enum err sink_finish(struct sink *self, struct fault *why)
{
    return self->kind->finish(self, why);
}

static inline void sink_destroy(struct sink **self_p)
{
    if (*self_p)
        (*self_p)->kind->destroy(*self_p);
    *self_p = NULL;
}

/* By name ("csv", "xlsx", "json"; "spool" is not for users), or NULL. */
const struct sink_kind *sink_find(const char *name);
/* The table of writable formats, NULL-terminated, without the spool: one file and one row (sink.c). */
extern const struct sink_kind *const sink_kinds[];

extern const struct sink_kind csv_sink;   /* csv_write.c */
extern const struct sink_kind xlsx_sink;  /* xlsx_write.c */
extern const struct sink_kind json_sink;  /* json_write.c: array of objects, 2-space indent, pandas orient=records */
extern const struct sink_kind spool_sink; /* spool.c */

#endif
