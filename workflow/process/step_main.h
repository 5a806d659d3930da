/* step_main - a step's process from its first instruction to its last: descriptors, sandbox, plan, step_run, report.
 * Called by the zygote in the process it has just forked. */
#ifndef STEP_MAIN_H
#define STEP_MAIN_H

#include "process/zygote.h"

#define STEP_EXIT_UNPREPARED 78 /* the process could not be set up; the step never ran */

/* Puts fds[i] to descriptor STEP_FD_REPORT + i, /dev/null to 0, 1 and 2 (not 2 under sanitizers: their reports), and
 * closes all others. */
bool step_place_fds(const int *fds, size_t count) MUST_CHECK;

/* Never returns. sandbox NULL: limits only. */
_Noreturn void step_main(step_function *run, const struct sandbox *sandbox, const struct sandbox_limits *limits,
                         size_t fd_count);

#endif
