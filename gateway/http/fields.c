#include "http/fields.h"

#include <stdlib.h>
#include <string.h>

void fields_fini(struct fields *self)
{
    free(self->at);
    *self = (struct fields){0};
}

enum err fields_add(struct fields *self, const struct field *field)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 16;
        struct field *at = realloc(self->at, room * sizeof *at);
        if (!at)
            return ERR_MEMORY;
        self->at = at;
        self->room = room;
    }
    self->at[self->count++] = *field;
    return ERR_OK;
}

const char *fields_find(const struct fields *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcasecmp(self->at[i].name, name) == 0)
            return self->at[i].value;
    return NULL;
}

size_t fields_count(const struct fields *self, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += strcasecmp(self->at[i].name, name) == 0;
    return count;
}

bool field_token_char(unsigned char c)
{
    return c > ' ' && c < 0x7F && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether the text up to `end` characters, blanks at both ends ignored, is the word. */
static bool is_word(const char *text, size_t len, const char *word)
{
    while (len > 0 && blank(*text)) {
        text++;
        len--;
    }
    while (len > 0 && blank(text[len - 1]))
        len--;
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

bool field_media_type_is(const char *value, const char *type)
{
    return is_word(value, strcspn(value, ";"), type);
}

bool field_list_has(const char *value, const char *token)
{
    for (;;) {
        size_t item = strcspn(value, ",");
        size_t word = strcspn(value, ";,");
        if (is_word(value, word, token))
            return true;
        if (value[item] == '\0')
            return false;
        value += item + 1;
    }
}
