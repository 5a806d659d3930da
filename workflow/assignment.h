/* assignment - the body of a JOB frame (wire/work_frame.h), checked: what a worker is asked to do. Used by one thread.
 */
#ifndef ASSIGNMENT_H
#define ASSIGNMENT_H

#include "wire/pack.h"

#include <jansson.h>

#define ASSIGNMENT_STEPS_MAX 1000
#define ASSIGNMENT_TEXT_MAX  512 /* place, step id, operation: longer is refused */

struct assignment_file {
    const char *name, *key;
};

struct assignment_step {
    const char *step_id, *operation;
    const json_t *arguments; /* object */
};

struct assignment {
    json_t *root; /* owns every text */
    const char *job_id, *chat_id, *place, *stem_of;
    int attempt;
    size_t first_step, step_count;
    struct assignment_file input;
    bool save_intermediate;
    json_t *taken; /* array of texts, may grow */
};

/* ERR_INVALID names what is missing or wrong. */
enum err assignment_read(struct assignment *out, struct bytes body, struct fault *why) MUST_CHECK;
void assignment_fini(struct assignment *self);

struct assignment_step assignment_step(const struct assignment *self, size_t index);
/* The chat's files that the step's operation reads beside its input, the newest of each name; at most max. They are
 * named by the arguments which the operation's table calls files; a name that no file has is left to the operation. An
 * argument that was not given means the newest uploaded file that is not the run's input. */
size_t assignment_sides(const struct assignment *self, size_t index, struct assignment_file *out, size_t max);

#endif
