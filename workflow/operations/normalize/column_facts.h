/* column_facts - what must be known of a whole column before its first cell can be normalized, gathered in a pass.
 * RANGE and MOMENTS take no memory; QUANTILES remembers every number, MODE every different value, out of the
 * allowance. Used by one thread. */
#ifndef COLUMN_FACTS_H
#define COLUMN_FACTS_H

#include "operations/allowance.h"
#include "table/cell.h"

enum fact_need {
    NEED_NOTHING,
    NEED_RANGE,     /* min, max */
    NEED_MOMENTS,   /* mean, deviation */
    NEED_QUANTILES, /* q1, median, q3 */
    NEED_MODE,      /* mode */
};

struct column_facts {
    uint64_t numbers; /* cells that are numbers (not counted for MODE) */
    double min, max;
    double mean, deviation; /* deviation of a sample (n - 1); NaN for fewer than two numbers */
    double q1, median, q3;  /* interpolated linearly */
    struct cell mode;       /* the smallest of the most frequent values; null when every cell is empty */
};

struct fact_finder;

enum err fact_finder_new(struct fact_finder **out, enum fact_need need, struct allowance *allowance,
                         struct fault *why) MUST_CHECK;
void fact_finder_destroy(struct fact_finder **self_p);
enum err fact_finder_add(struct fact_finder *self, const struct cell *cell, struct fault *why) MUST_CHECK;
/* Once, at the end; the mode's text lives as long as the finder. Memory that is no longer needed is given back. */
void fact_finder_finish(struct fact_finder *self, struct column_facts *out);

#endif
