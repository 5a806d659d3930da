#include "process/plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAN_BYTES_MAX (64u << 20) /* far beyond the largest job the broker accepts */

static json_t *side_list(const struct plan *self)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < self->side_count; i++)
        json_array_append_new(list, json_string(self->side_names[i]));
    return list;
}

static json_t *to_json(const struct plan *self)
{
    return json_pack("{s:s, s:O, s:s, s:s, s:s, s:O, s:b, s:b, s:o, s:I, s:I, s:I, s:i, s:s*, s:I, s:b, s:b}",
                     "operation", self->operation, "arguments", self->arguments, "input_name", self->input_name, "stem",
                     self->stem, "name_base", self->name_base, "taken", self->taken, "has_output", self->has_output,
                     "has_spool", self->has_spool, "sides", side_list(self), "output_bytes_max",
                     (json_int_t)self->output_bytes_max, "memory_bytes_max", (json_int_t)self->memory_bytes_max,
                     "started_us", (json_int_t)self->started_us, "deflate_level", self->excel_deflate_level,
                     "sheet_name", self->excel_sheet_name, "column_width_max", (json_int_t)self->excel_column_width_max,
                     "info_sheet", self->excel_info_sheet, "backup_original", self->backup_original);
}

static enum err write_whole(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, text, len);
        if (done < 0)
            return ERR_IO;
        text += done;
        len -= (size_t)done;
    }
    return lseek(fd, 0, SEEK_SET) == 0 ? ERR_OK : ERR_IO;
}

enum err plan_write(const struct plan *self, int *fd, struct fault *why)
{
    json_t *json = to_json(self);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return fault_set(why, ERR_INTERNAL, "cannot write down the plan of a step");
    *fd = memfd_create("plan", MFD_CLOEXEC);
    enum err err = *fd < 0 ? ERR_IO : write_whole(*fd, text, strlen(text));
    free(text);
    if (err == ERR_OK)
        return ERR_OK;
    err = fault_errno(why, "cannot hand a plan to the step's process");
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return err;
}

static enum err read_json(json_t **out, int fd, struct fault *why)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return fault_errno(why, "cannot read the step's plan");
    if (about.st_size <= 0 || about.st_size > PLAN_BYTES_MAX)
        return fault_set(why, ERR_INTERNAL, "the step's plan has %lld bytes", (long long)about.st_size);
    char *text = malloc((size_t)about.st_size);
    if (!text)
        return fault_set(why, ERR_MEMORY, "no memory for the step's plan");
    json_error_t where;
    ssize_t len = pread(fd, text, (size_t)about.st_size, 0);
    *out = len == about.st_size ? json_loadb(text, (size_t)len, 0, &where) : NULL;
    free(text);
    return *out ? ERR_OK : fault_set(why, ERR_INTERNAL, "the step's plan cannot be read");
}

static void read_sides(struct plan *out, const json_t *sides)
{
    size_t count = json_array_size(sides);
    out->side_count = count < STEP_SIDES_MAX ? count : STEP_SIDES_MAX;
    for (size_t i = 0; i < out->side_count; i++)
        out->side_names[i] = json_string_value(json_array_get(sides, i));
}

enum err plan_read(struct plan *out, int fd, struct fault *why)
{
    *out = (struct plan){.root = NULL};
    enum err err = read_json(&out->root, fd, why);
    if (err != ERR_OK)
        return err;
    json_t *arguments, *sides;
    json_int_t output_bytes, memory_bytes, started, width;
    int has_output, has_spool, info_sheet, backup_original;
    int bad = json_unpack(
        out->root, "{s:s, s:o, s:s, s:s, s:s, s:o, s:b, s:b, s:o, s:I, s:I, s:I, s:i, s?s, s:I, s:b, s:b}", "operation",
        &out->operation, "arguments", &arguments, "input_name", &out->input_name, "stem", &out->stem, "name_base",
        &out->name_base, "taken", &out->taken, "has_output", &has_output, "has_spool", &has_spool, "sides", &sides,
        "output_bytes_max", &output_bytes, "memory_bytes_max", &memory_bytes, "started_us", &started, "deflate_level",
        &out->excel_deflate_level, "sheet_name", &out->excel_sheet_name, "column_width_max", &width, "info_sheet",
        &info_sheet, "backup_original", &backup_original);
    if (bad)
        return fault_set(why, ERR_INTERNAL, "the step's plan is incomplete");
    out->arguments = arguments;
    out->has_output = has_output;
    out->has_spool = has_spool;
    out->excel_info_sheet = info_sheet;
    out->backup_original = backup_original;
    out->output_bytes_max = (uint64_t)output_bytes;
    out->memory_bytes_max = (uint64_t)memory_bytes;
    out->started_us = started;
    out->excel_column_width_max = (uint32_t)width;
    read_sides(out, sides);
    return ERR_OK;
}

void plan_fini(struct plan *self)
{
    json_decref(self->root);
    self->root = NULL;
}
