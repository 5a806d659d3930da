/* The input is a JSON list of conditions, a NUL byte, and the text of a cell. */
#include "operations/condition.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match(struct conditions *self, const char *text, size_t len)
{
    static const struct cell names[] = {{.kind = CELL_TEXT, .len = 1, .is.text = "a"},
                                        {.kind = CELL_TEXT, .len = 1, .is.text = "b"}};
    static const struct columns columns = {.count = 2, .name = names};
    const struct cell cells[] = {cell_text(text, len), cell_text(text, len / 2)};
    const struct row row = {.number = 1, .count = 2, .cell = cells};
    bool matches;
    if (conditions_bind(self, &columns, NULL) == ERR_OK && conditions_match(self, &row, &matches, NULL) != ERR_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *json = (const char *)data;
    size_t json_len = strnlen(json, size);
    size_t text_at = json_len < size ? json_len + 1 : size;
    json_t *list = json_loadb(json, json_len, JSON_DECODE_ANY, NULL);
    struct conditions *self;
    struct fault why;
    if (list && conditions_new(&self, list, size % 2 == 0, &why) == ERR_OK) {
        match(self, json + text_at, size - text_at);
        conditions_destroy(&self);
    }
    json_decref(list);
    return 0;
}
