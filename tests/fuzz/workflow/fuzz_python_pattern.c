/* The input is a pattern, a NUL byte, a replacement, a NUL byte, and a text. */
#include "operations/normalize/python_pattern.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts the bytes up to the next NUL off the front. */
static const char *cut(const char **at, size_t *left, size_t *len)
{
    const char *start = *at;
    *len = strnlen(start, *left);
    size_t used = *len < *left ? *len + 1 : *len;
    *at += used;
    *left -= used;
    return start;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    size_t pattern_len, replacement_len;
    const char *pattern = cut(&at, &size, &pattern_len);
    const char *replacement = cut(&at, &size, &replacement_len);
    struct python_pattern *self;
    struct fault why = {.text = ""};
    if (python_pattern_new(&self, pattern, pattern_len, replacement, replacement_len, &why) != ERR_OK) {
        if (why.text[0] == '\0')
            abort();
        return 0;
    }
    struct buf out = BUF_INIT(1 << 16);
    why.text[0] = '\0';
    enum err err = python_pattern_replace(self, at, size, &out, &why);
    if (err != ERR_OK && err != ERR_FULL && why.text[0] == '\0')
        abort();
    buf_fini(&out);
    python_pattern_destroy(&self);
    return 0;
}
