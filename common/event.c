#include "event.h"

#include <string.h>

const struct event_type event_types[] = {
    {"workflow_started", EVENT_RECORD, false, false, "job_id, attempt, total_steps, message"},
    {"progress", EVENT_STATE, false, true, "job_id, attempt, step_id, operation, progress, status, message"},
    {"step_result", EVENT_RECORD, false, true, "job_id, attempt, step_id, operation, result"},
    {"error", EVENT_RECORD, false, true, "job_id, attempt, step_id, operation, message, progress"},
    {"workflow_completed", EVENT_RECORD, true, false, "job_id, total_steps, output_files_count, message"},
    {"workflow_failed", EVENT_RECORD, true, false, "job_id, error, message"},
    {"workflow_cancelled", EVENT_RECORD, true, false, "job_id, message"},
    {NULL, EVENT_RECORD, false, false, NULL},
};

const struct event_type *event_type_find(const char *name, size_t len)
{
    for (const struct event_type *type = event_types; type->name; type++)
        if (strlen(type->name) == len && memcmp(type->name, name, len) == 0)
            return type;
    return NULL;
}

bool event_is_gateway_word(const char *name)
{
    static const char *const words[] = {"connected", "unsubscribed", "pong", "ack"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], name) == 0)
            return true;
    return false;
}
