/* remove_duplicates: of the rows that have the same value in the column, the first stays. */
#include "operations/normalize/normalizer.h"
#include "operations/row_set.h"

struct duplicates {
    struct row_set *seen;
};

static enum err forget_rows(struct normalization *self, struct fault *why)
{
    struct duplicates *state = self->state;
    row_set_destroy(&state->seen);
    return row_set_new(&state->seen, allowance_rest(self->allowance), why);
}

static enum err is_first(struct normalization *self, const struct cell *in, bool *keep, struct fault *why)
{
    struct duplicates *state = self->state;
    return row_set_add(state->seen, in, 1, keep, why);
}

static void fini_duplicates(void *state)
{
    struct duplicates *self = state;
    row_set_destroy(&self->seen);
}

const struct normalizer remove_duplicates_normalizer = {
    .name = "remove_duplicates",
    .help = "rows whose cell in this column came before go, whatever their other cells are; empty is a value too",
    .makes = COLUMN_SAME,
    .state_size = sizeof(struct duplicates),
    .begin_pass = forget_rows,
    .keeps = is_first,
    .fini = fini_duplicates,
};
