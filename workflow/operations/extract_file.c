/* excel/extract-columns-to-file: the named columns in the order asked for.
 * A column asked for twice comes twice under its name; a reader tells the second from the first ("id.1"). */
#include "buf.h"
#include "operations/row_set.h"
#include "operations/step.h"
#include "table/source.h"

#include <stdlib.h>

_Static_assert(ARGUMENT_ITEMS_MAX <= SOURCE_COLUMNS_MAX, "the columns asked for fit into a table");

struct extract {
    const struct arguments *given;
    uint32_t count;
    uint32_t *index;   /* of the i-th column asked for */
    struct cell *name; /* in the order asked for */
    struct columns columns;
    struct cell *cell;    /* the row being built */
    bool blank;           /* all of `cell` are empty */
    struct row_set *seen; /* NULL when duplicates stay */
};

static enum err extract_check(void *state, const struct arguments *given, struct fault *why)
{
    struct extract *self = state;
    self->given = given;
    self->count = (uint32_t)arguments_count(given, "columns");
    if (self->count == 0)
        return fault_set(why, ERR_INVALID, "At least one column is required");
    return ERR_OK;
}

/* All that is missing is named at once. */
static enum err find_columns(struct extract *self, const struct columns *in, struct fault *why)
{
    struct buf missing = BUF_INIT(FAULT_TEXT_MAX);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < self->count; i++) {
        const char *name = arguments_item(self->given, "columns", i);
        int64_t index = columns_find(in, name, strlen(name));
        self->index[i] = index < 0 ? 0 : (uint32_t)index;
        self->name[i] = cell_text(name, strlen(name));
        if (index < 0 && err != ERR_FULL)
            err = buf_printf(&missing, "%s%s", missing.len ? ", " : "", name);
    }
    bool found = missing.len == 0 && err == ERR_OK;
    if (!found)
        fault_set(why, ERR_INVALID, "Columns not found in data: %s%s", buf_text(&missing),
                  err == ERR_FULL ? "..." : "");
    buf_fini(&missing);
    return found ? ERR_OK : ERR_INVALID;
}

static enum err extract_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct extract *self = state;
    self->index = calloc(self->count, sizeof *self->index);
    self->name = calloc(self->count, sizeof *self->name);
    self->cell = calloc(self->count, sizeof *self->cell);
    if (!self->index || !self->name || !self->cell)
        return fault_set(why, ERR_MEMORY, "Out of memory while choosing columns");
    enum err err = find_columns(self, in, why);
    if (err == ERR_OK && arguments_truth(self->given, "remove_duplicates"))
        err = row_set_new(&self->seen, step_memory_max(step), why);
    self->columns = (struct columns){.count = self->count, .name = self->name};
    return err == ERR_OK ? step_begin_table(step, "xlsx", &self->columns, step_look(step), why) : err;
}

static enum err extract_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    struct extract *self = state;
    bool wanted = true;
    for (uint32_t i = 0; i < self->count && !(in->blank && self->blank); i++)
        self->cell[i] = in->cell[self->index[i]];
    self->blank = in->blank;
    if (self->seen) {
        enum err err = row_set_add(self->seen, self->cell, self->count, &wanted, why);
        if (err != ERR_OK)
            return err;
    }
    struct row out = {.number = in->number, .count = self->count, .cell = self->cell, .blank = in->blank};
    return wanted ? step_emit(step, &out, why) : ERR_OK;
}

static void extract_fini(void *state)
{
    struct extract *self = state;
    row_set_destroy(&self->seen);
    free(self->index);
    free(self->name);
    free(self->cell);
}

static const struct argument extract_arguments[] = {
    {"columns", NULL, ARGUMENT_TEXTS, "[]", "names of the columns, in the order wanted; at least one"},
    {"remove_duplicates", NULL, ARGUMENT_TRUTH, "false", "leave out rows whose extracted cells came before"},
    {.name = NULL},
};

const struct operation extract_file_operation = {
    .name = "excel/extract-columns-to-file",
    .suffix = "extracted",
    .error_prefix = "Excel operation failed: ",
    .help = "Makes a table of some columns only.",
    .remembers = "with remove_duplicates, every different extracted row",
    .makes = MAKES_ROWS,
    .look = {.info_sheet = true, .column_widths = true},
    .arguments = extract_arguments,
    .state_size = sizeof(struct extract),
    .check = extract_check,
    .begin = extract_begin,
    .row = extract_row,
    .fini = extract_fini,
};
