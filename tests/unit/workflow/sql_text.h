/* sql_text - what an SQL operation wrote, without the comments at its head. */
#ifndef SQL_TEXT_H
#define SQL_TEXT_H

#include "step_case.h"

#include <string.h>

static inline const char *sql_body(const char *text)
{
    const char *blank = strstr(text, "\n\n");
    blank = blank ? strstr(blank + 2, "\n\n") : NULL;
    return blank ? blank + 2 : text;
}

static inline void sql_writes(const char *operation, const char *arguments, const char *csv, const char *body)
{
    struct step_case self = {.operation = operation, .arguments = arguments, .input = csv};
    step_case_run(&self);
    if (self.err != ERR_OK)
        fail_msg("%s", self.why.text);
    char *got = step_case_text(&self);
    assert_string_equal(sql_body(got), body);
    free(got);
    step_case_fini(&self);
}

static inline void sql_fails(const char *operation, const char *arguments, const char *csv, const char *reason)
{
    char text[512];
    snprintf(text, sizeof text, "SQL generation operation failed: %s", reason);
    step_case_fails(operation, arguments, csv, text);
}

#endif
