/* The body of a JOB frame: any bytes are a whole job or one refusal. */
#include "assignment.h"

#include <stdint.h>
#include <stdlib.h>

#define FILES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct assignment *job)
{
    if (!job->job_id || !job->chat_id || !job->place || !job->stem_of || !job->input.key || !job->input.name ||
        !json_is_array(job->taken) || job->first_step >= job->step_count || job->step_count > ASSIGNMENT_STEPS_MAX)
        abort();
    for (size_t i = 0; i < job->step_count; i++) {
        struct assignment_file files[FILES];
        struct assignment_step step = assignment_step(job, i);
        if (!step.step_id || !step.operation || !json_is_object(step.arguments))
            abort();
        if (assignment_sides(job, i, files, FILES) > FILES)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assignment job;
    struct fault why;
    if (assignment_read(&job, (struct bytes){.at = (const char *)data, .len = size}, &why) == ERR_OK)
        check(&job);
    assignment_fini(&job);
    return 0;
}
