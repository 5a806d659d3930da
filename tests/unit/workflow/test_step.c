/* The driver, with operations of the registry: what goes where, faults, progress, limits. */
#include "step_case.h"

static const char csv[] = "id,name\n1,Ann\n2,\n";
static const char map_id[] = "{\"mapping\": {\"i\": \"id\"}}";

static void an_unknown_operation_is_named_without_prefix(void **state)
{
    (void)state;
    step_case_fails("excel/nope", "{}", csv, "No handler found for operation: excel/nope");
}

static void faults_get_the_prefix_once(void **state)
{
    (void)state;
    step_case_fails("csv/convert-to-excel", "{}", "",
                    "CSV operation failed: Failed to read CSV file: No columns to parse from file");
    step_case_fails("excel/map-columns", map_id, "",
                    "Excel operation failed: Failed to read CSV file: No columns to parse from file");
    step_case_fails("json/generate", "{}", "id,name\n1,\"Ann\n",
                    "JSON generation operation failed: Failed to read CSV file: Error tokenizing data. C error: EOF "
                    "inside string starting at row 1");
}

static void the_file_and_the_next_step_get_the_same_rows(void **state)
{
    (void)state;
    struct step_case self = {.operation = "excel/map-columns", .arguments = map_id, .input = csv};
    char file[256], spool[256];
    step_case_run(&self);
    assert_int_equal(self.err, ERR_OK);
    step_case_read(self.plan.output_fd, "out.xlsx", file, sizeof file);
    step_case_read(self.plan.spool_fd, "spool", spool, sizeof spool);
    assert_string_equal(file, "i\n1\n2\n");
    assert_string_equal(spool, file);
    assert_int_equal(self.outcome.rows_written, 2);
    step_case_fini(&self);
}

static void the_next_step_reads_the_spool(void **state)
{
    (void)state;
    struct step_case first = {
        .operation = "excel/map-columns",
        .arguments = "{\"mapping\": {\"n\": {\"source\": \"name\", \"default\": true}, \"r\": {\"default\": 2.0}}}",
        .input = csv,
    };
    step_case_run(&first);
    assert_int_equal(first.err, ERR_OK);
    char spool[4096];
    ssize_t len = pread(first.plan.spool_fd, spool, sizeof spool, 0);
    assert_true(len > 0 && len < (ssize_t)sizeof spool);
    struct step_case second = {
        .operation = "json/generate",
        .arguments = "{\"pretty_print\": false}",
        .input = spool,
        .input_len = (size_t)len,
        .name = "in_mapped.xlsx",
    };
    step_case_run(&second);
    assert_string_equal(second.why.text, "");
    char *text = step_case_text(&second);
    assert_string_equal(text, "[{\"n\": \"Ann\", \"r\": \"2\"}, {\"n\": \"True\", \"r\": \"2\"}]");
    free(text);
    step_case_fini(&first);
    step_case_fini(&second);
}

static void a_file_nobody_wants_is_not_made(void **state)
{
    (void)state;
    static const char *const names[] = {"excel/map-columns", "json/generate"};
    for (size_t i = 0; i < 2; i++) {
        struct step_case self = {.operation = names[i], .arguments = map_id, .input = csv, .no_file = true};
        step_case_run(&self);
        assert_string_equal(self.why.text, "");
        assert_null(self.outcome.suffix);
        assert_int_equal(self.outcome.rows_read, 2);
        step_case_fini(&self);
    }
}

static void the_last_step_needs_no_spool(void **state)
{
    (void)state;
    struct step_case self = {.operation = "excel/map-columns", .arguments = map_id, .input = csv, .no_spool = true};
    step_case_run(&self);
    assert_int_equal(self.err, ERR_OK);
    assert_string_equal(self.outcome.suffix, ".xlsx");
    step_case_fini(&self);
}

static void a_result_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct step_case self = {
        .operation = "json/generate", .arguments = "{}", .input = csv, .plan = {.output_bytes_max = 10}};
    step_case_run(&self);
    assert_int_equal(self.err, ERR_TOO_LARGE);
    assert_non_null(strstr(self.why.text, "workflow.output_bytes_max_mb"));
    step_case_fini(&self);
}

struct heard {
    int reports, percent;
    uint64_t rows;
    char message[96];
};

static void hear(void *context, int percent, uint64_t rows, const char *message)
{
    struct heard *heard = context;
    assert_in_range(percent, heard->percent, 99);
    heard->reports++;
    heard->percent = percent;
    heard->rows = rows;
    snprintf(heard->message, sizeof heard->message, "%s", message);
}

/* "a" and then that many rows "x"; the caller frees. */
static char *long_table(size_t rows)
{
    char *table = malloc(rows * 2 + 3), *at = table;
    assert_non_null(table);
    at = stpcpy(at, "a\n");
    for (size_t i = 0; i < rows; i++)
        at = stpcpy(at, "x\n");
    return table;
}

/* A table that takes longer than one interval: doubled until it does. */
static void progress_tells_the_share_that_was_read(void **state)
{
    (void)state;
    struct heard heard = {.reports = 0};
    for (size_t rows = 1000000; heard.reports == 0 && rows < 20000000; rows *= 2) {
        char *table = long_table(rows);
        struct step_case self = {.operation = "json/generate",
                                 .arguments = "{}",
                                 .input = table,
                                 .no_spool = true,
                                 .plan = {.progress = hear, .context = &heard, .progress_interval_ms = 5}};
        step_case_run(&self);
        assert_string_equal(self.why.text, "");
        step_case_fini(&self);
        free(table);
        if (heard.reports == 0)
            continue;
        /* One row is as long as the other, the reader reads ahead a little, and 100 is another's word. */
        uint64_t share = heard.rows * 100 / rows;
        assert_in_range(heard.percent, share < 99 ? share : 99, share + 30);
    }
    assert_true(heard.reports > 0);
    char expected[96];
    snprintf(expected, sizeof expected, "Processing row %llu", (unsigned long long)heard.rows);
    assert_string_equal(heard.message, expected);
}

/* An operation of this test only: reads the table twice and a side table once, and emits what it saw. */
struct twice {
    uint64_t seen[2];
    bool side_read;
};

static enum err twice_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct twice *self = state;
    struct source *side, *again;
    struct row row;
    step_expect_passes(step, 2);
    enum err err = step_side_source(step, "side.csv", NULL, "", &side, why);
    if (err == ERR_OK)
        err = source_next(side, &row, why);
    self->side_read = err == ERR_OK && row.cell[0].len == 4 && memcmp(row.cell[0].is.text, "here", 4) == 0;
    if (err == ERR_OK && (step_side_source(step, "side.csv", NULL, "", &again, why) != ERR_OK || again != side))
        return fault_set(why, ERR_INTERNAL, "asked twice, opened twice");
    return err == ERR_OK ? step_begin_table(step, "csv", in, step_look(step), why) : err;
}

static enum err twice_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    struct twice *self = state;
    self->seen[step_pass(step)]++;
    return step_pass(step) == 1 && in->number == 1 ? step_emit(step, in, why) : ERR_OK;
}

static enum err twice_end(void *state, struct step *step, bool *again, struct fault *why)
{
    (void)state, (void)why;
    *again = step_pass(step) == 0;
    return ERR_OK;
}

static enum err twice_finish(void *state, struct step *step, struct fault *why)
{
    const struct twice *self = state;
    json_t *seen = json_pack("[I, I, b]", (json_int_t)self->seen[0], (json_int_t)self->seen[1], self->side_read);
    return step_result(step, "seen", seen, why);
}

static const struct argument no_arguments[] = {{.name = NULL}};
static const struct operation twice_operation = {
    .name = "test/twice",
    .suffix = "twice",
    .error_prefix = "Test operation failed: ",
    .makes = MAKES_ROWS,
    .arguments = no_arguments,
    .state_size = sizeof(struct twice),
    .begin = twice_begin,
    .row = twice_row,
    .end_of_pass = twice_end,
    .finish = twice_finish,
};

static void run_twice(const char *table, struct heard *heard, const char *side_name, enum err expected)
{
    const struct step_side side = {.name = side_name, .fd = step_case_file_of("s\nhere\n", 7)};
    const struct step_plan plan = {.input_fd = step_case_file_of(table, strlen(table)),
                                   .input_name = "in.csv",
                                   .output_fd = step_case_file_of("", 0),
                                   .spool_fd = -1,
                                   .output_bytes_max = 1 << 20,
                                   .sides = &side,
                                   .side_count = 1,
                                   .progress = hear,
                                   .progress_interval_ms = 1,
                                   .context = heard};
    struct step_outcome outcome;
    struct fault why = {.text = ""};
    assert_int_equal(step_run_operation(&twice_operation, &plan, &outcome, &why), expected);
    if (expected == ERR_OK) {
        json_t *seen =
            json_pack("{s:[I, I, b]}", "seen", (json_int_t)outcome.rows_read, (json_int_t)outcome.rows_read, 1);
        assert_true(json_equal(outcome.result, seen));
        assert_int_equal(outcome.rows_written, 1);
        json_decref(seen);
    } else {
        assert_string_equal(why.text, "Test operation failed: File 'side.csv' not found in this conversation");
    }
    json_decref(outcome.result);
    close(plan.input_fd);
    close(plan.output_fd);
    close(side.fd);
}

static void several_passes_and_a_side_table(void **state)
{
    (void)state;
    struct heard heard = {.reports = 0};
    run_twice(csv, &heard, "side.csv", ERR_OK);
    run_twice(csv, &heard, "other.csv", ERR_NOT_FOUND);
}

/* hear() checks that the second pass does not start again at 0. */
static void progress_does_not_go_back_in_the_second_pass(void **state)
{
    (void)state;
    struct heard heard = {.reports = 0};
    for (size_t rows = 100000; heard.percent <= 50 && rows < 20000000; rows *= 2) {
        char *table = long_table(rows);
        heard = (struct heard){.reports = 0};
        run_twice(table, &heard, "side.csv", ERR_OK);
        free(table);
    }
    assert_in_range(heard.percent, 51, 99);
    assert_non_null(strstr(heard.message, " (pass 2 of 2)"));
}

static void a_workbook_is_told_what_the_plan_says(void **state)
{
    (void)state;
    for (int info = 0; info < 2; info++) {
        struct step_case self = {.operation = "excel/map-columns",
                                 .arguments = map_id,
                                 .input = csv,
                                 .plan = {.excel_info_sheet = info == 1, .started_us = 1700000000000000}};
        step_case_run(&self);
        assert_string_equal(self.why.text, "");
        struct source *source;
        const struct read_options info_sheet = {.sheet = "Info"};
        enum err err = source_open(&source, self.plan.output_fd, "out.xlsx", &info_sheet, NULL);
        assert_int_equal(err == ERR_OK, info == 1);
        if (err == ERR_OK) {
            struct row row;
            assert_int_equal(source_next(source, &row, NULL), ERR_OK);
            assert_memory_equal(row.cell[1].is.text, "out.xlsx", 8);
            assert_int_equal(source_next(source, &row, NULL), ERR_OK);
            assert_memory_equal(row.cell[1].is.text, "2023-11-14 22:13:20", 19);
        }
        source_destroy(&source);
        step_case_fini(&self);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_operation_is_named_without_prefix),
        cmocka_unit_test(faults_get_the_prefix_once),
        cmocka_unit_test(the_file_and_the_next_step_get_the_same_rows),
        cmocka_unit_test(the_next_step_reads_the_spool),
        cmocka_unit_test(a_file_nobody_wants_is_not_made),
        cmocka_unit_test(the_last_step_needs_no_spool),
        cmocka_unit_test(a_result_beyond_the_limit_is_refused),
        cmocka_unit_test(progress_tells_the_share_that_was_read),
        cmocka_unit_test(several_passes_and_a_side_table),
        cmocka_unit_test(progress_does_not_go_back_in_the_second_pass),
        cmocka_unit_test(a_workbook_is_told_what_the_plan_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
