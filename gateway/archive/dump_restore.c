#include "archive/dump_restore.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum err make_room(struct dump_restored *self)
{
    if (self->count < self->room)
        return ERR_OK;
    size_t room = self->room ? self->room * 2 : 16;
    struct dump_file *list = realloc(self->list, room * sizeof *list);
    if (!list)
        return ERR_MEMORY;
    self->list = list;
    self->room = room;
    return ERR_OK;
}

static enum err begin(void *context, const char *chat, enum dump_folder folder, const char *name, struct fault *why)
{
    struct dump_restored *self = context;
    char prefix[FILES_KEY_MAX], month[CLOCK_TEXT_MAX];
    if (make_room(self) != ERR_OK)
        return fault_set(why, ERR_MEMORY, "No memory for the dump");
    struct dump_file *file = &self->list[self->count];
    file->folder = folder;
    snprintf(file->member, sizeof file->member, "%s/%s", dump_folder_name(folder), name);
    clock_format(self->wall_us, "%Y/%m", month);
    snprintf(prefix, sizeof prefix, "%s/%s/%s", month, chat, dump_folder_name(folder));
    enum err err = files_create(self->files, prefix, &self->object, why);
    self->writing = err == ERR_OK;
    return err;
}

static enum err data(void *context, const void *bytes, size_t len, struct fault *why)
{
    struct dump_restored *self = context;
    enum err err = files_write(&self->object, bytes, len, why);
    if (err != ERR_OK)
        fault_prefix(why, "A file of the dump cannot be stored: ");
    return err;
}

static enum err end(void *context, struct fault *why)
{
    struct dump_restored *self = context;
    struct dump_file *file = &self->list[self->count];
    self->writing = false; /* whatever happens, the object is no longer open */
    enum err err = files_commit(self->files, &self->object, &file->bytes, why);
    if (err != ERR_OK)
        return err;
    memcpy(file->key, self->object.key, sizeof file->key);
    self->count++;
    return ERR_OK;
}

void dump_restored_fini(struct dump_restored *self)
{
    free(self->list);
    buf_fini(&self->import);
    self->list = NULL;
    self->count = self->room = 0;
}

void dump_restored_remove(struct dump_restored *self)
{
    if (self->writing)
        files_abandon(self->files, &self->object);
    self->writing = false;
    for (size_t i = 0; i < self->count; i++)
        if (files_remove(self->files, self->list[i].key, NULL) != ERR_OK)
            continue; /* best effort */
    dump_restored_fini(self);
}

enum err dump_restore(int fd, struct files *files, const struct dump_limits *limits, int64_t wall_us,
                      struct dump_restored *out, struct fault *why)
{
    struct dump_sink sink = {out, begin, data, end};
    struct buf metadata = BUF_INIT(limits->record_bytes_max);
    *out = (struct dump_restored){.files = files, .wall_us = wall_us, .import = BUF_INIT(limits->record_bytes_max)};
    enum err err = dump_read(fd, limits, &sink, out->chat, &metadata, why);
    if (err == ERR_OK)
        err = dump_record_import(&metadata, out->chat, out->list, out->count, &out->import, why);
    if (err != ERR_OK)
        dump_restored_remove(out);
    buf_fini(&metadata);
    return err;
}
