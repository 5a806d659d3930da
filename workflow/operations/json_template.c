#include "operations/json_template.h"

#include "buf.h"
#include "operations/placeholder.h"

#include <stdlib.h>

enum part_kind {
    PART_BYTES, /* the same in every row */
    PART_VALUE, /* a JSON value */
    PART_TEXT,  /* inside quotes that are PART_BYTES */
};

struct part {
    enum part_kind kind;
    size_t from, len; /* of the bytes */
    bool mapped;
    uint32_t index; /* of the column, when mapped */
    struct placeholder placeholder;
};

struct json_template {
    struct buf bytes;
    size_t flushed; /* bytes that are parts already */
    size_t count, room;
    struct part *part;
};

struct reader {
    struct json_template *template;
    const struct column_pick *names;
    bool pretty;
};

/* --- reading: every function below returns ERR_FULL when memory ran out --- */

static enum err add_part(struct json_template *self, struct part part)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 16;
        struct part *grown = reallocarray(self->part, room, sizeof *grown);
        if (!grown)
            return ERR_FULL;
        self->part = grown;
        self->room = room;
    }
    self->part[self->count++] = part;
    return ERR_OK;
}

static enum err end_bytes(struct json_template *self)
{
    struct part part = {.kind = PART_BYTES, .from = self->flushed, .len = self->bytes.len - self->flushed};
    self->flushed = self->bytes.len;
    return part.len > 0 ? add_part(self, part) : ERR_OK;
}

static enum err add_placeholder(struct reader *self, enum part_kind kind, const struct placeholder *placeholder)
{
    const struct picked *picked = column_pick_find(self->names, placeholder->name, placeholder->name_len);
    struct part part = {
        .kind = kind, .mapped = picked != NULL, .index = picked ? picked->index : 0, .placeholder = *placeholder};
    enum err err = end_bytes(self->template);
    return err == ERR_OK ? add_part(self->template, part) : err;
}

/* JSON of a scalar, without the quotes when `bare`. */
static enum err add_scalar(struct reader *self, const json_t *value, bool bare)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    size_t len = text ? strlen(text) : 0;
    enum err err = text ? buf_add(&self->template->bytes, text + bare, len - 2 * (size_t)bare) : ERR_FULL;
    free(text);
    return err;
}

static enum err add_piece(struct reader *self, const char *text, size_t len)
{
    json_t *piece = json_stringn(text, len);
    enum err err = piece ? add_scalar(self, piece, true) : ERR_FULL;
    json_decref(piece);
    return err;
}

static enum err add_real(struct reader *self, double value)
{
    char text[CELL_NUMBER_MAX];
    return buf_add(&self->template->bytes, text, number_repr(value, text));
}

static enum err read_text(struct reader *self, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value), from = 0, used;
    struct placeholder placeholder;
    if (len > 0 && text[0] == '{' && placeholder_parse(text, len, &placeholder, &used) && used == len)
        return add_placeholder(self, PART_VALUE, &placeholder);
    enum err err = buf_add_byte(&self->template->bytes, '"');
    for (size_t at = 0; at < len && err == ERR_OK;) {
        if (text[at] != '{' || !placeholder_parse(text + at, len - at, &placeholder, &used)) {
            at++;
            continue;
        }
        err = add_piece(self, text + from, at - from);
        if (err == ERR_OK)
            err = add_placeholder(self, PART_TEXT, &placeholder);
        at += used;
        from = at;
    }
    if (err == ERR_OK)
        err = add_piece(self, text + from, len - from);
    return err == ERR_OK ? buf_add_byte(&self->template->bytes, '"') : err;
}

static enum err new_line(struct reader *self, unsigned depth)
{
    enum err err = buf_add_byte(&self->template->bytes, '\n');
    while (depth-- > 0 && err == ERR_OK)
        err = buf_add_text(&self->template->bytes, "  ");
    return err;
}

/* What stands before a member. */
static enum err next_member(struct reader *self, bool first, unsigned depth)
{
    enum err err = first ? ERR_OK : buf_add_text(&self->template->bytes, self->pretty ? "," : ", ");
    return err == ERR_OK && self->pretty ? new_line(self, depth) : err;
}

static enum err close_members(struct reader *self, bool any, unsigned depth, const char *bracket)
{
    enum err err = any && self->pretty ? new_line(self, depth) : ERR_OK;
    return err == ERR_OK ? buf_add_text(&self->template->bytes, bracket) : err;
}

static enum err read_value(struct reader *self, const json_t *value, unsigned depth);

static enum err read_object(struct reader *self, const json_t *object, unsigned depth)
{
    json_t *iterated = (json_t *)(uintptr_t)object; /* jansson iterates only over what is not const */
    const char *key;
    size_t len;
    json_t *member;
    bool first = true;
    enum err err = buf_add_text(&self->template->bytes, "{");
    json_object_keylen_foreach(iterated, key, len, member)
    {
        if (err == ERR_OK)
            err = next_member(self, first, depth + 1);
        if (err == ERR_OK)
            err = buf_add_text(&self->template->bytes, "\"");
        if (err == ERR_OK)
            err = add_piece(self, key, len);
        if (err == ERR_OK)
            err = buf_add_text(&self->template->bytes, "\": ");
        if (err == ERR_OK)
            err = read_value(self, member, depth + 1);
        first = false;
    }
    return err == ERR_OK ? close_members(self, !first, depth, "}") : err;
}

static enum err read_list(struct reader *self, const json_t *list, unsigned depth)
{
    size_t count = json_array_size(list);
    enum err err = buf_add_text(&self->template->bytes, "[");
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        err = next_member(self, i == 0, depth + 1);
        if (err == ERR_OK)
            err = read_value(self, json_array_get(list, i), depth + 1);
    }
    return err == ERR_OK ? close_members(self, count > 0, depth, "]") : err;
}

/* The depth is bounded by that of the JSON reader that made the tree. */
static enum err read_value(struct reader *self, const json_t *value, unsigned depth)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return read_object(self, value, depth);
    case JSON_ARRAY: return read_list(self, value, depth);
    case JSON_STRING: return read_text(self, value);
    case JSON_REAL: return add_real(self, json_real_value(value));
    case JSON_INTEGER:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL: return add_scalar(self, value, false);
    }
    return ERR_INTERNAL;
}

enum err json_template_new(struct json_template **out, const json_t *object, const struct column_pick *names,
                           bool pretty, unsigned depth, struct fault *why)
{
    struct json_template *self = calloc(1, sizeof *self);
    *out = self;
    enum err err = self ? ERR_OK : ERR_FULL;
    if (self) {
        self->bytes = BUF_INIT(SIZE_MAX / 4);
        struct reader reader = {.template = self, .names = names, .pretty = pretty};
        err = read_object(&reader, object, depth);
    }
    if (err == ERR_OK)
        err = end_bytes(self);
    if (err == ERR_OK)
        return ERR_OK;
    json_template_destroy(out);
    return fault_set(why, ERR_MEMORY, "Out of memory while reading the template");
}

void json_template_destroy(struct json_template **self_p)
{
    if (*self_p) {
        buf_fini(&(*self_p)->bytes);
        free((*self_p)->part);
    }
    free(*self_p);
    *self_p = NULL;
}

/* --- a row --- */

static enum err write_value(const struct part *part, const struct cell *cell, const struct json_stream *to,
                            struct fault *why)
{
    struct placeholder_value value;
    placeholder_value(&part->placeholder, cell, &value);
    if (part->kind == PART_TEXT)
        return json_stream_text(to, value.text, value.len, why);
    switch (value.kind) {
    case VALUE_NULL: return output_write(to->to, "null", 4, why);
    case VALUE_TEXT: return json_stream_string(to, value.text, value.len, why);
    case VALUE_NUMBER: return output_write(to->to, value.text, value.len, why);
    case VALUE_TRUTH: return output_write(to->to, value.truth ? "true" : "false", value.truth ? 4 : 5, why);
    }
    return ERR_INTERNAL;
}

enum err json_template_write(const struct json_template *self, const struct cell *cell, const struct json_stream *to,
                             struct fault *why)
{
    const struct cell nothing = {.kind = CELL_ERROR}; /* a name that is not mapped is null, as an error value is */
    enum err err = ERR_OK;
    for (size_t i = 0; i < self->count && err == ERR_OK; i++) {
        const struct part *part = &self->part[i];
        if (part->kind == PART_BYTES)
            err = output_write(to->to, self->bytes.data + part->from, part->len, why);
        else
            err = write_value(part, part->mapped ? &cell[part->index] : &nothing, to, why);
    }
    return err;
}
