#include "assignment.h"

#include "operations/operation.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && strlen(text) <= ASSIGNMENT_TEXT_MAX ? text : NULL;
}

static enum err check_steps(const struct assignment *self, struct fault *why)
{
    if (self->step_count > ASSIGNMENT_STEPS_MAX)
        return fault_set(why, ERR_INVALID, "a job of %zu steps", self->step_count);
    if (self->first_step >= self->step_count)
        return fault_set(why, ERR_INVALID, "a job of %zu steps cannot start at step %zu", self->step_count,
                         self->first_step);
    for (size_t i = 0; i < self->step_count; i++) {
        struct assignment_step step = assignment_step(self, i);
        if (!step.step_id || !step.operation || !json_is_object(step.arguments))
            return fault_set(why, ERR_INVALID, "step %zu of a job is incomplete", i);
    }
    return ERR_OK;
}

static bool read_texts(struct assignment *out)
{
    const json_t *input = json_object_get(out->root, "input");
    out->job_id = text_of(out->root, "job_id");
    out->chat_id = text_of(out->root, "chat_id");
    out->place = text_of(out->root, "place");
    out->stem_of = text_of(out->root, "stem_of");
    out->input.name = text_of(input, "name");
    out->input.key = text_of(input, "key");
    return out->job_id && out->chat_id && out->place && out->stem_of && out->input.name && out->input.key;
}

enum err assignment_read(struct assignment *out, struct bytes body, struct fault *why)
{
    json_error_t where;
    *out = (struct assignment){.root = json_loadb(body.at, body.len, 0, &where)};
    if (!json_is_object(out->root))
        return fault_set(why, ERR_INVALID, "a job is not a JSON object: %s", where.text);
    if (!read_texts(out))
        return fault_set(why, ERR_INVALID, "a job lacks one of its texts");
    json_int_t first = json_integer_value(json_object_get(out->root, "first_step"));
    out->first_step = first < 0 ? SIZE_MAX : (size_t)first;
    out->attempt = (int)json_integer_value(json_object_get(out->root, "attempt"));
    out->step_count = json_array_size(json_object_get(out->root, "steps"));
    out->save_intermediate = json_is_true(json_object_get(out->root, "save_intermediate"));
    const json_t *taken = json_object_get(out->root, "taken");
    out->taken = json_is_array(taken) ? json_copy((json_t *)(uintptr_t)taken) : json_array();
    if (!out->taken)
        return fault_set(why, ERR_MEMORY, "no memory for a job");
    return check_steps(out, why);
}

void assignment_fini(struct assignment *self)
{
    json_decref(self->taken);
    json_decref(self->root);
    *self = (struct assignment){.root = NULL};
}

struct assignment_step assignment_step(const struct assignment *self, size_t index)
{
    const json_t *step = json_array_get(json_object_get(self->root, "steps"), index);
    return (struct assignment_step){.step_id = text_of(step, "step_id"),
                                    .operation = text_of(step, "operation"),
                                    .arguments = json_object_get(step, "arguments")};
}

static bool known(const struct assignment_file *files, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(files[i].name, name) == 0)
            return true;
    return false;
}

/* The newest of the name, or without one, of those beside the run's input; they come in the order of their uploads. */
static struct assignment_file find_file(const struct assignment *self, const char *name)
{
    const json_t *files = json_object_get(self->root, "files");
    for (size_t i = json_array_size(files); i-- > 0;) {
        const json_t *file = json_array_get(files, i);
        struct assignment_file found = {.name = text_of(file, "name"), .key = text_of(file, "key")};
        bool fits =
            name[0] ? found.name && strcmp(found.name, name) == 0 : json_is_true(json_object_get(file, "beside_input"));
        if (found.name && found.key && fits)
            return found;
    }
    return (struct assignment_file){.name = NULL};
}

size_t assignment_sides(const struct assignment *self, size_t index, struct assignment_file *out, size_t max)
{
    size_t count = 0;
    struct assignment_step step = assignment_step(self, index);
    const struct operation *operation = operation_find(step.operation);
    for (const struct argument *row = operation ? operation->arguments : NULL; row && row->name && count < max; row++) {
        if (row->type != ARGUMENT_FILE)
            continue;
        const json_t *given = argument_find(row, step.arguments);
        const char *text = given ? json_string_value(given) : "";
        const char *name = text ? argument_file_name(text) : NULL;
        struct assignment_file found = {.name = NULL};
        if (name && (name[0] || !text[0])) /* a path that ends in a slash names no file */
            found = find_file(self, name);
        if (found.name && !known(out, count, found.name))
            out[count++] = found;
    }
    return count;
}
