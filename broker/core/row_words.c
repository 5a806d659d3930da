#include "core/row_words.h"

#include <string.h>

static const char *const chat_names[] = {
    [CHAT_CREATED] = "created",
    [CHAT_PROCESSING] = "processing",
    [CHAT_COMPLETED] = "completed",
    [CHAT_FAILED] = "failed",
};
static const char *const job_names[] = {
    [JOB_PENDING] = "pending", [JOB_RUNNING] = "running",     [JOB_COMPLETED] = "completed",
    [JOB_FAILED] = "failed",   [JOB_CANCELLED] = "cancelled",
};
static const char *const step_names[] = {
    [STEP_PENDING] = "pending",
    [STEP_RUNNING] = "running",
    [STEP_COMPLETED] = "completed",
    [STEP_FAILED] = "failed",
};
static const char *const file_names[] = {
    [FILE_UPLOADED] = "uploaded",
    [FILE_OUTPUT] = "output",
    [FILE_INTERMEDIATE] = "intermediate",
    [FILE_RESULT] = "result",
};
static const char *const file_folders[] = {
    [FILE_UPLOADED] = "uploads",
    [FILE_OUTPUT] = "outputs",
    [FILE_INTERMEDIATE] = "intermediate",
    [FILE_RESULT] = "results",
};

#define COUNT(names) ((int)(sizeof(names) / sizeof *(names)))

static int index_of(const char *name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

const char *chat_status_name(enum chat_status status)
{
    return chat_names[status];
}

const char *job_status_name(enum job_status status)
{
    return job_names[status];
}

const char *step_status_name(enum step_status status)
{
    return step_names[status];
}

const char *file_type_name(enum file_type type)
{
    return file_names[type];
}

const char *file_type_folder(enum file_type type)
{
    return file_folders[type];
}

bool job_status_final(enum job_status status)
{
    return status != JOB_PENDING && status != JOB_RUNNING;
}

int chat_status_of(const char *name)
{
    return index_of(name, chat_names, COUNT(chat_names));
}

int job_status_of(const char *name)
{
    return index_of(name, job_names, COUNT(job_names));
}

int step_status_of(const char *name)
{
    return index_of(name, step_names, COUNT(step_names));
}

int file_type_of(const char *name)
{
    return index_of(name, file_names, COUNT(file_names));
}
