/* What every file of the core does with its state: failing, remembering, saying, drawing. */
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

void core_fail(struct core *self, enum err err)
{
    if (self->err == ERR_OK)
        self->err = err;
}

void *core_alloc(struct core *self, size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        core_fail(self, ERR_MEMORY);
    return memory;
}

char *core_copy_text(struct core *self, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        core_fail(self, ERR_MEMORY);
    return copy;
}

const char *core_now_text(struct core *self)
{
    if (self->now_text[0] == '\0' || self->now_text_us != self->now.wall_us) {
        clock_rfc3339(self->now.wall_us, self->now_text);
        self->now_text_us = self->now.wall_us;
    }
    return self->now_text;
}

void core_change(struct core *self, const struct change *change)
{
    enum err err = changes_add(self->changes, change);
    if (err != ERR_OK)
        core_fail(self, err);
}

struct effect *core_effect(struct core *self, enum effect_kind kind)
{
    struct effect *effect = effects_add(self->effects, kind);
    if (!effect)
        core_fail(self, ERR_MEMORY);
    return effect;
}

/* Drawn in larger pieces than they are used in: the system's source is a system call. */
void core_random(struct core *self, void *out, size_t len)
{
    if (len > self->drawn_left) {
        self->random.fill(self->random.context, self->drawn, sizeof self->drawn);
        self->drawn_left = sizeof self->drawn;
    }
    self->drawn_left -= len;
    memcpy(out, self->drawn + self->drawn_left, len);
}

void core_hex(struct core *self, char *out, size_t digits)
{
    unsigned char bytes[ID_HEX_LEN / 2];
    core_random(self, bytes, digits / 2);
    id_write_hex(out, bytes, digits / 2);
}

void core_uuid(struct core *self, char out[ID_UUID_LEN + 1])
{
    unsigned char bytes[16];
    core_random(self, bytes, sizeof bytes);
    id_write_uuid4(out, bytes);
}
