#include "table/cell.h"

#include "table/number_text.h"

#include <inttypes.h>
#include <stdio.h>

const char *cell_as_text(const struct cell *self, char space[CELL_NUMBER_MAX], size_t *len)
{
    switch (self->kind) {
    case CELL_EMPTY:
    case CELL_ERROR: break;
    case CELL_TEXT: *len = self->len; return self->is.text;
    case CELL_INTEGER: *len = (size_t)snprintf(space, CELL_NUMBER_MAX, "%" PRId64, self->is.integer); return space;
    case CELL_REAL: *len = number_repr(self->is.real, space); return space;
    case CELL_TRUTH: *len = self->is.truth ? 4 : 5; return self->is.truth ? "True" : "False";
    }
    *len = 0;
    return "";
}

int64_t columns_find(const struct columns *self, const char *name, size_t len)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->name[i].len == len && memcmp(self->name[i].is.text, name, len) == 0)
            return i;
    return -1;
}
