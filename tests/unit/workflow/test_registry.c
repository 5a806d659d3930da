/* The documentation is held to the tables: every operation, argument row and example of docs/operations.md. */
#include "operations/condition.h"
#include "step_case.h"

#define DOCUMENT SOURCE_DIR "/docs/operations.md"

static char *document;

static int load(void **state)
{
    (void)state;
    FILE *file = fopen(DOCUMENT, "r");
    assert_non_null(file);
    document = calloc(1, 1 << 20);
    assert_non_null(document);
    assert_true(fread(document, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    free(document);
    return 0;
}

static void names_are_unique_and_found(void **state)
{
    (void)state;
    for (size_t i = 0; operations[i]; i++)
        assert_ptr_equal(operation_find(operations[i]->name), operations[i]);
    assert_null(operation_find("excel/nope"));
    assert_null(operation_find(""));
}

static void tables_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; operations[i]; i++) {
        const struct operation *self = operations[i];
        assert_non_null(self->suffix);
        assert_non_null(self->help);
        assert_non_null(self->begin);
        assert_non_null(self->row);
        const char *prefix_end = strstr(self->error_prefix, " operation failed: ");
        assert_true(prefix_end && strcmp(prefix_end, " operation failed: ") == 0);
        struct arguments *defaults; /* refused when a default is not of its argument's type */
        assert_int_equal(arguments_new(&defaults, self->arguments, NULL, NULL), ERR_OK);
        arguments_destroy(&defaults);
    }
}

static char *copy(const char *start, size_t len)
{
    char *text = calloc(1, len + 1);
    assert_non_null(text);
    memcpy(text, start, len);
    return text;
}

struct span {
    const char *text;
    size_t len;
};

/* From the operation's heading to the next one. */
static struct span section(const struct operation *self)
{
    char heading[96];
    snprintf(heading, sizeof heading, "\n## %s\n", self->name);
    const char *start = strstr(document, heading);
    if (!start) {
        fail_msg("docs/operations.md has no heading '## %s'", self->name);
        return (struct span){.len = 0};
    }
    const char *end = strstr(start + 1, "\n## ");
    return (struct span){.text = start, .len = end ? (size_t)(end - start) : strlen(start)};
}

static void expect(struct span text, const char *line, const char *name)
{
    if (!memmem(text.text, text.len, line, strlen(line)))
        fail_msg("docs/operations.md, %s, lacks the line:\n%s", name, line);
}

static void argument_row(char *to, size_t room, const struct argument *self)
{
    size_t used = (size_t)snprintf(to, room, "| `%s`", self->name);
    for (const char *at = self->aliases; at && *at;) {
        size_t len = strcspn(at, ",");
        used += (size_t)snprintf(to + used, room - used, " or `%.*s`", (int)len, at);
        at += len + (at[len] == ',');
    }
    used += (size_t)snprintf(to + used, room - used, " | %s | ", argument_type_name(self->type));
    used +=
        (size_t)snprintf(to + used, room - used, self->standard ? "`%s`" : "-%s", self->standard ? self->standard : "");
    snprintf(to + used, room - used, " | %s |\n", self->help);
}

static void every_operation_and_argument_is_documented(void **state)
{
    (void)state;
    for (size_t i = 0; operations[i]; i++) {
        const struct operation *self = operations[i];
        struct span text = section(self);
        char line[512];
        expect(text, self->help, self->name);
        for (const struct argument *argument = self->arguments; argument->name; argument++) {
            argument_row(line, sizeof line, argument);
            expect(text, line, self->name);
        }
        snprintf(line, sizeof line, "Remembers: %s.\n", self->remembers ? self->remembers : "nothing");
        expect(text, line, self->name);
    }
}

static void what_all_operations_take_is_documented(void **state)
{
    (void)state;
    for (const struct argument *argument = common_arguments; argument->name; argument++) {
        char line[512];
        argument_row(line, sizeof line, argument);
        if (!strstr(document, line))
            fail_msg("docs/operations.md lacks the line:\n%s", line);
        for (size_t i = 0; operations[i]; i++)
            for (const struct argument *own = operations[i]->arguments; own->name; own++)
                assert_string_not_equal(own->name, argument->name);
    }
}

static void every_condition_operator_is_documented(void **state)
{
    (void)state;
    for (size_t i = 0; condition_operator_name(i); i++) {
        char cell[64];
        snprintf(cell, sizeof cell, "| `%s`", condition_operator_name(i));
        if (!strstr(document, cell))
            fail_msg("docs/operations.md has no row for the operator %s", condition_operator_name(i));
    }
}

/* The block that follows the fence; the caller frees. */
static char *block(const char *fence)
{
    const char *start = fence + strcspn(fence, "\n") + 1;
    const char *end = strstr(start, "\n```");
    assert_non_null(end);
    return copy(start, (size_t)(end - start) + 1);
}

/* `side` is the second file of the document's examples. */
static void run_example(const char *example, const char *table, const char *side)
{
    json_t *step = json_loads(example, 0, NULL);
    if (!step)
        fail_msg("not JSON:\n%s", example);
    char *arguments = json_dumps(json_object_get(step, "arguments"), 0);
    assert_non_null(arguments);
    struct step_case self = {
        .operation = json_string_value(json_object_get(step, "operation")), .arguments = arguments, .input = table};
    struct step_side sides[] = {{.name = "towns.csv", .fd = step_case_file_of(side, strlen(side))}};
    self.plan.sides = sides;
    self.plan.side_count = 1;
    step_case_run(&self);
    if (self.err != ERR_OK)
        fail_msg("%s\n%s", self.why.text, example);
    assert_true(self.outcome.rows_read > 0);
    step_case_fini(&self);
    close(sides[0].fd);
    free(arguments);
    json_decref(step);
}

static void every_example_runs_on_the_documents_table(void **state)
{
    (void)state;
    const char *fence = strstr(document, "```csv\n");
    assert_non_null(fence);
    char *table = block(fence);
    fence = strstr(fence + 3, "```csv\n");
    assert_non_null(fence);
    char *side = block(fence);
    size_t examples = 0, wanted = 0;
    for (const char *at = document; (at = strstr(at, "```json\n")); at += 3) {
        char *example = block(at);
        run_example(example, table, side);
        free(example);
        examples++;
    }
    while (operations[wanted])
        wanted++;
    assert_true(examples >= wanted);
    free(table);
    free(side);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_found),
        cmocka_unit_test(tables_are_whole),
        cmocka_unit_test(every_operation_and_argument_is_documented),
        cmocka_unit_test(what_all_operations_take_is_documented),
        cmocka_unit_test(every_condition_operator_is_documented),
        cmocka_unit_test(every_example_runs_on_the_documents_table),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
