#include "operations/condition.h"

#include "operations/arguments.h"
#include "operations/decimal.h"
#include "operations/fold.h"
#include "table/date_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum value_kind { VALUE_NONE, VALUE_TEXT, VALUE_FOLDED, VALUE_NUMBER, VALUE_RANGE, VALUE_DATE };

struct text {
    char *bytes; /* owned */
    size_t len;
};

struct condition {
    const struct operator_row *how;
    struct text column;
    uint32_t index;
    struct text value;   /* as compared: folded where the operator ignores case */
    struct text upper;   /* the second bound of a range */
    struct decimal low;  /* borrows from value */
    struct decimal high; /* borrows from upper */
    int64_t date_us;
    bool never; /* the value is no number or date where one is needed: matches nothing */
};

struct conditions {
    bool any;
    struct fold_room room;
    size_t count;
    struct condition item[];
};

/* `text` is the cell as text: "" for an empty cell and for an error value. */
struct operator_row {
    const char *name;
    const char *short_name; /* what an existing front end offers for it, or NULL */
    enum value_kind value;
    bool (*match)(const struct condition *self, const char *text, size_t len, struct fold_room *room);
    bool negated;
};

static bool match_equal(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    return len == self->value.len && memcmp(text, self->value.bytes, len) == 0;
}

static bool match_part(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    const char *folded;
    if (!fold_text(room, text, len, &folded, &len))
        return false;
    return memmem(folded, len, self->value.bytes, self->value.len) != NULL;
}

static bool match_start(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    return len >= self->value.len && memcmp(text, self->value.bytes, self->value.len) == 0;
}

static bool match_end(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    size_t tail = self->value.len;
    return len >= tail && memcmp(text + (len - tail), self->value.bytes, tail) == 0;
}

static bool match_empty(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)self, (void)text, (void)room;
    return len == 0;
}

static bool match_greater(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    struct decimal cell;
    return decimal_parse(text, len, &cell) && decimal_compare(&cell, &self->low) > 0;
}

static bool match_at_least(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    struct decimal cell;
    return decimal_parse(text, len, &cell) && decimal_compare(&cell, &self->low) >= 0;
}

static bool match_less(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    struct decimal cell;
    return decimal_parse(text, len, &cell) && decimal_compare(&cell, &self->low) < 0;
}

static bool match_at_most(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    struct decimal cell;
    return decimal_parse(text, len, &cell) && decimal_compare(&cell, &self->low) <= 0;
}

static bool match_between(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    struct decimal cell;
    return decimal_parse(text, len, &cell) && decimal_compare(&cell, &self->low) >= 0 &&
           decimal_compare(&cell, &self->high) <= 0;
}

static bool match_before(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    int64_t cell_us;
    return date_parse(text, len, &cell_us) && cell_us < self->date_us;
}

static bool match_after(const struct condition *self, const char *text, size_t len, struct fold_room *room)
{
    (void)room;
    int64_t cell_us;
    return date_parse(text, len, &cell_us) && cell_us > self->date_us;
}

static const struct operator_row operator_table[] = {
    {"equals", "eq", VALUE_TEXT, match_equal, false},
    {"not_equals", "ne", VALUE_TEXT, match_equal, true},
    {"contains", NULL, VALUE_FOLDED, match_part, false},
    {"not_contains", NULL, VALUE_FOLDED, match_part, true},
    {"starts_with", "startswith", VALUE_TEXT, match_start, false},
    {"ends_with", "endswith", VALUE_TEXT, match_end, false},
    {"is_empty", NULL, VALUE_NONE, match_empty, false},
    {"is_not_empty", NULL, VALUE_NONE, match_empty, true},
    {"greater_than", "gt", VALUE_NUMBER, match_greater, false},
    {"greater_than_or_equal", "gte", VALUE_NUMBER, match_at_least, false},
    {"less_than", "lt", VALUE_NUMBER, match_less, false},
    {"less_than_or_equal", "lte", VALUE_NUMBER, match_at_most, false},
    {"between", NULL, VALUE_RANGE, match_between, false},
    {"before", NULL, VALUE_DATE, match_before, false},
    {"after", NULL, VALUE_DATE, match_after, false},
};

#define OPERATORS (sizeof operator_table / sizeof *operator_table)

const char *condition_operator_name(size_t i)
{
    return i < OPERATORS ? operator_table[i].name : NULL;
}

static const struct operator_row *find_operator(const char *name)
{
    for (size_t i = 0; i < OPERATORS; i++) {
        const struct operator_row *row = &operator_table[i];
        if (strcasecmp(row->name, name) == 0 || (row->short_name && strcasecmp(row->short_name, name) == 0))
            return row;
    }
    return NULL;
}

static enum err keep_text(struct text *out, const char *bytes, size_t len, struct fault *why)
{
    free(out->bytes);
    out->bytes = malloc(len + 1);
    if (!out->bytes)
        return fault_set(why, ERR_MEMORY, "Out of memory while reading the search conditions");
    if (len > 0)
        memcpy(out->bytes, bytes, len);
    out->bytes[len] = '\0';
    out->len = len;
    return ERR_OK;
}

/* ERR_INVALID without a text: the value is missing, null, a list or an object. */
static enum err keep_value(struct text *out, const json_t *value, struct fault *why)
{
    struct cell cell;
    if (!value || json_is_null(value) || !argument_cell(value, &cell))
        return ERR_INVALID;
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(&cell, space, &len);
    return keep_text(out, text, len, why);
}

/* JSON true is the number 1 beside numbers, but the text `True` beside texts. Null is no number, as an empty text is.
 */
static enum err keep_number(struct text *out, struct decimal *number, const json_t *value, bool *never,
                            struct fault *why)
{
    if (!value || json_is_null(value)) {
        *never = true;
        return ERR_OK;
    }
    enum err err =
        json_is_boolean(value) ? keep_text(out, json_is_true(value) ? "1" : "0", 1, why) : keep_value(out, value, why);
    if (err == ERR_OK && !decimal_parse(out->bytes, out->len, number))
        *never = true;
    return err;
}

static enum err keep_range(struct condition *self, const json_t *value, struct fault *why)
{
    enum err err = ERR_INVALID;
    if (json_is_array(value) && json_array_size(value) == 2)
        err = keep_number(&self->value, &self->low, json_array_get(value, 0), &self->never, why);
    if (err == ERR_OK)
        err = keep_number(&self->upper, &self->high, json_array_get(value, 1), &self->never, why);
    if (err == ERR_INVALID)
        fault_set(why, err, "For 'between' operator, value must be a list with [min, max]");
    return err;
}

static enum err keep_folded(struct condition *self, const json_t *value, struct fold_room *room, struct fault *why)
{
    enum err err = keep_value(&self->value, value, why);
    if (err != ERR_OK)
        return err;
    const char *folded;
    size_t len;
    if (!fold_text(room, self->value.bytes, self->value.len, &folded, &len))
        return fault_set(why, ERR_MEMORY, "Out of memory while reading the search conditions");
    return keep_text(&self->value, folded, len, why);
}

static enum err prepare_value(struct condition *self, const json_t *value, struct fold_room *room, struct fault *why)
{
    enum err err = ERR_OK;
    switch (self->how->value) {
    case VALUE_NONE: return ERR_OK;
    case VALUE_RANGE: return keep_range(self, value, why);
    case VALUE_TEXT: err = keep_value(&self->value, value, why); break;
    case VALUE_FOLDED: err = keep_folded(self, value, room, why); break;
    case VALUE_NUMBER: err = keep_number(&self->value, &self->low, value, &self->never, why); break;
    case VALUE_DATE:
        err = keep_value(&self->value, value, why);
        if (err == ERR_OK)
            self->never = !date_parse(self->value.bytes, self->value.len, &self->date_us);
        break;
    }
    if (err == ERR_INVALID)
        fault_set(why, err, "For '%s' operator, value must be a text, a number, true or false", self->how->name);
    return err;
}

static enum err parse(struct condition *self, const json_t *given, size_t number, struct fold_room *room,
                      struct fault *why)
{
    enum err err = keep_value(&self->column, json_object_get(given, "column"), why);
    if (err == ERR_INVALID)
        return fault_set(why, err, "Search condition %zu needs a 'column'", number);
    if (err != ERR_OK)
        return err;
    const char *operator_name = json_string_value(json_object_get(given, "operator"));
    if (!operator_name)
        return fault_set(why, ERR_INVALID, "Search condition %zu needs an 'operator'", number);
    self->how = find_operator(operator_name);
    if (!self->how)
        return fault_set(why, ERR_INVALID, "Unsupported operator: %s", operator_name);
    return prepare_value(self, json_object_get(given, "value"), room, why);
}

enum err conditions_new(struct conditions **out, const json_t *list, bool any, struct fault *why)
{
    *out = NULL;
    size_t count = json_array_size(list);
    if (count == 0)
        return fault_set(why, ERR_INVALID, "At least one search condition is required");
    if (count > CONDITIONS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "%zu search conditions; %d are allowed", count, CONDITIONS_MAX);
    struct conditions *self = calloc(1, sizeof *self + count * sizeof *self->item);
    if (!self)
        return fault_set(why, ERR_MEMORY, "Out of memory while reading the search conditions");
    self->any = any;
    self->count = count;
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = parse(&self->item[i], json_array_get(list, i), i + 1, &self->room, why);
    if (err != ERR_OK)
        conditions_destroy(&self);
    *out = self;
    return err;
}

void conditions_destroy(struct conditions **self_p)
{
    struct conditions *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        free(self->item[i].column.bytes);
        free(self->item[i].value.bytes);
        free(self->item[i].upper.bytes);
    }
    fold_room_fini(&self->room);
    free(self);
}

enum err conditions_bind(struct conditions *self, const struct columns *columns, struct fault *why)
{
    for (size_t i = 0; i < self->count; i++) {
        struct condition *item = &self->item[i];
        int64_t index = columns_find(columns, item->column.bytes, item->column.len);
        if (index < 0)
            return fault_set(why, ERR_INVALID, "Column '%s' not found in data", item->column.bytes);
        item->index = (uint32_t)index;
    }
    return ERR_OK;
}

static bool item_matches(const struct condition *item, const struct row *row, struct fold_room *room)
{
    if (item->never)
        return false;
    char space[CELL_NUMBER_MAX];
    size_t len;
    assert(item->index < row->count);
    const char *text = cell_as_text(&row->cell[item->index], space, &len);
    return item->how->match(item, text, len, room) != item->how->negated;
}

enum err conditions_match(struct conditions *self, const struct row *row, bool *matches, struct fault *why)
{
    *matches = !self->any;
    for (size_t i = 0; i < self->count && *matches != self->any; i++)
        *matches = item_matches(&self->item[i], row, &self->room);
    if (self->room.failed)
        return fault_set(why, ERR_MEMORY, "Out of memory while comparing row %llu", (unsigned long long)row->number);
    return ERR_OK;
}
