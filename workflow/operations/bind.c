/* excel/bind-single-key and excel/bind-multi-key: every row with the columns of another file's row of the same key.
 *
 * Of the other file, keys and bind columns alone are kept: a key's value in the table is the length and text of each
 * bind cell. */
#include "operations/key_table.h"
#include "operations/output_format.h"
#include "operations/step.h"

#include <inttypes.h>
#include <stdlib.h>

#define BATCH_ROWS  16          /* whose keys are looked up together */
#define BATCH_BYTES (64u << 10) /* of their texts; a longer row is a batch of its own */
#define ERROR_MARK  0x80000000u /* in a kept length: the text is an error value */

struct bind {
    const struct arguments *given;
    bool single;  /* one key by the argument comparison_column */
    json_t *keys; /* names of the key columns: owned when single, otherwise the argument */
    const struct sink_kind *format;
    uint32_t key_count, bind_count;
    uint32_t *key_index;      /* of the key columns in the source ... */
    uint32_t *side_key_index; /* ... and in the bind file */
    uint32_t *bind_index;     /* in the bind file */
    uint32_t own_count;       /* columns of the source */
    struct columns columns;   /* the result's ... */
    struct cell *name;        /* ... and their names */
    struct cell *key;         /* of the row at work */
    struct cell *cell;        /* of the rows of the batch, the bind columns' included */
    struct buf text;          /* of these cells: does not move while the batch has rows */
    uint64_t number[BATCH_ROWS];
    uint32_t hash[BATCH_ROWS];
    bool
        blank[BATCH_ROWS]; /* the source's cells of that row of the batch are all empty, and stay so while it is true */
    uint32_t batch;        /* rows in it */
    struct buf key_bytes, value_bytes;
    struct key_table *table;
    uint64_t memory_max;
};

static enum err bind_check(struct bind *self, const struct arguments *given, struct fault *why)
{
    self->given = given;
    self->key_count = (uint32_t)json_array_size(self->keys);
    self->bind_count = (uint32_t)arguments_count(given, "bind_columns");
    const char *format = arguments_text(given, "output_format");
    self->format = output_format_find(format);
    if (!self->format)
        return output_format_fault(format, why);
    if (self->key_count == 0)
        return fault_set(why, ERR_INVALID, "At least one comparison column must be specified");
    const char *file = arguments_text(given, "bind_file");
    if (file[0] && !argument_file_name(file)[0])
        return fault_set(why, ERR_INVALID, "Argument 'bind_file' must name a file of this conversation");
    return ERR_OK;
}

static enum err single_check(void *state, const struct arguments *given, struct fault *why)
{
    struct bind *self = state;
    self->single = true;
    self->keys = json_pack("[s]", arguments_text(given, "comparison_column"));
    return bind_check(self, given, why);
}

static enum err multi_check(void *state, const struct arguments *given, struct fault *why)
{
    struct bind *self = state;
    self->keys = arguments_get(given, "comparison_columns");
    return bind_check(self, given, why);
}

/* --- columns --- */

static const char *name_at(const json_t *list, size_t i)
{
    return json_string_value(json_array_get(list, i));
}

/* Those of the names that are (or are not) among the columns, as `'a', 'b'`. true: there are some. */
static bool list_names(const json_t *names, const struct columns *in, bool present, struct buf *list)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < json_array_size(names) && err == ERR_OK; i++) {
        const char *name = name_at(names, i);
        if ((columns_find(in, name, strlen(name)) >= 0) == present)
            err = buf_printf(list, "%s'%s'", list->len ? ", " : "", name);
    }
    return list->len > 0 || err != ERR_OK;
}

static enum err find_keys(const struct bind *self, const struct columns *in, const char *where, uint32_t *index,
                          struct fault *why)
{
    struct buf missing = BUF_INIT(FAULT_TEXT_MAX);
    bool wrong = list_names(self->keys, in, false, &missing);
    for (uint32_t i = 0; i < self->key_count && !wrong; i++) {
        const char *name = name_at(self->keys, i);
        index[i] = (uint32_t)columns_find(in, name, strlen(name));
    }
    if (wrong && self->single)
        fault_set(why, ERR_INVALID, "Comparison column %s not found in %s file", buf_text(&missing), where);
    else if (wrong)
        fault_set(why, ERR_INVALID, "Comparison columns not found in %s file: [%s]", where, buf_text(&missing));
    buf_fini(&missing);
    return wrong ? ERR_INVALID : ERR_OK;
}

/* A key column is in the source already, and a column asked for twice would have to be given another name. */
static enum err check_bind_names(const struct bind *self, struct fault *why)
{
    for (uint32_t i = 0; i < self->bind_count; i++) {
        const char *name = arguments_item(self->given, "bind_columns", i);
        for (uint32_t j = 0; j < self->key_count; j++)
            if (strcmp(name, name_at(self->keys, j)) == 0)
                return fault_set(why, ERR_INVALID,
                                 "Bind column '%s' is a comparison column: it is in the source file already", name);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(name, arguments_item(self->given, "bind_columns", j)) == 0)
                return fault_set(why, ERR_INVALID, "Bind column '%s' is listed twice", name);
    }
    return ERR_OK;
}

static enum err find_bind_columns(struct bind *self, const struct columns *in, const struct columns *side,
                                  struct fault *why)
{
    const json_t *wanted = arguments_get(self->given, "bind_columns");
    struct buf names = BUF_INIT(FAULT_TEXT_MAX);
    enum err err = ERR_OK;
    if (list_names(wanted, side, false, &names))
        err = fault_set(why, ERR_INVALID, "Bind columns not found in bind file: [%s]", buf_text(&names));
    else if (list_names(wanted, in, true, &names))
        err = fault_set(why, ERR_INVALID,
                        "Bind columns already exist in source file: [%s]. This would overwrite existing data.",
                        buf_text(&names));
    buf_fini(&names);
    for (uint32_t i = 0; i < self->bind_count && err == ERR_OK; i++) {
        const char *name = arguments_item(self->given, "bind_columns", i);
        self->bind_index[i] = (uint32_t)columns_find(side, name, strlen(name));
    }
    return err;
}

static enum err make_room(struct bind *self, const struct columns *in, struct fault *why)
{
    size_t columns = (size_t)in->count + self->bind_count;
    self->own_count = in->count;
    self->key_index = calloc(self->key_count, sizeof *self->key_index);
    self->side_key_index = calloc(self->key_count, sizeof *self->side_key_index);
    self->key = calloc(self->key_count, sizeof *self->key);
    self->bind_index = calloc(self->bind_count + 1, sizeof *self->bind_index);
    self->name = calloc(columns + 1, sizeof *self->name);
    self->cell = calloc(BATCH_ROWS * columns + 1, sizeof *self->cell);
    self->text = BUF_INIT(SIZE_MAX / 4);
    self->key_bytes = BUF_INIT(SIZE_MAX / 4);
    self->value_bytes = BUF_INIT(SIZE_MAX / 4);
    if (self->key_index && self->side_key_index && self->key && self->bind_index && self->name && self->cell)
        return ERR_OK;
    return fault_set(why, ERR_MEMORY, "Out of memory while choosing columns");
}

static enum err begin_table(struct bind *self, struct step *step, const struct columns *in, struct fault *why)
{
    self->columns = (struct columns){.count = in->count + self->bind_count, .name = self->name};
    for (uint32_t i = 0; i < in->count; i++)
        self->name[i] = in->name[i];
    for (uint32_t i = 0; i < self->bind_count; i++) {
        const char *name = arguments_item(self->given, "bind_columns", i);
        self->name[in->count + i] = cell_text(name, strlen(name));
    }
    return step_begin_table(step, self->format->name, &self->columns, step_look(step), why);
}

/* --- keys and values --- */

/* A single key is its own bytes; several are told apart by their lengths. */
static enum err encode_key(struct bind *self, const struct cell *cell, const uint32_t *index, const char **bytes,
                           size_t *len)
{
    for (uint32_t i = 0; i < self->key_count; i++)
        self->key[i] = cell[index[i]];
    if (self->key_count == 1 && self->key[0].kind == CELL_TEXT) {
        *bytes = self->key[0].is.text;
        *len = self->key[0].len;
        return ERR_OK;
    }
    if (self->key_count == 1) { /* empty, or an error value */
        *bytes = "";
        *len = 0;
        return ERR_OK;
    }
    enum err err = key_table_encode(self->key, self->key_count, &self->key_bytes);
    *bytes = self->key_bytes.data;
    *len = self->key_bytes.len;
    return err;
}

static enum err encode_value(struct bind *self, const struct row *row)
{
    enum err err = ERR_OK;
    buf_clear(&self->value_bytes);
    for (uint32_t i = 0; i < self->bind_count && err == ERR_OK; i++) {
        const struct cell *cell = &row->cell[self->bind_index[i]];
        uint32_t len = cell->kind == CELL_TEXT || cell->kind == CELL_ERROR ? cell->len : 0;
        uint32_t mark = len | (cell->kind == CELL_ERROR ? ERROR_MARK : 0);
        err = buf_add(&self->value_bytes, &mark, sizeof mark);
        if (err == ERR_OK)
            err = buf_add(&self->value_bytes, cell->is.text, len);
    }
    return err;
}

static void decode_value(const struct bind *self, const char *value, struct cell *out)
{
    for (uint32_t i = 0; i < self->bind_count; i++) {
        uint32_t mark;
        memcpy(&mark, value, sizeof mark);
        value += sizeof mark;
        out[i] = cell_text(value, mark & ~ERROR_MARK);
        if (mark & ERROR_MARK)
            out[i].kind = CELL_ERROR;
        value += mark & ~ERROR_MARK;
    }
}

static enum err no_memory(const struct bind *self, struct fault *why)
{
    return fault_set(why, ERR_MEMORY,
                     "More than %zu keys of the bind file need more memory than a step may have "
                     "(workflow.step_memory_mb: %" PRIu64 ")",
                     self->table ? key_table_count(self->table) : 0, self->memory_max >> 20);
}

static enum err remember(struct bind *self, const struct row *row, struct fault *why)
{
    const char *key;
    size_t len;
    bool added;
    enum err err = encode_key(self, row->cell, self->side_key_index, &key, &len);
    if (err == ERR_OK)
        err = encode_value(self, row);
    if (err == ERR_OK)
        err = key_table_add(self->table, key, len, self->value_bytes.data, self->value_bytes.len, &added);
    return err == ERR_OK ? ERR_OK : no_memory(self, why);
}

static enum err read_side(struct bind *self, struct source *side, struct fault *why)
{
    struct row row;
    char *room;
    enum err err = key_table_new(&self->table, self->memory_max);
    if (err == ERR_OK)
        err = buf_extend(&self->text, BATCH_BYTES, &room);
    if (err != ERR_OK)
        return no_memory(self, why);
    buf_clear(&self->text);
    while ((err = source_next(side, &row, why)) == ERR_OK) {
        err = remember(self, &row, why);
        if (err != ERR_OK)
            return err;
    }
    return err == ERR_END ? ERR_OK : err;
}

/* --- the step --- */

static enum err open_side(const struct bind *self, struct step *step, struct source **out, struct fault *why)
{
    const char *name = argument_file_name(arguments_text(self->given, "bind_file"));
    return step_side_source(step, name, arguments_get(self->given, "bind_sheet"), "bind_sheet", out, why);
}

static enum err bind_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct bind *self = state;
    struct source *side = NULL;
    self->memory_max = step_memory_max(step);
    enum err err = make_room(self, in, why);
    if (err == ERR_OK)
        err = find_keys(self, in, "source", self->key_index, why);
    if (err == ERR_OK)
        err = check_bind_names(self, why);
    if (err == ERR_OK)
        err = open_side(self, step, &side, why);
    if (err == ERR_OK)
        err = find_keys(self, &side->columns, "bind", self->side_key_index, why);
    if (err == ERR_OK)
        err = find_bind_columns(self, in, &side->columns, why);
    if (err == ERR_OK)
        err = read_side(self, side, why);
    return err == ERR_OK ? begin_table(self, step, in, why) : err;
}

static struct cell *batch_cells(const struct bind *self, uint32_t i)
{
    return self->cell + (size_t)i * self->columns.count;
}

static enum err emit(struct bind *self, struct step *step, uint32_t i, struct fault *why)
{
    struct cell *cell = batch_cells(self, i);
    const char *key;
    size_t len;
    if (encode_key(self, cell, self->key_index, &key, &len) != ERR_OK)
        return no_memory(self, why);
    const char *value = key_table_find_hashed(self->table, self->hash[i], key, len);
    if (value)
        decode_value(self, value, cell + self->own_count);
    for (uint32_t k = 0; k < self->bind_count && !value; k++)
        cell[self->own_count + k] = cell_empty();
    struct row out = {
        .number = self->number[i], .count = self->columns.count, .cell = cell, .blank = self->blank[i] && !value};
    return step_emit(step, &out, why);
}

static enum err flush_batch(struct bind *self, struct step *step, struct fault *why)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < self->batch; i++)
        key_table_approach(self->table, self->hash[i]);
    for (uint32_t i = 0; i < self->batch && err == ERR_OK; i++)
        err = emit(self, step, i, why);
    self->batch = 0;
    buf_clear(&self->text);
    return err;
}

static bool has_text(const struct cell *cell)
{
    return cell->kind == CELL_TEXT || cell->kind == CELL_ERROR;
}

/* Bytes of the row's texts. A sparse sheet has a million rows of nothing, each thousands of cells wide. */
static size_t text_bytes(const struct bind *self, const struct row *in)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < self->own_count && !in->blank; i++)
        bytes += has_text(&in->cell[i]) ? in->cell[i].len : 0;
    return bytes;
}

static enum err copy_row(struct bind *self, const struct row *in, size_t bytes)
{
    char *to;
    bool *blank = &self->blank[self->batch];
    struct cell *cell = batch_cells(self, self->batch);
    if (in->blank && !*blank)
        cells_clear(cell, self->own_count);
    *blank = in->blank;
    if (*blank)
        return ERR_OK;
    enum err err = buf_extend(&self->text, bytes, &to);
    if (err != ERR_OK)
        return err;
    for (uint32_t i = 0; i < self->own_count; i++) {
        cell[i] = in->cell[i];
        if (!has_text(&cell[i]))
            continue;
        memcpy(to, cell[i].is.text, cell[i].len);
        cell[i].is.text = to;
        to += cell[i].len;
    }
    return ERR_OK;
}

static enum err bind_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    struct bind *self = state;
    const char *key;
    size_t len, bytes = text_bytes(self, in);
    enum err err = ERR_OK;
    if (self->batch == BATCH_ROWS || (self->batch > 0 && self->text.len + bytes > BATCH_BYTES))
        err = flush_batch(self, step, why);
    if (err != ERR_OK)
        return err;
    if (copy_row(self, in, bytes) != ERR_OK || encode_key(self, in->cell, self->key_index, &key, &len) != ERR_OK)
        return no_memory(self, why);
    self->hash[self->batch] = key_table_hash(self->table, key, len);
    self->number[self->batch++] = in->number;
    return ERR_OK;
}

static enum err bind_finish(void *state, struct step *step, struct fault *why)
{
    return flush_batch(state, step, why);
}

static void bind_fini(void *state)
{
    struct bind *self = state;
    key_table_destroy(&self->table);
    buf_fini(&self->key_bytes);
    buf_fini(&self->value_bytes);
    buf_fini(&self->text);
    if (self->single)
        json_decref(self->keys);
    free(self->key_index);
    free(self->side_key_index);
    free(self->bind_index);
    free(self->name);
    free(self->key);
    free(self->cell);
}

/* clang-format off */
#define BIND_FILE \
    {"bind_file", NULL, ARGUMENT_FILE, NULL, "name of another file of the conversation, or a path that ends in it; not given: the newest other upload"}, \
    {"bind_sheet", NULL, ARGUMENT_ANY, NULL, "the sheet of that file, as `sheet` is of the input"}
#define BIND_COLUMNS {"bind_columns", "source_columns", ARGUMENT_TEXTS, "[]", "columns of that file to add"}
#define FORMAT {"output_format", NULL, ARGUMENT_TEXT, "\"excel\"", "xlsx (or excel), csv, json"}
/* clang-format on */

static const struct argument single_arguments[] = {
    BIND_FILE,
    {"comparison_column", "key_column", ARGUMENT_TEXT, NULL, "the column of both files that rows are matched by"},
    BIND_COLUMNS,
    FORMAT,
    {.name = NULL},
};

static const struct argument multi_arguments[] = {
    BIND_FILE,
    {"comparison_columns", "key_columns", ARGUMENT_TEXTS, "[]", "the columns of both files that rows are matched by"},
    BIND_COLUMNS,
    FORMAT,
    {.name = NULL},
};

#define REMEMBERS "keys and bind columns of the bind file"

const struct operation bind_single_operation = {
    .name = "excel/bind-single-key",
    .suffix = "bound",
    .error_prefix = "Excel operation failed: ",
    .help = "Adds columns of another file to every row, matched by one column.",
    .remembers = REMEMBERS,
    .makes = MAKES_ROWS,
    .look = {.info_sheet = true, .column_widths = true},
    .arguments = single_arguments,
    .state_size = sizeof(struct bind),
    .check = single_check,
    .begin = bind_begin,
    .row = bind_row,
    .finish = bind_finish,
    .fini = bind_fini,
};

const struct operation bind_multi_operation = {
    .name = "excel/bind-multi-key",
    .suffix = "bound",
    .error_prefix = "Excel operation failed: ",
    .help = "Adds columns of another file to every row, matched by several columns.",
    .remembers = REMEMBERS,
    .makes = MAKES_ROWS,
    .look = {.info_sheet = true, .column_widths = true},
    .arguments = multi_arguments,
    .state_size = sizeof(struct bind),
    .check = multi_check,
    .begin = bind_begin,
    .row = bind_row,
    .finish = bind_finish,
    .fini = bind_fini,
};
