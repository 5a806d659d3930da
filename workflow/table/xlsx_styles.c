#include "table/xlsx_styles.h"

#include "table/date_text.h"
#include "table/xlsx_part.h"

#include <stdlib.h>
#include <string.h>

/* A number format that the workbook defines itself wins over the built-in one of the same id. */
enum own_format { OWN_NONE, OWN_OTHER, OWN_DATE };

struct loading {
    struct xlsx_styles *styles;
    unsigned char own[XLSX_FORMATS_MAX]; /* enum own_format by id */
    bool in_own_formats, in_cell_formats;
};

static uint32_t number_of(const char *text)
{
    return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static bool is_date(const struct loading *self, uint32_t id)
{
    enum own_format own = id < XLSX_FORMATS_MAX ? (enum own_format)self->own[id] : OWN_NONE;
    return own == OWN_NONE ? date_format_id(id) : own == OWN_DATE;
}

static void add_own(struct loading *self, const char *const *attributes)
{
    const char *id = xlsx_part_attribute(attributes, "numFmtId"), *code = xlsx_part_attribute(attributes, "formatCode");
    if (id && code && number_of(id) < XLSX_FORMATS_MAX)
        self->own[number_of(id)] = date_format_code(code) ? OWN_DATE : OWN_OTHER;
}

static void enter(struct loading *self, const char *name, bool inside)
{
    if (strcmp(name, "numFmts") == 0)
        self->in_own_formats = inside;
    else if (strcmp(name, "cellXfs") == 0)
        self->in_cell_formats = inside;
}

static enum err on_open(void *context, const char *name, const char *const *attributes, struct fault *why)
{
    struct loading *self = context;
    enter(self, name, true);
    if (self->in_own_formats && strcmp(name, "numFmt") == 0)
        add_own(self, attributes);
    if (!self->in_cell_formats || strcmp(name, "xf") != 0)
        return ERR_OK;
    if (self->styles->count == XLSX_FORMATS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "more than %d cell formats", XLSX_FORMATS_MAX);
    uint32_t id = number_of(xlsx_part_attribute(attributes, "numFmtId"));
    self->styles->is_date[self->styles->count++] = is_date(self, id);
    return ERR_OK;
}

static enum err on_close(void *context, const char *name, struct fault *why)
{
    (void)why;
    enter(context, name, false);
    return ERR_OK;
}

enum err xlsx_styles_load(struct xlsx_styles *out, struct zip_archive *archive, struct zip_entry *part,
                          struct fault *why)
{
    *out = (struct xlsx_styles){.count = 0};
    if (!part)
        return ERR_OK;
    struct loading *loading = calloc(1, sizeof *loading);
    out->is_date = calloc(XLSX_FORMATS_MAX, sizeof *out->is_date);
    enum err err = out->is_date && loading ? ERR_OK : fault_set(why, ERR_MEMORY, "Out of memory");
    struct xlsx_part_handler handler = {.open = on_open, .close = on_close};
    if (err == ERR_OK) {
        loading->styles = out;
        err = xlsx_part_read(archive, part, &handler, loading, why);
    }
    free(loading);
    if (err != ERR_OK)
        xlsx_styles_fini(out);
    return err;
}

void xlsx_styles_fini(struct xlsx_styles *self)
{
    free(self->is_date);
    *self = (struct xlsx_styles){.count = 0};
}
