/* The input is a template as JSON, a NUL byte, and the text of a cell. What comes out is JSON again. */
#include "operations/json_template.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool yes)
{
    if (!yes)
        abort();
}

static void fill(const json_t *object, const struct cell *cell, bool pretty)
{
    static struct picked items[] = {{.name = "x", .len = 1}};
    static const struct column_pick names = {.count = 1, .item = items};
    struct json_template *self;
    struct output *out;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(output_new(&out, fd, 1u << 30, "fuzz", NULL) == ERR_OK);
    must(json_template_new(&self, object, &names, pretty, 0, NULL) == ERR_OK);
    must(json_template_write(self, cell, &(struct json_stream){.to = out, .pretty = pretty}, NULL) == ERR_OK);
    must(output_flush(out, NULL) == ERR_OK);
    size_t len = (size_t)output_bytes(out);
    char *text = malloc(len + 1);
    must(text && pread(fd, text, len, 0) == (ssize_t)len);
    json_error_t where;
    json_t *back = json_loadb(text, len, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &where);
    must(json_is_object(back) || strstr(where.text, "real number overflow"));
    json_decref(back);
    free(text);
    json_template_destroy(&self);
    output_destroy(&out);
    close(fd);
}

/* Readers give no other texts. */
static bool is_utf8(const char *text, size_t len)
{
    size_t size = 1;
    for (size_t i = 0; i < len && size > 0; i += size)
        size = utf8_sequence(text + i, len - i);
    return size > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t len = strnlen(text, size), value = len < size ? len + 1 : size;
    json_t *object = json_loadb(text, len, 0, NULL);
    const struct cell cell = cell_text(text + value, size - value);
    if (json_is_object(object) && is_utf8(text + value, size - value))
        fill(object, &cell, size % 2 == 0);
    json_decref(object);
    return 0;
}
