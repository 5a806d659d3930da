#include "operations/normalize/column_stats.h"

void column_stats_init(struct column_stats *self, struct allowance *allowance)
{
    *self = (struct column_stats){.total = 0};
    fingerprints_init(&self->unique, allowance);
}

void column_stats_fini(struct column_stats *self)
{
    fingerprints_fini(&self->unique);
}

void column_stats_add(struct column_stats *self, const struct cell *cell)
{
    self->total++;
    self->nulls += cell->kind == CELL_ERROR;
    self->integers += cell->kind == CELL_INTEGER;
    self->numbers += cell->kind == CELL_INTEGER || cell->kind == CELL_REAL;
    self->truths += cell->kind == CELL_TRUTH;
    if (cell->kind != CELL_ERROR)
        fingerprints_add(&self->unique, cell);
}

static const char *number_type(const struct column_stats *self)
{
    return self->integers == self->total ? "int64" : "float64";
}

static const char *content_type(const struct column_stats *self)
{
    if (self->total > 0 && self->truths == self->total)
        return "bool";
    if (self->numbers > 0 && self->numbers + self->nulls == self->total)
        return number_type(self);
    return "object";
}

/* Statistics of an empty column come out as floating point, but rounding or converting no numbers makes integers. */
const char *column_stats_type(const struct column_stats *self, const struct normalizer *how, const char *before)
{
    const char *content = content_type(self);
    switch (how->makes) {
    case COLUMN_OBJECT: break;
    case COLUMN_NUMBER: return self->total == 0 && how->need != NEED_NOTHING ? "float64" : number_type(self);
    case COLUMN_TRUTH: return "bool";
    case COLUMN_CONTENT: return content;
    case COLUMN_SAME:
        if (strcmp(before, "object") == 0 || self->nulls == self->total)
            return before;
        return strcmp(before, "float64") == 0 && strcmp(content, "int64") == 0 ? before : content;
    }
    return "object";
}

json_t *column_stats_json(struct column_stats *self, const char *type)
{
    int64_t unique = fingerprints_count(&self->unique);
    return json_pack("{s:I, s:I, s:o, s:s}", "total_values", (json_int_t)self->total, "null_count",
                     (json_int_t)self->nulls, "unique_count", unique < 0 ? json_null() : json_integer(unique),
                     "data_type", type);
}
