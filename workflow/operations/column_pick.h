/* column_pick - which columns an operation that writes text uses, and what it calls them: the arguments `columns` (the
 * columns that may be used; empty: all) and `column_mapping` (name: column; empty: every usable column under its own
 * name). The texts of its faults are those existing clients know. */
#ifndef COLUMN_PICK_H
#define COLUMN_PICK_H

#include "operations/arguments.h"

struct column_pick {
    uint32_t count;
    struct picked {
        const char *name; /* borrowed from the arguments or the columns */
        size_t len;
        uint32_t index; /* of the column */
    } * item;
    uint32_t offered_count; /* of `columns`, in the order asked for; 0 when all may be used */
    uint32_t *offered;
};

/* Without a mapping the columns are taken under their own names. */
enum err column_pick_make(struct column_pick *out, const struct arguments *given, const struct columns *in,
                          struct fault *why) MUST_CHECK;
void column_pick_fini(struct column_pick *self);

const struct picked *column_pick_find(const struct column_pick *self, const char *name, size_t len); /* or NULL */

#endif
