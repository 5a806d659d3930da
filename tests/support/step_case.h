/* step_case - runs one step on a CSV text in memory and shows what came out. For tests of operations; each program that
 * includes it gets its own copy (only the workflow's tests link the driver). */
#ifndef STEP_CASE_H
#define STEP_CASE_H

#include "operations/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct step_case {
    const char *operation;
    const char *arguments; /* JSON */
    const char *input;     /* the file's text */
    const char *name;      /* its name; NULL = "in.csv" */
    size_t input_len;      /* 0 = strlen(input) */
    uint64_t memory_bytes_max;
    bool no_file, no_spool;
    struct step_plan plan; /* as it was run */
    enum err err;
    struct fault why;
    struct step_outcome outcome;
};

static inline int step_case_file_of(const char *bytes, size_t len)
{
    int fd = memfd_create("case", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, 0), len);
    return fd;
}

static inline const char *step_case_name(void *context, const char *suffix)
{
    (void)context;
    return strcmp(suffix, ".xlsx") == 0 ? "out.xlsx" : "out";
}

static inline void step_case_run(struct step_case *self)
{
    json_t *arguments = json_loads(self->arguments, JSON_DECODE_ANY, NULL);
    assert_non_null(arguments);
    struct step_plan plan = self->plan;
    plan.operation = self->operation;
    plan.arguments = arguments;
    plan.input_fd = step_case_file_of(self->input, self->input_len ? self->input_len : strlen(self->input));
    plan.input_name = self->name ? self->name : "in.csv";
    plan.output_fd = self->no_file ? -1 : step_case_file_of("", 0);
    plan.spool_fd = self->no_spool ? -1 : step_case_file_of("", 0);
    plan.stem = "in";
    plan.output_bytes_max = plan.output_bytes_max ? plan.output_bytes_max : 1u << 30;
    plan.memory_bytes_max = self->memory_bytes_max;
    plan.output_name = step_case_name;
    self->plan = plan;
    self->why.text[0] = '\0';
    self->err = step_run(&plan, &self->outcome, &self->why);
    json_decref(arguments);
}

static inline void step_case_fini(struct step_case *self)
{
    json_decref(self->outcome.result);
    close(self->plan.input_fd);
    if (self->plan.output_fd >= 0)
        close(self->plan.output_fd);
    if (self->plan.spool_fd >= 0)
        close(self->plan.spool_fd);
}

/* The visible file as text; the caller frees. */
static inline char *step_case_text(const struct step_case *self)
{
    off_t len = lseek(self->plan.output_fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)len + 1);
    assert_non_null(text);
    assert_int_equal(pread(self->plan.output_fd, text, (size_t)len, 0), len);
    return text;
}

static inline size_t step_case_cells(char *to, size_t room, const struct cell *cell, uint32_t count)
{
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        char space[CELL_NUMBER_MAX];
        size_t len;
        const char *text = cell_as_text(&cell[i], space, &len);
        used += (size_t)snprintf(to + used, room - used, "%s%.*s", i ? "|" : "", (int)len, text);
    }
    return used + (size_t)snprintf(to + used, room - used, "\n");
}

/* A table as "a|b\n1|2\n": the one in the descriptor, read as the file name says. */
static inline void step_case_read(int fd, const char *name, char *to, size_t room)
{
    struct source *source;
    struct fault why = {.text = ""};
    if (source_open(&source, fd, name, NULL, &why) != ERR_OK)
        fail_msg("%s", why.text);
    size_t used = step_case_cells(to, room, source->columns.name, source->columns.count);
    struct row row;
    enum err err;
    while ((err = source_next(source, &row, &why)) == ERR_OK)
        used += step_case_cells(to + used, room - used, row.cell, row.count);
    assert_int_equal(err, ERR_END);
    source_destroy(&source);
}

/* Runs and expects the table for the next step. */
static inline void step_case_makes(const char *operation, const char *arguments, const char *csv, const char *table)
{
    struct step_case self = {.operation = operation, .arguments = arguments, .input = csv};
    char got[8192];
    step_case_run(&self);
    if (self.err != ERR_OK)
        fail_msg("%s", self.why.text);
    assert_true(self.outcome.made_table);
    step_case_read(self.plan.spool_fd, "spool", got, sizeof got);
    assert_string_equal(got, table);
    step_case_fini(&self);
}

/* Runs and expects the visible file, as text. */
static inline void step_case_writes(const char *operation, const char *arguments, const char *csv, const char *text)
{
    struct step_case self = {.operation = operation, .arguments = arguments, .input = csv};
    step_case_run(&self);
    if (self.err != ERR_OK)
        fail_msg("%s", self.why.text);
    char *got = step_case_text(&self);
    assert_string_equal(got, text);
    free(got);
    step_case_fini(&self);
}

/* Runs and expects the fault. */
static inline void step_case_fails(const char *operation, const char *arguments, const char *csv, const char *text)
{
    struct step_case self = {.operation = operation, .arguments = arguments, .input = csv};
    step_case_run(&self);
    assert_int_not_equal(self.err, ERR_OK);
    assert_string_equal(self.why.text, text);
    assert_int_equal(self.why.code, self.err);
    assert_null(self.outcome.result);
    step_case_fini(&self);
}

#endif
