/* verdict - how a step's process ended, in words for the user: each limit with its value and its configuration key.
 * Pure: from exit status, report and limits. */
#ifndef VERDICT_H
#define VERDICT_H

#include "process/report.h"
#include "process/sandbox.h"
#include "process/zygote.h"

enum verdict_kind {
    VERDICT_DONE,   /* the report's DONE counts */
    VERDICT_USER,   /* data, arguments or a limit */
    VERDICT_SERVER, /* our fault */
    VERDICT_INPUT,  /* what the step reads is missing or damaged: the step that made it is to make it again */
    VERDICT_LOST,   /* killed from outside: the job is to go on elsewhere */
};

/* Why the worker itself killed it; the first reason stays. */
enum verdict_stop { STOP_NONE, STOP_STEP_TIMEOUT, STOP_RUN_TIMEOUT };

struct verdict_facts {
    const struct zygote_exit *end;
    const struct report *report; /* its last word, or NULL */
    bool report_broken;          /* it sent something unreadable */
    enum verdict_stop stop;
    struct sandbox_limits limits;
    uint32_t step_seconds, run_seconds;
};

/* text: for DONE empty, otherwise the message (UTF-8). */
enum verdict_kind verdict(const struct verdict_facts *facts, char text[FAULT_TEXT_MAX]);
/* "user", "server", "input", "lost": wire/work_frame.h. */
const char *verdict_kind_name(enum verdict_kind kind);
/* Whose fault an error is that the step (or the worker, opening its files) met. */
enum verdict_kind verdict_of_error(enum err code);

#endif
