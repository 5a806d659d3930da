#include "operations/held_row.h"

#include <stdlib.h>

static bool has_text(const struct cell *cell)
{
    return cell->kind == CELL_TEXT || cell->kind == CELL_ERROR;
}

enum err held_row_keep(struct held_row *out, const struct cell *cell, uint32_t count, uint64_t memory_max,
                       struct fault *why)
{
    size_t len = 0;
    char *at;
    out->bytes = BUF_INIT(memory_max > 0 && memory_max < SIZE_MAX ? (size_t)memory_max : SIZE_MAX / 4);
    out->cell = calloc((size_t)count + 1, sizeof *out->cell);
    for (uint32_t i = 0; i < count; i++)
        len += has_text(&cell[i]) ? cell[i].len : 0;
    if (!out->cell || buf_extend(&out->bytes, len, &at) != ERR_OK)
        return fault_set(why, ERR_MEMORY,
                         "The first row needs more memory than a step may have (workflow.step_memory_mb)");
    for (uint32_t i = 0; i < count; i++) {
        out->cell[i] = cell[i];
        if (!has_text(&cell[i]) || cell[i].len == 0)
            continue;
        memcpy(at, cell[i].is.text, cell[i].len);
        out->cell[i].is.text = at;
        at += cell[i].len;
    }
    return ERR_OK;
}

void held_row_fini(struct held_row *self)
{
    free(self->cell);
    buf_fini(&self->bytes);
    *self = (struct held_row){.cell = NULL};
}
