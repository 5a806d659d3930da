#include "operations/row_set.h"

#include "operations/key_table.h"

#include <stdlib.h>

struct row_set {
    struct key_table *rows; /* without values */
    uint64_t memory_max;
    struct buf row; /* the row being looked up */
};

static enum err no_memory(size_t rows, uint64_t memory_max, struct fault *why)
{
    if (memory_max == 0)
        return fault_set(why, ERR_MEMORY, "Out of memory after %zu different rows", rows);
    return fault_set(why, ERR_MEMORY,
                     "Finding duplicates among more than %zu different rows needs more memory than a step may have "
                     "(workflow.step_memory_mb: %llu)",
                     rows, (unsigned long long)(memory_max >> 20));
}

enum err row_set_new(struct row_set **out, uint64_t memory_max, struct fault *why)
{
    struct row_set *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return no_memory(0, 0, why);
    self->memory_max = memory_max;
    self->row = BUF_INIT(memory_max != 0 && memory_max < SIZE_MAX ? (size_t)memory_max : SIZE_MAX / 4);
    if (key_table_new(&self->rows, memory_max) == ERR_OK)
        return ERR_OK;
    row_set_destroy(out);
    return no_memory(0, memory_max, why);
}

void row_set_destroy(struct row_set **self_p)
{
    struct row_set *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    key_table_destroy(&self->rows);
    buf_fini(&self->row);
    free(self);
}

uint64_t row_set_bytes(const struct row_set *self)
{
    return key_table_bytes(self->rows) + self->row.room;
}

enum err row_set_add(struct row_set *self, const struct cell *cell, uint32_t count, bool *added, struct fault *why)
{
    *added = false;
    enum err err = key_table_encode(cell, count, &self->row);
    if (err == ERR_OK)
        err = key_table_add(self->rows, self->row.data, self->row.len, NULL, 0, added);
    return err == ERR_OK ? ERR_OK : no_memory(key_table_count(self->rows), self->memory_max, why);
}
