#include "operations/normalize/column_facts.h"

#include "operations/normalize/normalizer.h"
#include "strmap.h"

#include <math.h>
#include <stdlib.h>

#define FIRST_NUMBERS  1024
#define ENTRY_OVERHEAD 96 /* bytes a map and two allocations need beside a value's text */

/* A different value and how often it came. */
struct tally {
    uint64_t count;
    struct cell cell; /* its text, if any, follows */
    char text[];
};

struct fact_finder {
    enum fact_need need;
    struct allowance *allowance;
    uint64_t count, taken;
    double min, max, mean, squares; /* squares: sum of squared distances from the mean (Welford) */
    double *number;
    size_t room;
    struct strmap *tallies;
    struct tally *best; /* after finish(): kept for its text */
};

static enum err no_memory(const struct fact_finder *self, const char *what, uint64_t count, struct fault *why)
{
    if (self->allowance->max == 0)
        return fault_set(why, ERR_MEMORY, "Out of memory after %llu values", (unsigned long long)count);
    return fault_set(why, ERR_MEMORY,
                     "Finding %s of more than %llu values needs more memory than a step may have "
                     "(workflow.step_memory_mb: %llu)",
                     what, (unsigned long long)count, (unsigned long long)(self->allowance->max >> 20));
}

enum err fact_finder_new(struct fact_finder **out, enum fact_need need, struct allowance *allowance, struct fault *why)
{
    struct fact_finder *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "Out of memory before the first row");
    self->need = need;
    self->allowance = allowance;
    self->min = INFINITY;
    self->max = -INFINITY;
    if (need == NEED_MODE && strmap_new(&self->tallies) != ERR_OK)
        return fault_set(why, ERR_MEMORY, "Out of memory before the first row");
    return ERR_OK;
}

static void forget_tallies(struct fact_finder *self)
{
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (self->tallies && strmap_next(self->tallies, &cursor, &key, &len, &value))
        if (value != self->best)
            free(value);
    strmap_destroy(&self->tallies);
}

static void forget(struct fact_finder *self)
{
    free(self->number);
    self->number = NULL;
    forget_tallies(self);
    allowance_give_back(self->allowance, self->taken);
    self->taken = 0;
}

void fact_finder_destroy(struct fact_finder **self_p)
{
    struct fact_finder *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    forget(self);
    free(self->best);
    free(self);
}

static bool take(struct fact_finder *self, uint64_t bytes)
{
    if (!allowance_take(self->allowance, bytes))
        return false;
    self->taken += bytes;
    return true;
}

/* Sorting needs as much again, so twice the room is taken. */
static enum err keep_number(struct fact_finder *self, double value, struct fault *why)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : FIRST_NUMBERS;
        uint64_t more = 2 * (room - self->room) * sizeof *self->number;
        double *grown = take(self, more) ? realloc(self->number, room * sizeof *grown) : NULL;
        if (!grown)
            return no_memory(self, "the quartiles", self->count, why);
        self->number = grown;
        self->room = room;
    }
    self->number[self->count++] = value;
    return ERR_OK;
}

static void add_moments(struct fact_finder *self, double value)
{
    double distance = value - self->mean;
    self->count++;
    self->mean += distance / (double)self->count;
    self->squares += distance * (value - self->mean);
}

static enum err add_number(struct fact_finder *self, const struct cell *cell, struct fault *why)
{
    struct cell number = cell_as_number(cell);
    if (cell_is_null(&number))
        return ERR_OK;
    double value = number.kind == CELL_INTEGER ? (double)number.is.integer : number.is.real;
    switch (self->need) {
    case NEED_RANGE:
        self->count++;
        self->min = value < self->min ? value : self->min;
        self->max = value > self->max ? value : self->max;
        break;
    case NEED_MOMENTS: add_moments(self, value); break;
    case NEED_QUANTILES: return keep_number(self, value, why);
    case NEED_NOTHING:
    case NEED_MODE: break;
    }
    return ERR_OK;
}

static enum err add_tally(struct fact_finder *self, const struct cell *cell, struct fault *why)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(cell, space, &len);
    if (len == 0)
        return ERR_OK;
    struct tally *tally = strmap_get(self->tallies, text, len);
    if (!tally) {
        size_t size = sizeof *tally + len;
        tally = take(self, size + len + ENTRY_OVERHEAD) ? calloc(1, size) : NULL;
        if (!tally || strmap_put(self->tallies, text, len, tally, NULL) != ERR_OK) {
            free(tally);
            return no_memory(self, "the most frequent", strmap_count(self->tallies), why);
        }
        memcpy(tally->text, text, len);
        tally->cell = *cell;
        if (cell->kind == CELL_TEXT)
            tally->cell.is.text = tally->text;
    }
    tally->count++;
    return ERR_OK;
}

enum err fact_finder_add(struct fact_finder *self, const struct cell *cell, struct fault *why)
{
    return self->need == NEED_MODE ? add_tally(self, cell, why) : add_number(self, cell, why);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const struct fact_finder *self, double share)
{
    double place = share * (double)(self->count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < self->count ? below + 1 : below;
    return self->number[below] + (self->number[above] - self->number[below]) * (place - (double)below);
}

static bool is_number(const struct cell *cell)
{
    return cell->kind == CELL_INTEGER || cell->kind == CELL_REAL;
}

/* Numbers by value, before anything else; texts byte by byte, which is the order of their code points. */
static bool comes_before(const struct cell *a, const struct cell *b)
{
    if (is_number(a) && is_number(b)) {
        double x = a->kind == CELL_REAL ? a->is.real : (double)a->is.integer;
        double y = b->kind == CELL_REAL ? b->is.real : (double)b->is.integer;
        return x < y;
    }
    if (is_number(a) != is_number(b))
        return is_number(a);
    char spaces[2][CELL_NUMBER_MAX];
    size_t a_len, b_len;
    const char *a_text = cell_as_text(a, spaces[0], &a_len), *b_text = cell_as_text(b, spaces[1], &b_len);
    int order = memcmp(a_text, b_text, a_len < b_len ? a_len : b_len);
    return order < 0 || (order == 0 && a_len < b_len);
}

static void find_best(struct fact_finder *self)
{
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (strmap_next(self->tallies, &cursor, &key, &len, &value)) {
        struct tally *tally = value;
        if (!self->best || tally->count > self->best->count ||
            (tally->count == self->best->count && comes_before(&tally->cell, &self->best->cell)))
            self->best = tally;
    }
}

void fact_finder_finish(struct fact_finder *self, struct column_facts *out)
{
    *out = (struct column_facts){.numbers = self->count, .min = self->min, .max = self->max, .mode = cell_null()};
    out->mean = self->mean;
    out->deviation = self->count > 1 ? sqrt(self->squares / (double)(self->count - 1)) : NAN;
    if (self->need == NEED_QUANTILES && self->count > 0) {
        qsort(self->number, self->count, sizeof *self->number, by_value);
        out->q1 = quantile(self, 0.25);
        out->median = quantile(self, 0.5);
        out->q3 = quantile(self, 0.75);
    }
    if (self->need == NEED_MODE) {
        find_best(self);
        if (self->best)
            out->mode = self->best->cell;
    }
    forget(self);
}
