#include "operations/column_pick.h"

#include "buf.h"

#include <stdlib.h>

static enum err no_memory(struct fault *why)
{
    return fault_set(why, ERR_MEMORY, "Out of memory while choosing columns");
}

/* All that is missing is named at once. */
static enum err offer(struct column_pick *self, const struct arguments *given, const struct columns *in,
                      struct fault *why)
{
    self->offered_count = (uint32_t)arguments_count(given, "columns");
    self->offered = calloc(self->offered_count + 1, sizeof *self->offered);
    if (!self->offered)
        return no_memory(why);
    struct buf missing = BUF_INIT(FAULT_TEXT_MAX);
    enum err full = ERR_OK;
    for (uint32_t i = 0; i < self->offered_count; i++) {
        const char *name = arguments_item(given, "columns", i);
        int64_t index = columns_find(in, name, strlen(name));
        self->offered[i] = index < 0 ? 0 : (uint32_t)index;
        if (index < 0 && full == ERR_OK)
            full = buf_printf(&missing, "%s'%s'", missing.len ? ", " : "", name);
    }
    bool found = missing.len == 0 && full == ERR_OK;
    if (!found)
        fault_set(why, ERR_INVALID, "\"[%s] not in index\"", buf_text(&missing));
    buf_fini(&missing);
    return found ? ERR_OK : ERR_INVALID;
}

static bool is_offered(const struct column_pick *self, int64_t index)
{
    for (uint32_t i = 0; i < self->offered_count; i++)
        if (self->offered[i] == index)
            return true;
    return self->offered_count == 0;
}

static enum err pick_mapped(struct column_pick *self, json_t *mapping, const struct columns *in, struct fault *why)
{
    struct buf missing = BUF_INIT(FAULT_TEXT_MAX);
    const char *name;
    size_t len;
    json_t *column;
    enum err err = ERR_OK, full = ERR_OK;
    json_object_keylen_foreach(mapping, name, len, column)
    {
        struct cell cell;
        char space[CELL_NUMBER_MAX];
        size_t column_len;
        if (json_is_null(column) || !argument_cell(column, &cell)) {
            err = fault_set(why, ERR_INVALID, "The column of '%s' in 'column_mapping' must be a text", name);
            break;
        }
        const char *column_name = cell_as_text(&cell, space, &column_len);
        int64_t index = columns_find(in, column_name, column_len);
        if ((index < 0 || !is_offered(self, index)) && full == ERR_OK)
            full = buf_printf(&missing, "%s%.*s", missing.len ? ", " : "", (int)column_len, column_name);
        self->item[self->count++] = (struct picked){.name = name, .len = len, .index = index < 0 ? 0 : (uint32_t)index};
    }
    if (err == ERR_OK && (missing.len > 0 || full != ERR_OK))
        err = fault_set(why, ERR_INVALID, "Columns not found in data: %s", buf_text(&missing));
    buf_fini(&missing);
    return err;
}

static void pick_plainly(struct column_pick *self, const struct columns *in)
{
    uint32_t count = self->offered_count > 0 ? self->offered_count : in->count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = self->offered_count > 0 ? self->offered[i] : i;
        const struct cell *name = &in->name[index];
        if (!column_pick_find(self, name->is.text, name->len))
            self->item[self->count++] = (struct picked){.name = name->is.text, .len = name->len, .index = index};
    }
}

enum err column_pick_make(struct column_pick *out, const struct arguments *given, const struct columns *in,
                          struct fault *why)
{
    *out = (struct column_pick){.count = 0};
    json_t *mapping = arguments_get(given, "column_mapping");
    enum err err = offer(out, given, in, why);
    size_t room = json_object_size(mapping) + out->offered_count + in->count + 1;
    if (err == ERR_OK && !(out->item = calloc(room, sizeof *out->item)))
        err = no_memory(why);
    if (err == ERR_OK && json_object_size(mapping) > 0)
        err = pick_mapped(out, mapping, in, why);
    else if (err == ERR_OK)
        pick_plainly(out, in);
    if (err != ERR_OK)
        column_pick_fini(out);
    return err;
}

void column_pick_fini(struct column_pick *self)
{
    free(self->item);
    free(self->offered);
    *self = (struct column_pick){.count = 0};
}

const struct picked *column_pick_find(const struct column_pick *self, const char *name, size_t len)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->item[i].len == len && memcmp(self->item[i].name, name, len) == 0)
            return &self->item[i];
    return NULL;
}
