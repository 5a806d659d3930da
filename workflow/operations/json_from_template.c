/* json/generate-with-template: the user's own object for every row, streamed. In the mode `single` one row stands
 * alone, so the first one is held back until it is known whether a second one comes. */
#include "operations/held_row.h"
#include "operations/json_template.h"
#include "operations/step.h"

#include <inttypes.h>
#include <stdio.h>

enum mode { MODE_ARRAY, MODE_SINGLE, MODE_NESTED };

static const char *const mode_names[] = {[MODE_ARRAY] = "array", [MODE_SINGLE] = "single", [MODE_NESTED] = "nested"};

struct fill {
    const struct arguments *given;
    struct json_stream out;
    enum mode mode;
    json_t *object; /* the template, owned */
    struct column_pick pick;
    struct json_template *alone; /* MODE_SINGLE: the form of a row that stays the only one */
    struct json_template *item;
    struct held_row held;
    uint32_t columns;
    uint64_t rows;
};

static enum err read_mode(struct fill *self, struct fault *why)
{
    const char *mode = arguments_text(self->given, "aggregation_mode");
    for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++) {
        if (strcmp(mode, mode_names[i]) == 0) {
            self->mode = (enum mode)i;
            return ERR_OK;
        }
    }
    return fault_set(why, ERR_INVALID, "Invalid aggregation_mode: %s. Must be 'array', 'single', or 'nested'", mode);
}

/* An object, or a text that holds one. */
static enum err read_template(struct fill *self, struct fault *why)
{
    json_t *template = arguments_get(self->given, "template");
    json_error_t where;
    if (!template || (json_is_string(template) && json_string_length(template) == 0))
        return fault_set(why, ERR_INVALID, "Template cannot be empty");
    if (json_is_string(template))
        self->object = json_loads(json_string_value(template), JSON_DECODE_ANY, &where);
    else
        self->object = json_incref(template);
    if (!self->object)
        return fault_set(why, ERR_INVALID, "Invalid JSON template: %s: line %d column %d (char %d)", where.text,
                         where.line, where.column, where.position);
    if (!json_is_object(self->object))
        return fault_set(why, ERR_INVALID, "Template must be a JSON string or dictionary");
    return json_object_size(self->object) > 0 ? ERR_OK : fault_set(why, ERR_INVALID, "Template cannot be empty");
}

static enum err fill_check(void *state, const struct arguments *given, struct fault *why)
{
    struct fill *self = state;
    self->given = given;
    self->out.pretty = arguments_truth(given, "pretty_print");
    enum err err = read_template(self, why);
    return err == ERR_OK ? read_mode(self, why) : err;
}

static enum err fill_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct fill *self = state;
    self->columns = in->count;
    enum err err = column_pick_make(&self->pick, self->given, in, why);
    if (err == ERR_OK && self->mode == MODE_SINGLE)
        err = json_template_new(&self->alone, self->object, &self->pick, self->out.pretty, 0, why);
    unsigned depth = self->mode == MODE_NESTED ? 2 : 1;
    if (err == ERR_OK)
        err = json_template_new(&self->item, self->object, &self->pick, self->out.pretty, depth, why);
    return err == ERR_OK ? step_begin_text(step, ".json", &self->out.to, why) : err;
}

/* What opens the list of rows: it comes with the first one. */
static enum err write_opening(const struct fill *self, struct fault *why)
{
    enum err err = ERR_OK;
    if (self->mode == MODE_NESTED) {
        err = output_write(self->out.to, "{", 1, why);
        if (err == ERR_OK)
            err = json_stream_next(&self->out, true, 1, why);
        if (err == ERR_OK)
            err = output_write(self->out.to, "\"items\": ", 9, why);
    }
    return err == ERR_OK ? output_write(self->out.to, "[", 1, why) : err;
}

static enum err write_item(const struct fill *self, const struct cell *cell, bool first, struct fault *why)
{
    enum err err = first ? write_opening(self, why) : ERR_OK;
    if (err == ERR_OK)
        err = json_stream_next(&self->out, first, self->mode == MODE_NESTED ? 2 : 1, why);
    return err == ERR_OK ? json_template_write(self->item, cell, &self->out, why) : err;
}

static enum err fill_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    struct fill *self = state;
    uint64_t before = self->rows++;
    if (self->mode == MODE_SINGLE && before == 0)
        return held_row_keep(&self->held, in->cell, self->columns, step_memory_max(step), why);
    enum err err = ERR_OK;
    if (self->mode == MODE_SINGLE && before == 1)
        err = write_item(self, self->held.cell, true, why);
    return err == ERR_OK ? write_item(self, in->cell, before == 0, why) : err;
}

static enum err write_count(const struct fill *self, struct fault *why)
{
    char text[48];
    int len = snprintf(text, sizeof text, "\"count\": %" PRIu64, self->rows);
    enum err err = json_stream_next(&self->out, false, 1, why);
    if (err == ERR_OK)
        err = output_write(self->out.to, text, (size_t)len, why);
    return err == ERR_OK ? json_stream_close(&self->out, 0, "}", why) : err;
}

static enum err fill_finish(void *state, struct step *step, struct fault *why)
{
    (void)step;
    const struct fill *self = state;
    if (self->mode == MODE_SINGLE && self->rows == 1)
        return json_template_write(self->alone, self->held.cell, &self->out, why);
    enum err err = self->rows == 0 ? write_opening(self, why) : ERR_OK;
    if (err == ERR_OK && self->rows == 0)
        err = output_write(self->out.to, "]", 1, why);
    else if (err == ERR_OK)
        err = json_stream_close(&self->out, self->mode == MODE_NESTED ? 1 : 0, "]", why);
    return err == ERR_OK && self->mode == MODE_NESTED ? write_count(self, why) : err;
}

static void fill_fini(void *state)
{
    struct fill *self = state;
    json_template_destroy(&self->alone);
    json_template_destroy(&self->item);
    column_pick_fini(&self->pick);
    held_row_fini(&self->held);
    json_decref(self->object);
}

static const struct argument fill_arguments[] = {
    {"template", NULL, ARGUMENT_ANY, NULL, "the object, or a text that holds it as JSON"},
    {"column_mapping", NULL, ARGUMENT_OBJECT, "{}", "placeholder: column; empty: every usable column under its name"},
    {"columns", NULL, ARGUMENT_TEXTS, "[]", "the columns that may be used; empty: all"},
    {"aggregation_mode", NULL, ARGUMENT_TEXT, "\"array\"",
     "array; single: one row stands alone; nested: {\"items\": [...], \"count\": n}"},
    {"pretty_print", NULL, ARGUMENT_TRUTH, "true", "an indent of two, or one line"},
    {.name = NULL},
};

const struct operation json_template_operation = {
    .name = "json/generate-with-template",
    .suffix = "json_template",
    .error_prefix = "JSON generation operation failed: ",
    .help = "Fills a JSON object of your own with every row's values; the next step gets the table this one was given.",
    .remembers = "in the mode single, the first row",
    .makes = MAKES_TEXT,
    .arguments = fill_arguments,
    .state_size = sizeof(struct fill),
    .check = fill_check,
    .begin = fill_begin,
    .row = fill_row,
    .finish = fill_finish,
    .fini = fill_fini,
};
