/* column_stats - what the report says of a column before and after a normalization. An empty cell is a value; null is
 * what cannot be one (an error value of a workbook, a text that was to be a number). Used by one thread. */
#ifndef COLUMN_STATS_H
#define COLUMN_STATS_H

#include "operations/fingerprints.h"
#include "operations/normalize/normalizer.h"

struct column_stats {
    uint64_t total, nulls, numbers, integers, truths;
    struct fingerprints unique;
};

void column_stats_init(struct column_stats *self, struct allowance *allowance);
void column_stats_fini(struct column_stats *self);
void column_stats_add(struct column_stats *self, const struct cell *cell);

/* The report's data_type after a normalization that made these cells of a column of type `before`. */
const char *column_stats_type(const struct column_stats *self, const struct normalizer *how, const char *before);
/* {total_values, null_count, unique_count, data_type}; unique_count is null when there was no memory to count. */
json_t *column_stats_json(struct column_stats *self, const char *type);

#endif
