#include "core/compose.h"

#include "json_text.h"

#include <string.h>

void compose_fini(struct compose *self)
{
    buf_fini(&self->buf);
}

enum err compose_give(struct compose *self, struct buf *to)
{
    if (self->err == ERR_OK) {
        *to = self->buf;
        *self = COMPOSE_INIT;
    }
    compose_fini(self);
    return self->err;
}

static void note(struct compose *self, enum err err)
{
    if (self->err == ERR_OK)
        self->err = err;
}

void compose_plain(struct compose *self, const char *text)
{
    note(self, buf_add_text(&self->buf, text));
}

void compose_string(struct compose *self, const char *text)
{
    note(self, json_text_string(&self->buf, text, strlen(text)));
}

void compose_text(struct compose *self, const char *key, const char *value)
{
    note(self, json_text_member(&self->buf, key, value));
}

void compose_text_or_null(struct compose *self, const char *key, const char *value)
{
    if (value && value[0])
        compose_text(self, key, value);
    else
        compose_raw(self, key, "");
}

void compose_int(struct compose *self, const char *key, int64_t value)
{
    note(self, json_text_member_int(&self->buf, key, value));
}

void compose_raw(struct compose *self, const char *key, const char *json)
{
    const char *value = json && json[0] ? json : "null";
    note(self, json_text_member_raw(&self->buf, key, value, strlen(value)));
}
