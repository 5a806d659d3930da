/* normalization/apply: columns rewritten, one normalization after the other, and a report of it.
 *
 * Some types must know their whole column first (its range, its mean): the column as those before them leave it. So the
 * source is read once for every such type in the longest chain of them, and once more to write. In each pass a row goes
 * through the normalizations as far as they are known; one whose facts are being gathered takes the cell and ends its
 * column's way. A type that leaves rows out ends the way of all that follow until it is known itself. */
#include "clock.h"
#include "operations/normalize/column_stats.h"
#include "operations/normalize/normalizer.h"
#include "operations/step.h"
#include "table/header.h"

#include <stdlib.h>

#define NORMALIZATIONS_MAX  1000
#define BACKUP_SUFFIX       "_original"
#define REPORT_BYTES_MAX    (512u << 10)
#define REPORT_ENTRIES_KEPT 20 /* of each list of a report that is too large */

/* One entry of the argument `normalizations`. */
struct request {
    struct normalization normalization;
    const char *column_name, *type; /* borrowed from the arguments, or "" */
    json_t *parameters;             /* the same; NULL when not given */
    bool live;                      /* false: missing column or faulty; it is in the report and does nothing */
    uint32_t column;
    uint32_t facts_pass, ready_pass; /* its facts are gathered in the one, it can be applied from the other */
    struct fact_finder *finder;
    /* Statistics of the last pass: `before` are those after the one before it, when no row was left out between. */
    struct column_stats own_before, after;
    struct column_stats *before;
    struct request *previous; /* on the same column */
    const char *type_after;
};

struct normalize {
    const struct arguments *given;
    struct allowance allowance;
    struct request *request;
    size_t count;
    bool wants_report;
    uint32_t passes;
    uint32_t in_count, backup_count;
    uint32_t *backup;  /* columns kept, in the order in which they are appended */
    struct cell *cell; /* the row on its way: the input's columns, then the kept ones */
    bool blank;        /* the row before was: nothing but requested and kept columns of `cell` may hold something */
    struct header header;
    int64_t started_us;
    uint64_t total_rows; /* of the input */
    json_t *errors, *warnings;
};

static enum err no_memory(struct fault *why)
{
    return fault_set(why, ERR_MEMORY, "Out of memory before the first row");
}

static enum err normalize_check(void *state, const struct arguments *given, struct fault *why)
{
    struct normalize *self = state;
    json_t *list = arguments_get(given, "normalizations");
    size_t count = json_array_size(list);
    if (count > NORMALIZATIONS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "%zu normalizations; %d are allowed", count, NORMALIZATIONS_MAX);
    for (size_t i = 0; i < count; i++)
        if (!json_is_object(json_array_get(list, i)))
            return fault_set(why, ERR_INVALID, "Normalization %zu must be an object", i + 1);
    self->given = given;
    self->wants_report = arguments_truth(given, "return_report");
    self->started_us = clock_wall_us();
    self->errors = json_array();
    self->warnings = json_array();
    self->request = calloc(count + 1, sizeof *self->request);
    self->count = self->request ? count : 0;
    return self->errors && self->warnings && self->request ? ERR_OK : no_memory(why);
}

/* --- reading the requests --- */

static const char *now_text(char out[CLOCK_TEXT_MAX])
{
    clock_rfc3339(clock_wall_us(), out);
    return out;
}

/* A line of the report, given away. */
static enum err note(json_t *list, json_t *message, struct fault *why)
{
    char now[CLOCK_TEXT_MAX];
    json_t *entry = json_pack("{s:o, s:s}", "message", message, "timestamp", now_text(now));
    return json_array_append_new(list, entry) == 0 ? ERR_OK : no_memory(why);
}

/* A member by its name, or by the word the report has for it. */
static json_t *member(json_t *object, const char *name, const char *other)
{
    json_t *value = json_object_get(object, name);
    return value && !json_is_null(value) ? value : json_object_get(object, other);
}

static const char *text_of(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

static enum err keep_column(struct normalize *self, uint32_t column, struct fault *why)
{
    for (uint32_t i = 0; i < self->backup_count; i++)
        if (self->backup[i] == column)
            return ERR_OK;
    uint32_t *grown = realloc(self->backup, (self->backup_count + 1) * sizeof *grown);
    if (!grown)
        return no_memory(why);
    self->backup = grown;
    self->backup[self->backup_count++] = column;
    return ERR_OK;
}

/* What is wrong with one request is a line of the report; the step goes on without it. */
static enum err read_request(struct normalize *self, struct request *request, json_t *given, const struct step *step,
                             const struct columns *in, struct fault *why)
{
    request->column_name = text_of(member(given, "column_name", "column"));
    request->type = text_of(member(given, "normalization_type", "type"));
    request->parameters = json_object_get(given, "parameters");
    int64_t column = columns_find(in, request->column_name, strlen(request->column_name));
    if (column < 0)
        return note(self->warnings, json_sprintf("Column '%s' not found", request->column_name), why);
    request->column = (uint32_t)column;
    enum err err = ERR_OK;
    if (step_backup_original(step) || json_is_true(json_object_get(given, "backup_original")))
        err = keep_column(self, request->column, why);
    if (err != ERR_OK)
        return err;
    struct fault own = {.code = ERR_OK};
    err = normalization_init(&request->normalization, request->type, request->parameters, &self->allowance, &own);
    request->live = err == ERR_OK;
    if (err == ERR_OK)
        return ERR_OK;
    if (err == ERR_MEMORY)
        return fault_set(why, err, "%s", own.text);
    return note(self->errors, json_sprintf("Error normalizing '%s': %s", request->column_name, own.text), why);
}

static uint32_t later(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* In which pass each can do what. */
static void schedule(struct normalize *self)
{
    uint32_t rows_ready = 0; /* from this pass on it is known which rows stay */
    struct request *filter = NULL;
    for (size_t i = 0; i < self->count; i++) {
        struct request *request = &self->request[i];
        if (!request->live)
            continue;
        for (size_t k = 0; k < i; k++)
            if (self->request[k].live && self->request[k].column == request->column)
                request->previous = &self->request[k];
        request->facts_pass = later(rows_ready, request->previous ? request->previous->ready_pass : 0);
        request->ready_pass = request->facts_pass + (request->normalization.need != NEED_NOTHING);
        bool shared = request->previous && request->previous >= filter;
        request->before = shared ? &request->previous->after : &request->own_before;
        if (request->normalization.how->keeps) {
            rows_ready = request->ready_pass;
            filter = request;
        }
        self->passes = later(self->passes, request->ready_pass + 1);
    }
}

static bool is_last_pass(const struct normalize *self, const struct step *step)
{
    return step_pass(step) + 1 == self->passes;
}

static bool gathers_facts(const struct request *request, uint32_t pass)
{
    return request->normalization.need != NEED_NOTHING && request->facts_pass == pass;
}

static enum err begin_pass(struct normalize *self, uint32_t pass, struct fault *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < self->count && err == ERR_OK; i++) {
        struct request *request = &self->request[i];
        struct normalization *normalization = &request->normalization;
        if (!request->live)
            continue;
        if (gathers_facts(request, pass))
            err = fact_finder_new(&request->finder, normalization->need, &self->allowance, why);
        if (err == ERR_OK && normalization->how->begin_pass && request->ready_pass <= pass)
            err = normalization->how->begin_pass(normalization, why);
    }
    return err;
}

/* --- the table --- */

static enum err make_header(struct normalize *self, const struct columns *in, struct fault *why)
{
    struct buf names = BUF_INIT(SIZE_MAX / 4);
    struct cell *name = calloc((size_t)in->count + self->backup_count + 1, sizeof *name);
    enum err err = name ? ERR_OK : ERR_MEMORY;
    for (uint32_t i = 0; i < self->backup_count && err == ERR_OK; i++) {
        err = buf_add(&names, in->name[self->backup[i]].is.text, in->name[self->backup[i]].len);
        if (err == ERR_OK)
            err = buf_add_text(&names, BACKUP_SUFFIX);
    }
    if (err == ERR_OK && in->count > 0)
        memcpy(name, in->name, in->count * sizeof *name);
    const char *at = names.data;
    for (uint32_t i = 0; i < self->backup_count && err == ERR_OK; i++) {
        size_t len = in->name[self->backup[i]].len + strlen(BACKUP_SUFFIX);
        name[in->count + i] = cell_text(at, len);
        at += len;
    }
    err = err == ERR_OK ? header_make(&self->header, name, in->count + self->backup_count, why) : no_memory(why);
    buf_fini(&names);
    free(name);
    return err;
}

static enum err normalize_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct normalize *self = state;
    json_t *list = arguments_get(self->given, "normalizations");
    self->allowance.max = step_memory_max(step);
    self->in_count = in->count;
    enum err err = ERR_OK;
    for (size_t i = 0; i < self->count && err == ERR_OK; i++)
        err = read_request(self, &self->request[i], json_array_get(list, i), step, in, why);
    if (err != ERR_OK)
        return err;
    self->passes = 1;
    schedule(self);
    step_expect_passes(step, self->passes);
    for (size_t i = 0; i < self->count; i++) {
        column_stats_init(&self->request[i].own_before, &self->allowance);
        column_stats_init(&self->request[i].after, &self->allowance);
    }
    self->cell = calloc((size_t)in->count + self->backup_count + 1, sizeof *self->cell);
    err = self->cell ? make_header(self, in, why) : no_memory(why);
    if (err == ERR_OK)
        err = begin_pass(self, 0, why);
    return err == ERR_OK ? step_begin_table(step, "xlsx", &self->header.columns, step_look(step), why) : err;
}

static enum err transform(struct normalize *self, struct request *request, bool counted, bool *keep, struct fault *why)
{
    struct normalization *normalization = &request->normalization;
    struct cell *cell = &self->cell[request->column];
    if (counted && request->before == &request->own_before)
        column_stats_add(&request->own_before, cell);
    if (normalization->how->keeps) {
        enum err err = normalization->how->keeps(normalization, cell, keep, why);
        if (err != ERR_OK || !*keep)
            return err;
    } else {
        struct cell out;
        enum err err = normalization->how->apply(normalization, cell, &out, why);
        if (err != ERR_OK)
            return err;
        *cell = out;
    }
    if (counted)
        column_stats_add(&request->after, cell);
    return ERR_OK;
}

/* The row through all that is known in this pass. */
static enum err transform_row(struct normalize *self, uint32_t pass, bool counted, const struct row *in, bool *keep,
                              struct fault *why)
{
    enum err err = ERR_OK;
    *keep = true;
    for (size_t i = 0; i < self->count && err == ERR_OK && *keep; i++) {
        struct request *request = &self->request[i];
        if (!request->live)
            continue;
        if (request->ready_pass <= pass)
            err = transform(self, request, counted, keep, why);
        else if (gathers_facts(request, pass))
            err = fact_finder_add(request->finder, &self->cell[request->column], why);
        if (err != ERR_OK)
            fault_prefix(why, "Error normalizing '%.200s', row %llu: ", request->column_name,
                         (unsigned long long)in->number);
    }
    return err;
}

/* A null that a normalizer made is nothing in the table, unlike an error value that the file held. */
static void finish_cells(struct normalize *self)
{
    for (size_t i = 0; i < self->count; i++) {
        struct cell *cell = &self->cell[self->request[i].column];
        if (self->request[i].live && cell_is_null(cell) && cell->len == 0)
            *cell = cell_empty();
    }
}

/* A sparse sheet has a million rows of nothing, each thousands of cells wide: of those only the columns that the
 * normalizations have touched are looked at. */
static void take_row(struct normalize *self, const struct row *in)
{
    bool again = in->blank && self->blank;
    self->blank = in->blank;
    for (size_t i = 0; i < self->count && again; i++)
        self->cell[self->request[i].column] = cell_empty();
    if (!again && self->in_count > 0)
        memcpy(self->cell, in->cell, self->in_count * sizeof *self->cell);
}

static bool is_still_blank(const struct normalize *self)
{
    bool blank = self->blank;
    for (size_t i = 0; i < self->count && blank; i++)
        blank = !self->request[i].live || self->cell[self->request[i].column].kind == CELL_EMPTY;
    return blank;
}

static enum err normalize_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    struct normalize *self = state;
    bool last = is_last_pass(self, step), keep;
    take_row(self, in);
    enum err err = transform_row(self, step_pass(step), last && self->wants_report, in, &keep, why);
    if (err != ERR_OK || !last)
        return err;
    self->total_rows++;
    if (!keep)
        return ERR_OK;
    finish_cells(self);
    for (uint32_t i = 0; i < self->backup_count; i++)
        self->cell[self->in_count + i] = in->cell[self->backup[i]];
    struct row out = {.number = in->number,
                      .count = self->in_count + self->backup_count,
                      .cell = self->cell,
                      .blank = is_still_blank(self)};
    return step_emit(step, &out, why);
}

static enum err normalize_end_of_pass(void *state, struct step *step, bool *again, struct fault *why)
{
    struct normalize *self = state;
    uint32_t pass = step_pass(step);
    for (size_t i = 0; i < self->count; i++) {
        struct request *request = &self->request[i];
        if (request->live && gathers_facts(request, pass))
            fact_finder_finish(request->finder, &request->normalization.facts);
    }
    *again = !is_last_pass(self, step);
    return *again ? begin_pass(self, pass + 1, why) : ERR_OK;
}

/* --- the report --- */

static json_t *parameters_of(const struct request *request, bool whole)
{
    if (!whole)
        return json_null();
    return request->parameters ? json_incref(request->parameters) : json_object();
}

static json_t *requested(const struct normalize *self, bool whole)
{
    json_t *list = json_array();
    for (size_t i = 0; i < self->count; i++) {
        const struct request *request = &self->request[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "column", request->column_name, "type", request->type,
                                              "parameters", parameters_of(request, whole)));
    }
    return list;
}

static json_t *processed(struct normalize *self, bool whole)
{
    json_t *list = json_array();
    for (size_t i = 0; i < self->count; i++) {
        struct request *request = &self->request[i];
        if (!request->live)
            continue;
        const char *before = request->previous ? request->previous->type_after : "object";
        request->type_after = column_stats_type(&request->after, request->normalization.how, before);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:b}", "column_name", request->column_name, "normalization_type",
                            request->type, "parameters", parameters_of(request, whole), "before_stats",
                            column_stats_json(request->before, before), "after_stats",
                            column_stats_json(&request->after, request->type_after), "success", true));
    }
    return list;
}

static json_t *make_report(struct normalize *self, bool whole)
{
    char started[CLOCK_TEXT_MAX], completed[CLOCK_TEXT_MAX];
    clock_rfc3339(self->started_us, started);
    return json_pack("{s:s, s:s, s:b, s:I, s:o, s:o, s:O, s:O}", "started_at", started, "completed_at",
                     now_text(completed), "success", json_array_size(self->errors) == 0, "total_rows",
                     (json_int_t)self->total_rows, "requested_normalizations", requested(self, whole),
                     "columns_processed", processed(self, whole), "errors", self->errors, "warnings", self->warnings);
}

static bool is_too_large(const json_t *report)
{
    return report && json_dumpb(report, NULL, 0, JSON_COMPACT) > REPORT_BYTES_MAX;
}

/* A step's process may say only so much (process/report.h): what a request repeats of its parameters goes first, then
 * what is beyond the first few entries of each list. */
static json_t *make_bounded_report(struct normalize *self)
{
    json_t *report = make_report(self, true);
    if (!is_too_large(report))
        return report;
    json_decref(report);
    report = make_report(self, false);
    if (!is_too_large(report))
        return report;
    static const char *const lists[] = {"requested_normalizations", "columns_processed", "errors", "warnings"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        json_t *list = json_object_get(report, lists[i]);
        while (json_array_size(list) > REPORT_ENTRIES_KEPT)
            json_array_remove(list, json_array_size(list) - 1);
    }
    return report;
}

static enum err warn_of_unknown_counts(struct normalize *self, struct fault *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < self->count && err == ERR_OK; i++) {
        struct request *request = &self->request[i];
        if (!request->live ||
            (fingerprints_count(&request->before->unique) >= 0 && fingerprints_count(&request->after.unique) >= 0))
            continue;
        err = note(self->warnings,
                   json_sprintf("Counting the different values of '%s' needs more memory than a step may have "
                                "(workflow.step_memory_mb: %llu)",
                                request->column_name, (unsigned long long)(self->allowance.max >> 20)),
                   why);
    }
    return err;
}

static enum err normalize_finish(void *state, struct step *step, struct fault *why)
{
    struct normalize *self = state;
    if (!self->wants_report)
        return step_result(step, "report", json_null(), why);
    enum err err = warn_of_unknown_counts(self, why);
    return err == ERR_OK ? step_result(step, "report", make_bounded_report(self), why) : err;
}

static void normalize_fini(void *state)
{
    struct normalize *self = state;
    for (size_t i = 0; i < self->count; i++) {
        struct request *request = &self->request[i];
        normalization_fini(&request->normalization);
        fact_finder_destroy(&request->finder);
        column_stats_fini(&request->own_before);
        column_stats_fini(&request->after);
    }
    free(self->request);
    free(self->backup);
    free(self->cell);
    header_fini(&self->header);
    json_decref(self->errors);
    json_decref(self->warnings);
}

static const struct argument normalize_arguments[] = {
    {"normalizations", NULL, ARGUMENT_LIST, "[]",
     "in order, each {column_name, normalization_type, parameters, backup_original}"},
    {"return_report", NULL, ARGUMENT_TRUTH, "true", "false: no report and no counting for it"},
    {.name = NULL},
};

const struct operation normalize_operation = {
    .name = "normalization/apply",
    .suffix = "normalized",
    .error_prefix = "Normalization operation failed: ",
    .help = "Rewrites columns, one normalization after the other, and reports what changed.",
    .remembers = "for the report 8 bytes for each different value of a column; quartiles and medians every number, the "
                 "mode every different value, remove_duplicates every different value",
    .makes = MAKES_ROWS,
    .look = {.info_sheet = true, .column_widths = true},
    .arguments = normalize_arguments,
    .state_size = sizeof(struct normalize),
    .check = normalize_check,
    .begin = normalize_begin,
    .row = normalize_row,
    .end_of_pass = normalize_end_of_pass,
    .finish = normalize_finish,
    .fini = normalize_fini,
};
