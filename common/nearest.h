/* nearest - "did you mean ...?": the known word with the smallest edit distance (insert, remove, replace and swap of
 * neighbours count one each) to what somebody typed. Any thread, no allocation. */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

#define NEAREST_WORD_MAX 127 /* longer words are compared by their first bytes */

struct nearest {
    const char *typed;
    const char *best; /* borrowed from the candidates; NULL before the first */
    size_t distance;  /* of best */
};

#define NEAREST_INIT(text) ((struct nearest){.typed = (text), .best = NULL, .distance = 0})

/* Considers one candidate; the first of equals stays. */
void nearest_offer(struct nearest *self, const char *candidate);
size_t nearest_distance(const char *a, const char *b);

#endif
