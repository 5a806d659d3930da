/* row_words - the enums of the record's rows and the words for them: in its columns, in dumps and in what clients read.
 * Any thread. */
#ifndef ROW_WORDS_H
#define ROW_WORDS_H

#include <stdbool.h>

enum chat_status { CHAT_CREATED, CHAT_PROCESSING, CHAT_COMPLETED, CHAT_FAILED };
enum job_status { JOB_PENDING, JOB_RUNNING, JOB_COMPLETED, JOB_FAILED, JOB_CANCELLED };
enum step_status { STEP_PENDING, STEP_RUNNING, STEP_COMPLETED, STEP_FAILED };
enum file_type {
    FILE_UPLOADED,
    FILE_OUTPUT,
    FILE_INTERMEDIATE,
    FILE_RESULT, /* a member of a step's result that is too large for an event; not listed */
};

const char *chat_status_name(enum chat_status status); /* "created" ... */
const char *job_status_name(enum job_status status);
const char *step_status_name(enum step_status status);
const char *file_type_name(enum file_type type);   /* "uploaded" ... */
const char *file_type_folder(enum file_type type); /* of the path that clients see: "uploads" ... */

bool job_status_final(enum job_status status);

/* The enum's number for its word; -1 = there is no such word. */
int chat_status_of(const char *name);
int job_status_of(const char *name);
int step_status_of(const char *name);
int file_type_of(const char *name);

#endif
