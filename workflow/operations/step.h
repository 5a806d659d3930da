/* step - what an operation may ask of the driver while it runs. The driver (step.c) joins source, operation and sinks:
 * it opens the source, makes the operation's passes, counts and reports progress, and writes the result.
 * It lives in the step's process. Used by one thread. */
#ifndef STEP_H
#define STEP_H

#include "operations/operation.h"

/* The operation's layout with the configuration's say in it (Info sheet, column widths). */
const struct layout *step_look(const struct step *step);

/* Starts the output table. `format` is a sink name ("xlsx"); `look` is step_look() or a copy of it, changed as the
 * operation likes (sheet name); file name and time are filled in by the driver. Column names must be unique and not
 * empty (header_make), and live until the step ends. */
enum err step_begin_table(struct step *step, const char *format, const struct columns *columns,
                          const struct layout *look, struct fault *why) MUST_CHECK;
enum err step_emit(struct step *step, const struct row *row, struct fault *why) MUST_CHECK;

/* MAKES_TEXT: starts the output file (suffix ".sql", ".json") and returns its bytes. */
enum err step_begin_text(struct step *step, const char *suffix, struct output **out, struct fault *why) MUST_CHECK;

/* MAKES_DATA: the result's `data`, one JSON object, is written into these bytes as it becomes known. The driver puts up
 * to STEP_DATA_INLINE_MAX bytes into the result as `data`; more stay in the output file (".json"), which becomes the
 * step's result file, and the result has the summary as `summary` instead. The summary (an object of a few numbers) is
 * given away, and set at the end. */
#define STEP_DATA_INLINE_MAX (32u << 10)
enum err step_begin_data(struct step *step, struct output **out, struct fault *why) MUST_CHECK;
void step_data_summary(struct step *step, json_t *summary);

/* A second table (bind), opened by the worker beforehand, borrowed: by the file name the user gave; "" when none was
 * given: the file the worker chose. `sheet` is the user's value of the argument `sheet_argument`, or NULL; it counts
 * when the table is asked for the first time. */
enum err step_side_source(struct step *step, const char *name, const json_t *sheet, const char *sheet_argument,
                          struct source **out, struct fault *why) MUST_CHECK;

/* A member of the step's result ("statistics", "report"); the value is given away. */
enum err step_result(struct step *step, const char *key, json_t *value, struct fault *why) MUST_CHECK;

uint32_t step_pass(const struct step *step); /* 0 in the first pass */
/* How often the operation will read the source (1 unless said otherwise): makes progress true over several passes. */
void step_expect_passes(struct step *step, uint32_t passes);
/* Bytes the operation may remember (workflow.step_memory_mb); 0 = no limit. */
uint64_t step_memory_max(const struct step *step);
/* Whether changed columns are to be kept under another name (normalization.backup_original). */
bool step_backup_original(const struct step *step);
const char *step_input_name(const struct step *step); /* name of the file this step reads, for messages */

/* --- for the process that runs the step (step_main), not for operations --- */

struct step_plan {
    const char *operation;   /* name */
    const json_t *arguments; /* object */
    int input_fd;            /* a table: the uploaded file or the spool of the step before */
    const char *input_name;  /* its file name: chooses the reader */
    int output_fd;           /* the visible file, empty; -1: not wanted (save_intermediate_files off). An operation that
                              * MAKES_DATA needs one always: its data has nowhere else to go */
    int spool_fd;            /* -1: no step follows */
    const char *stem;        /* stem of the output's name */
    uint64_t output_bytes_max;
    uint64_t memory_bytes_max; /* what an operation may remember (keys, a held row); 0 = no limit */
    int64_t started_us;        /* time of the Info sheet, UTC */
    int excel_deflate_level;
    const char *excel_sheet_name; /* where the step names none; NULL = "Sheet1" */
    uint32_t excel_column_width_max;
    bool excel_info_sheet;
    bool backup_original;
    const struct step_side {
        const char *name;
        int fd;
    } * sides;
    size_t side_count;
    /* File name to print inside the file for an extension (".xlsx"): chosen by the worker so that it is not taken. */
    const char *(*output_name)(void *context, const char *suffix);
    uint32_t progress_interval_ms; /* 0 = 250 */
    /* Called at most once an interval: true share of the input consumed, 0..99; never decreasing. May be NULL. */
    void (*progress)(void *context, int percent, uint64_t rows, const char *message);
    void *context;
};

struct step_outcome {
    json_t *result;     /* object: what the operation gave ("statistics", ...), owned by the caller */
    const char *suffix; /* ".xlsx", or NULL when no file was made */
    uint64_t rows_read;
    uint64_t rows_written; /* of the table made; 0 when none was */
    bool data_file;        /* the file is the result's `data`, too large to stand in `result` */
    bool made_table;       /* the spool holds this step's rows; otherwise the next step reads the same input */
};

/* Runs one step to its end. The fault's text has the operation's prefix. Unknown operation:
 * ERR_INVALID "No handler found for operation: X" without prefix. */
enum err step_run(const struct step_plan *plan, struct step_outcome *out, struct fault *why) MUST_CHECK;

/* The same with an operation that need not be in the registry. */
enum err step_run_operation(const struct operation *operation, const struct step_plan *plan, struct step_outcome *out,
                            struct fault *why) MUST_CHECK;

#endif
