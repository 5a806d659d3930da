/* excel/extract-columns: the values of the named columns, as data.
 *
 * Rows come row by row, but the data wants one column after the other, and may be far larger than memory. So a pass
 * over the source writes one column straight into the output and holds the values of the next few in memory, as many as
 * fit into HELD_BYTES_MAX; those are written after it. What did not fit is read in a further pass. A small file thus
 * takes one pass, and no file takes more memory. */
#include "buf.h"
#include "clock.h"
#include "json_text.h"
#include "operations/fingerprints.h"
#include "operations/row_set.h"
#include "operations/step.h"

#include <inttypes.h>
#include <stdlib.h>

#define HELD_BYTES_MAX   (64u << 20) /* of all columns held; a quarter of the step's memory when that is less */
#define HELD_COLUMNS_MAX 15
#define ROWS_TEXT_MAX    20 /* digits of a row count */

struct column {
    const char *name; /* borrowed from the arguments */
    uint32_t index;
    uint64_t values, nulls;
    struct fingerprints unique;
    struct row_set *seen; /* NULL when duplicates stay */
    struct buf held;      /* the values as JSON, when they are not written at once */
};

struct extract {
    const struct arguments *given;
    bool distinct, statistics;
    struct allowance allowance;
    uint64_t held_max;
    uint32_t count, first, end; /* columns; this pass writes `first` and holds those up to `end` */
    struct column *column;
    struct output *out;
    struct hole total_rows;
    struct buf text; /* a piece of JSON on its way */
    uint64_t rows, values;
};

static enum err extract_check(void *state, const struct arguments *given, struct fault *why)
{
    (void)why;
    struct extract *self = state;
    self->given = given;
    self->distinct = arguments_truth(given, "remove_duplicates");
    self->statistics = arguments_truth(given, "include_statistics");
    return ERR_OK;
}

static enum err no_memory(struct fault *why)
{
    return fault_set(why, ERR_MEMORY, "Out of memory while extracting columns");
}

/* What is not in the table is left out, and what is asked for twice comes once: the data has it under its name. */
static enum err choose_columns(struct extract *self, const struct columns *in, struct fault *why)
{
    size_t asked = arguments_count(self->given, "columns");
    bool *taken = calloc(in->count + 1, sizeof *taken);
    self->column = calloc(asked + 1, sizeof *self->column);
    for (size_t i = 0; taken && self->column && i < asked; i++) {
        const char *name = arguments_item(self->given, "columns", i);
        int64_t index = columns_find(in, name, strlen(name));
        if (index < 0 || taken[index])
            continue;
        taken[index] = true;
        self->column[self->count++] = (struct column){.name = name, .index = (uint32_t)index};
    }
    bool chosen = taken && self->column;
    free(taken);
    return chosen ? ERR_OK : no_memory(why);
}

/* --- writing --- */

static enum err write_text(struct extract *self, struct fault *why)
{
    const char *text = buf_text(&self->text);
    return text ? output_write(self->out, text, self->text.len, why) : no_memory(why);
}

static enum err begin_info(struct extract *self, struct fault *why)
{
    static const char start[] = "{\"extraction_info\": {\"total_rows\": ";
    enum err err = output_write(self->out, start, sizeof start - 1, why);
    return err == ERR_OK ? output_hole(self->out, ROWS_TEXT_MAX, &self->total_rows, why) : err;
}

static enum err add_names(struct extract *self)
{
    enum err err = buf_add_text(&self->text, ", \"extracted_columns\": [");
    for (size_t i = 0; i < arguments_count(self->given, "columns") && err == ERR_OK; i++) {
        const char *name = arguments_item(self->given, "columns", i);
        err = i > 0 ? buf_add_text(&self->text, ", ") : ERR_OK;
        if (err == ERR_OK)
            err = json_text_string(&self->text, name, strlen(name));
    }
    return err;
}

static enum err write_info(struct extract *self, struct fault *why)
{
    char now[CLOCK_TEXT_MAX];
    clock_rfc3339(clock_wall_us(), now);
    enum err err = begin_info(self, why);
    if (err != ERR_OK)
        return err;
    buf_clear(&self->text);
    err = add_names(self);
    if (err == ERR_OK)
        err = buf_printf(&self->text, "], \"remove_duplicates\": %s, \"timestamp\": \"%s\"}, \"columns\": {",
                         self->distinct ? "true" : "false", now);
    return err == ERR_OK ? write_text(self, why) : no_memory(why);
}

static enum err open_column(struct extract *self, uint32_t i, struct fault *why)
{
    const char *name = self->column[i].name;
    buf_clear(&self->text);
    enum err err = i > 0 ? buf_add_text(&self->text, ", ") : ERR_OK;
    if (err == ERR_OK)
        err = json_text_string(&self->text, name, strlen(name));
    if (err == ERR_OK)
        err = buf_add_text(&self->text, ": {\"values\": [");
    return err == ERR_OK ? write_text(self, why) : no_memory(why);
}

static enum err add_statistics(struct extract *self, struct column *column)
{
    int64_t unique = fingerprints_count(&column->unique);
    enum err err = buf_printf(&self->text,
                              ", \"total_count\": %" PRIu64 ", \"non_null_count\": %" PRIu64
                              ", \"null_count\": %" PRIu64 ", \"unique_count\": ",
                              self->rows, self->rows - column->nulls, column->nulls);
    if (err == ERR_OK)
        err = unique < 0 ? buf_add_text(&self->text, "null") : buf_printf(&self->text, "%" PRId64, unique);
    return err == ERR_OK ? buf_add_text(&self->text, ", \"data_type\": \"object\"") : err;
}

static enum err close_column(struct extract *self, struct column *column, struct fault *why)
{
    buf_clear(&self->text);
    enum err err = buf_printf(&self->text, "], \"value_count\": %" PRIu64, column->values);
    if (err == ERR_OK && self->statistics)
        err = add_statistics(self, column);
    if (err == ERR_OK)
        err = buf_add_byte(&self->text, '}');
    return err == ERR_OK ? write_text(self, why) : no_memory(why);
}

static enum err write_held(struct extract *self, uint32_t i, struct fault *why)
{
    struct column *column = &self->column[i];
    enum err err = open_column(self, i, why);
    if (err == ERR_OK && column->held.len > 0)
        err = output_write(self->out, column->held.data, column->held.len, why);
    return err == ERR_OK ? close_column(self, column, why) : err;
}

/* --- one pass --- */

static void forget(struct column *column)
{
    fingerprints_fini(&column->unique);
    row_set_destroy(&column->seen);
    buf_fini(&column->held);
}

static enum err begin_group(struct extract *self, struct fault *why)
{
    uint32_t rest = self->count - self->first;
    self->end = self->first + (rest < HELD_COLUMNS_MAX + 1 ? rest : HELD_COLUMNS_MAX + 1);
    self->rows = 0;
    for (uint32_t i = self->first; i < self->end; i++) {
        struct column *column = &self->column[i];
        column->values = column->nulls = 0;
        column->held = BUF_INIT(SIZE_MAX / 4);
        fingerprints_init(&column->unique, &self->allowance);
        enum err err = self->distinct ? row_set_new(&column->seen, self->allowance.max, why) : ERR_OK;
        if (err != ERR_OK)
            return err;
    }
    return self->count > 0 ? open_column(self, self->first, why) : ERR_OK;
}

static uint64_t held_bytes(const struct extract *self)
{
    uint64_t bytes = 0;
    for (uint32_t i = self->first + 1; i < self->end; i++) {
        const struct column *column = &self->column[i];
        bytes += column->held.room + column->unique.slots * sizeof *column->unique.slot;
        bytes += column->seen ? row_set_bytes(column->seen) : 0;
    }
    return bytes;
}

/* What does not fit waits for a later pass. */
static void drop_until_held_fits(struct extract *self, struct step *step)
{
    while (self->end > self->first + 1 && held_bytes(self) > self->held_max) {
        forget(&self->column[--self->end]);
        uint32_t group = self->end - self->first;
        step_expect_passes(step, step_pass(step) + 1 + (self->count - self->end + group - 1) / group);
    }
}

static enum err add_json(struct extract *self, const struct cell *cell)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(cell, space, &len);
    return cell->kind == CELL_ERROR ? buf_add_text(&self->text, "null") : json_text_string(&self->text, text, len);
}

static enum err add_value(struct extract *self, uint32_t i, const struct cell *cell, struct fault *why)
{
    struct column *column = &self->column[i];
    buf_clear(&self->text);
    enum err err = column->values++ > 0 ? buf_add_text(&self->text, ", ") : ERR_OK;
    if (err == ERR_OK)
        err = add_json(self, cell);
    if (err == ERR_OK && i == self->first)
        return write_text(self, why);
    if (err == ERR_OK)
        err = buf_add(&column->held, self->text.data, self->text.len);
    return err == ERR_OK ? ERR_OK : no_memory(why);
}

static enum err take_cell(struct extract *self, uint32_t i, const struct cell *cell, struct fault *why)
{
    struct column *column = &self->column[i];
    bool wanted = true;
    enum err err = ERR_OK;
    if (cell->kind == CELL_ERROR) {
        column->nulls++;
        wanted = !self->distinct;
    } else {
        if (self->statistics)
            fingerprints_add(&column->unique, cell);
        if (self->distinct)
            err = row_set_add(column->seen, cell, 1, &wanted, why);
    }
    return err == ERR_OK && wanted ? add_value(self, i, cell, why) : err;
}

/* --- the operation --- */

static enum err extract_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct extract *self = state;
    self->allowance.max = step_memory_max(step);
    self->held_max = self->allowance.max / 4;
    if (self->held_max == 0 || self->held_max > HELD_BYTES_MAX)
        self->held_max = HELD_BYTES_MAX;
    self->text = BUF_INIT(SIZE_MAX / 4);
    enum err err = choose_columns(self, in, why);
    if (err == ERR_OK)
        err = step_begin_data(step, &self->out, why);
    if (err == ERR_OK)
        err = write_info(self, why);
    return err == ERR_OK ? begin_group(self, why) : err;
}

static enum err extract_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    struct extract *self = state;
    self->rows++;
    enum err err = ERR_OK;
    for (uint32_t i = self->first; i < self->end && err == ERR_OK; i++)
        err = take_cell(self, i, &in->cell[self->column[i].index], why);
    drop_until_held_fits(self, step);
    return err;
}

static enum err extract_end_of_pass(void *state, struct step *step, bool *again, struct fault *why)
{
    (void)step;
    struct extract *self = state;
    enum err err = self->count > 0 ? close_column(self, &self->column[self->first], why) : ERR_OK;
    for (uint32_t i = self->first + 1; i < self->end && err == ERR_OK; i++)
        err = write_held(self, i, why);
    for (uint32_t i = self->first; i < self->end; i++) {
        self->values += self->column[i].values;
        forget(&self->column[i]);
    }
    self->first = self->end;
    *again = err == ERR_OK && self->first < self->count;
    return *again ? begin_group(self, why) : err;
}

static enum err extract_finish(void *state, struct step *step, struct fault *why)
{
    struct extract *self = state;
    buf_clear(&self->text);
    if (buf_printf(&self->text, "%" PRIu64, self->rows) != ERR_OK)
        return no_memory(why);
    enum err err = output_fill(self->out, self->total_rows, self->text.data, self->text.len, why);
    if (err == ERR_OK)
        err = output_write(self->out, "}}", 2, why);
    step_data_summary(step, json_pack("{s:I, s:I, s:I, s:b}", "total_rows", (json_int_t)self->rows, "column_count",
                                      (json_int_t)self->count, "value_count", (json_int_t)self->values,
                                      "remove_duplicates", self->distinct));
    return err;
}

static void extract_fini(void *state)
{
    struct extract *self = state;
    for (uint32_t i = 0; i < self->count; i++)
        forget(&self->column[i]);
    free(self->column);
    buf_fini(&self->text);
}

static const struct argument extract_arguments[] = {
    {"columns", NULL, ARGUMENT_TEXTS, "[]", "names of the columns; one that is not in the table is left out"},
    {"remove_duplicates", NULL, ARGUMENT_TRUTH, "false", "each value once, in the order of first appearance"},
    {"include_statistics", NULL, ARGUMENT_TRUTH, "true", "the counts of each column"},
    {.name = NULL},
};

const struct operation extract_data_operation = {
    .name = "excel/extract-columns",
    .suffix = "data",
    .error_prefix = "Excel operation failed: ",
    .help = "Gives the values of some columns as data; the next step gets the table this one was given.",
    .remembers = "with include_statistics 8 bytes, and with remove_duplicates every different value, of a column",
    .makes = MAKES_DATA,
    .arguments = extract_arguments,
    .state_size = sizeof(struct extract),
    .check = extract_check,
    .begin = extract_begin,
    .row = extract_row,
    .end_of_pass = extract_end_of_pass,
    .finish = extract_finish,
    .fini = extract_fini,
};
