/* plan - everything a step's process must know, as the worker hands it over: JSON in a memfd.
 *
 * The worker writes it; the step's process reads it, inside the sandbox, into a struct step_plan whose descriptors are
 * the fixed ones of zygote.h. Arguments are the user's and are parsed again there. */
#ifndef PLAN_H
#define PLAN_H

#include "process/zygote.h"

struct plan {
    const char *operation;
    const json_t *arguments; /* object */
    const char *input_name;
    const char *stem;      /* of the output's name */
    const char *name_base; /* output_name.h: the output's name without its ending */
    json_t *taken;         /* array of texts: names the output may not have */
    bool has_output, has_spool;
    const char *side_names[STEP_SIDES_MAX];
    size_t side_count;
    uint64_t output_bytes_max, memory_bytes_max;
    int64_t started_us;
    int excel_deflate_level;
    const char *excel_sheet_name; /* NULL = "Sheet1" */
    uint32_t excel_column_width_max;
    bool excel_info_sheet;
    bool backup_original;
    json_t *root; /* read plans: owns all texts above; written plans: NULL */
};

/* A descriptor at offset 0, the caller's. */
enum err plan_write(const struct plan *self, int *fd, struct fault *why) MUST_CHECK;
enum err plan_read(struct plan *out, int fd, struct fault *why) MUST_CHECK;
void plan_fini(struct plan *self);

#endif
