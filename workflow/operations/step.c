#include "operations/step.h"

#include "clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_PER_LOOK        64  /* rows between two looks at the clock */
#define PROGRESS_INTERVAL_MS 250 /* between two reports, when the plan does not say */
#define OUTPUT_LIMIT_KEY     "workflow.output_bytes_max_mb"

/* One way the table goes: to the visible file, or to the next step. Both NULL when nobody wants it. */
struct way {
    struct output *bytes;
    struct sink *sink;
};

struct step {
    const struct step_plan *plan;
    const struct operation *operation;
    struct arguments *arguments;
    void *state;
    struct layout look;
    struct read_options how;
    char sheet_number[24]; /* how.sheet, when the user gave a number */
    struct source *source;
    struct source **side; /* plan->side_count of them, NULL until asked for */
    struct way visible, spool;
    const char *suffix; /* of the visible file, once begun */
    json_t *result, *data_summary;
    bool data_file;
    uint32_t pass, passes_expected;
    uint64_t rows_read, rows_written;
    uint64_t rows_of_pass;
    int64_t reported_ms;
    int percent;
};

/* --- what operations call --- */

const struct layout *step_look(const struct step *step)
{
    return &step->look;
}

uint32_t step_pass(const struct step *step)
{
    return step->pass;
}

void step_expect_passes(struct step *step, uint32_t passes)
{
    step->passes_expected = passes;
}

uint64_t step_memory_max(const struct step *step)
{
    return step->plan->memory_bytes_max;
}

bool step_backup_original(const struct step *step)
{
    return step->plan->backup_original;
}

const char *step_input_name(const struct step *step)
{
    return step->plan->input_name;
}

static enum err way_begin(struct way *way, const struct step *step, int fd, const struct sink_kind *kind,
                          const struct columns *columns, const struct layout *look, struct fault *why)
{
    if (fd < 0)
        return ERR_OK;
    enum err err = output_new(&way->bytes, fd, step->plan->output_bytes_max, OUTPUT_LIMIT_KEY, why);
    return err == ERR_OK ? kind->begin(&way->sink, way->bytes, columns, look, why) : err;
}

static enum err way_finish(struct way *way, struct fault *why)
{
    enum err err = way->sink ? sink_finish(way->sink, why) : ERR_OK;
    return err == ERR_OK && way->bytes ? output_flush(way->bytes, why) : err;
}

static void way_fini(struct way *way)
{
    sink_destroy(&way->sink);
    output_destroy(&way->bytes);
}

enum err step_begin_table(struct step *step, const char *format, const struct columns *columns,
                          const struct layout *look, struct fault *why)
{
    const struct step_plan *plan = step->plan;
    const struct sink_kind *kind = sink_find(format);
    assert(step->operation->makes == MAKES_ROWS && !step->suffix && kind);
    step->suffix = kind->suffix;
    struct layout own = *look;
    own.file_name = plan->output_name ? plan->output_name(plan->context, kind->suffix) : plan->stem;
    own.created_us = plan->started_us;
    own.visible = kind;
    enum err err = way_begin(&step->visible, step, plan->output_fd, kind, columns, &own, why);
    return err == ERR_OK ? way_begin(&step->spool, step, plan->spool_fd, &spool_sink, columns, &own, why) : err;
}

enum err step_emit(struct step *step, const struct row *row, struct fault *why)
{
    assert(step->operation->makes == MAKES_ROWS && step->suffix);
    enum err err = step->visible.sink ? sink_row(step->visible.sink, row, why) : ERR_OK;
    if (err == ERR_OK && step->spool.sink)
        err = sink_row(step->spool.sink, row, why);
    step->rows_written += err == ERR_OK;
    return err;
}

enum err step_begin_text(struct step *step, const char *suffix, struct output **out, struct fault *why)
{
    assert(step->operation->makes == MAKES_TEXT && !step->suffix);
    step->suffix = suffix;
    enum err err =
        output_new(&step->visible.bytes, step->plan->output_fd, step->plan->output_bytes_max, OUTPUT_LIMIT_KEY, why);
    *out = step->visible.bytes;
    return err;
}

enum err step_begin_data(struct step *step, struct output **out, struct fault *why)
{
    assert(step->operation->makes == MAKES_DATA && !step->visible.bytes);
    enum err err =
        output_new(&step->visible.bytes, step->plan->output_fd, step->plan->output_bytes_max, OUTPUT_LIMIT_KEY, why);
    *out = step->visible.bytes;
    return err;
}

void step_data_summary(struct step *step, json_t *summary)
{
    json_decref(step->data_summary);
    step->data_summary = summary;
}

/* A sheet as users name it: by its name or its number. */
static enum err read_sheet(const json_t *sheet, const char *argument, struct read_options *how, char number[24],
                           struct fault *why)
{
    if (json_is_string(sheet) && json_string_length(sheet) > 0) {
        how->sheet = json_string_value(sheet);
    } else if (json_is_integer(sheet)) {
        snprintf(number, 24, "%lld", (long long)json_integer_value(sheet));
        how->sheet = number;
    } else if (sheet && !json_is_string(sheet)) {
        return fault_set(why, ERR_INVALID, "Argument '%s' must be the name or the number of a sheet", argument);
    }
    return ERR_OK;
}

enum err step_side_source(struct step *step, const char *name, const json_t *sheet, const char *sheet_argument,
                          struct source **out, struct fault *why)
{
    const struct step_plan *plan = step->plan;
    struct read_options how = {.sheet = NULL};
    char number[24];
    *out = NULL;
    enum err err = read_sheet(sheet, sheet_argument, &how, number, why);
    for (size_t i = 0; err == ERR_OK && i < plan->side_count; i++) {
        const struct step_side *side = &plan->sides[i];
        if (name[0] && strcmp(side->name, name) != 0)
            continue;
        if (!step->side[i])
            err = source_open(&step->side[i], side->fd, side->name, &how, why);
        *out = step->side[i];
        return err;
    }
    if (err != ERR_OK)
        return err;
    if (!name[0])
        return fault_set(why, ERR_NOT_FOUND, "There is no other uploaded file in this conversation");
    return fault_set(why, ERR_NOT_FOUND, "File '%s' not found in this conversation", name);
}

enum err step_result(struct step *step, const char *key, json_t *value, struct fault *why)
{
    if (json_object_set_new(step->result, key, value) == 0)
        return ERR_OK;
    return fault_set(why, ERR_MEMORY, "Out of memory while writing the result");
}

/* --- progress --- */

/* The share of all expected passes that is done, 0..99; 100 is for the one who commits the result. */
static int share_done(const struct step *step)
{
    uint64_t done = 0, total = 0;
    source_consumed(step->source, &done, &total);
    double of_pass = total > 0 ? (double)done / (double)total : 0;
    uint32_t passes = step->passes_expected > step->pass ? step->passes_expected : step->pass + 1;
    int percent = (int)(100 * (step->pass + of_pass) / passes);
    return percent < 99 ? percent : 99;
}

static void report(struct step *step)
{
    char message[96];
    int len = snprintf(message, sizeof message, "Processing row %llu", (unsigned long long)step->rows_of_pass);
    if (step->passes_expected > 1 && len > 0)
        snprintf(message + len, sizeof message - (size_t)len, " (pass %u of %u)", step->pass + 1,
                 step->passes_expected);
    int percent = share_done(step);
    step->percent = percent > step->percent ? percent : step->percent; /* a pass nobody expected must not go back */
    step->plan->progress(step->plan->context, step->percent, step->rows_of_pass, message);
}

static void look_at_clock(struct step *step)
{
    if (!step->plan->progress || step->rows_of_pass % ROWS_PER_LOOK != 0)
        return;
    int64_t now_ms = clock_monotonic_ms();
    uint32_t interval_ms = step->plan->progress_interval_ms ? step->plan->progress_interval_ms : PROGRESS_INTERVAL_MS;
    if (now_ms - step->reported_ms < interval_ms)
        return;
    step->reported_ms = now_ms;
    report(step);
}

/* --- the run --- */

/* Letters, digits and quotes belong to cells. */
static char delimiter_sign(const char *text)
{
    if (strcmp(text, "tab") == 0)
        return '\t';
    char sign = text[0];
    bool printable = sign == '\t' || (sign >= ' ' && sign <= '~');
    bool letter = (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z') || (sign >= '0' && sign <= '9');
    return text[1] == '\0' && printable && !letter && sign != '"' ? sign : '\0';
}

static enum err read_delimiter(const char *text, const char *argument, struct read_options *how, struct fault *why)
{
    how->delimiter = text[0] ? delimiter_sign(text) : '\0';
    if (text[0] && how->delimiter == '\0')
        return fault_set(why, ERR_INVALID, "Argument '%s' must be a single sign such as ',' or ';', or 'tab'",
                         argument);
    return ERR_OK;
}

/* The common argument as a text, "" when it is not given. */
static enum err common_text(enum common_argument which, const json_t *given, const char **out, struct fault *why)
{
    const struct argument *row = &common_arguments[which];
    const json_t *value = argument_find(row, given);
    *out = value ? json_string_value(value) : "";
    if (!*out)
        return fault_set(why, ERR_INVALID, "Argument '%s' must be %s", row->name, argument_type_name(row->type));
    return ERR_OK;
}

static enum err read_common(struct step *step, const json_t *given, struct fault *why)
{
    const struct argument *sheet = &common_arguments[COMMON_SHEET];
    const char *delimiter, *output_filename;
    enum err err = common_text(COMMON_OUTPUT_FILENAME, given, &output_filename, why); /* the worker used it */
    if (err == ERR_OK)
        err = common_text(COMMON_DELIMITER, given, &delimiter, why);
    if (err == ERR_OK)
        err = read_delimiter(delimiter, common_arguments[COMMON_DELIMITER].name, &step->how, why);
    if (err != ERR_OK)
        return err;
    return read_sheet(argument_find(sheet, given), sheet->name, &step->how, step->sheet_number, why);
}

static enum err prepare(struct step *step, struct fault *why)
{
    const struct step_plan *plan = step->plan;
    const struct operation *operation = step->operation;
    step->look = operation->look;
    step->look.sheet_name = plan->excel_sheet_name;
    step->look.info_sheet &= plan->excel_info_sheet;
    step->look.column_width_max = plan->excel_column_width_max;
    step->look.deflate_level = plan->excel_deflate_level;
    step->passes_expected = 1;
    step->reported_ms = clock_monotonic_ms();
    step->state = calloc(1, operation->state_size + 1);
    step->side = calloc(plan->side_count + 1, sizeof *step->side);
    step->result = json_object();
    if (!step->state || !step->side || !step->result)
        return fault_set(why, ERR_MEMORY, "Out of memory before the first row");
    enum err err = arguments_new(&step->arguments, operation->arguments, plan->arguments, why);
    if (err == ERR_OK)
        err = read_common(step, plan->arguments, why);
    return err == ERR_OK && operation->check ? operation->check(step->state, step->arguments, why) : err;
}

static enum err one_pass(struct step *step, struct fault *why)
{
    struct row row;
    enum err err;
    step->rows_of_pass = 0;
    while ((err = source_next(step->source, &row, why)) == ERR_OK) {
        step->rows_of_pass++;
        err = step->operation->row(step->state, step, &row, why);
        if (err != ERR_OK)
            return err;
        look_at_clock(step);
    }
    step->rows_read = step->rows_of_pass;
    return err == ERR_END ? ERR_OK : err;
}

static enum err all_passes(struct step *step, struct fault *why)
{
    for (;;) {
        bool again = false;
        enum err err = one_pass(step, why);
        if (err == ERR_OK && step->operation->end_of_pass)
            err = step->operation->end_of_pass(step->state, step, &again, why);
        if (err != ERR_OK || !again)
            return err;
        err = source_rewind(step->source, why);
        if (err != ERR_OK)
            return err;
        step->pass++;
    }
}

/* Small data goes into the result and leaves no file; the rest of large data is written by way_finish(). */
static enum err place_data(struct step *step, struct fault *why)
{
    struct output *bytes = step->visible.bytes;
    const char *text = output_unwritten(bytes);
    uint64_t len = output_bytes(bytes);
    if (text && len <= STEP_DATA_INLINE_MAX) {
        json_error_t where;
        json_t *data = json_loadb(text, (size_t)len, 0, &where);
        output_destroy(&step->visible.bytes);
        if (!data)
            return fault_set(why, ERR_INTERNAL, "The step's data is no JSON object: %s", where.text);
        return step_result(step, "data", data, why);
    }
    if (step->plan->output_fd < 0)
        return fault_set(why, ERR_INTERNAL, "The step's data has no file to go to");
    step->suffix = ".json";
    step->data_file = true;
    return step->data_summary ? step_result(step, "summary", json_incref(step->data_summary), why) : ERR_OK;
}

static enum err finish(struct step *step, struct fault *why)
{
    enum err err = ERR_OK;
    if (step->operation->finish)
        err = step->operation->finish(step->state, step, why);
    if (err == ERR_OK && step->operation->makes == MAKES_DATA && step->visible.bytes)
        err = place_data(step, why);
    if (err == ERR_OK)
        err = way_finish(&step->visible, why);
    return err == ERR_OK ? way_finish(&step->spool, why) : err;
}

static enum err run(struct step *step, struct fault *why)
{
    enum err err = prepare(step, why);
    if (err == ERR_OK)
        err = source_open(&step->source, step->plan->input_fd, step->plan->input_name, &step->how, why);
    if (err == ERR_OK)
        err = step->operation->begin(step->state, step, &step->source->columns, why);
    if (err == ERR_OK)
        err = all_passes(step, why);
    return err == ERR_OK ? finish(step, why) : err;
}

/* The sinks go first: they may borrow column names from the operation's state, which may borrow from the rest. */
static void step_fini(struct step *step)
{
    way_fini(&step->visible);
    way_fini(&step->spool);
    if (step->state && step->operation->fini)
        step->operation->fini(step->state);
    free(step->state);
    for (size_t i = 0; step->side && i < step->plan->side_count; i++)
        source_destroy(&step->side[i]);
    free(step->side);
    source_destroy(&step->source);
    arguments_destroy(&step->arguments);
    json_decref(step->result);
    json_decref(step->data_summary);
}

enum err step_run_operation(const struct operation *operation, const struct step_plan *plan, struct step_outcome *out,
                            struct fault *why)
{
    *out = (struct step_outcome){.result = NULL};
    struct step step = {.plan = plan, .operation = operation};
    enum err err = run(&step, why);
    if (err == ERR_OK)
        *out = (struct step_outcome){
            .result = json_incref(step.result),
            .suffix = plan->output_fd >= 0 ? step.suffix : NULL,
            .rows_read = step.rows_read,
            .rows_written = step.rows_written,
            .data_file = step.data_file,
            .made_table = operation->makes == MAKES_ROWS,
        };
    else
        fault_prefix(why, "%s", operation->error_prefix);
    step_fini(&step);
    return err;
}

enum err step_run(const struct step_plan *plan, struct step_outcome *out, struct fault *why)
{
    const struct operation *operation = operation_find(plan->operation);
    if (operation)
        return step_run_operation(operation, plan, out, why);
    *out = (struct step_outcome){.result = NULL};
    return fault_set(why, ERR_INVALID, "No handler found for operation: %s", plan->operation);
}
