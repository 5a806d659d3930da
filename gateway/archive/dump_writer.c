#include "archive/dump_writer.h"

#include "archive/archive_locale.h"
#include "archive/dump_record.h"
#include "clock.h"
#include "make_folder.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BLOCK  65536
#define FOLDER_MODE 0700
#define NAME_TRIES  60 /* names are whole seconds: more than one a second take the next */
#define SECOND_US   INT64_C(1000000)
#define ENDING      ".tar.gz"

struct writing {
    const struct dump_source *source;
    struct archive *archive;
    struct fault *why;
};

/* ---- the folder of dumps ---- */

/* Where there is no O_TMPFILE (some file systems), a name that is gone at once does. */
enum err dump_scratch(const char *folder, int *fd, struct fault *why)
{
    char path[PATH_MAX];
    enum err err = make_folder(folder, FOLDER_MODE, why);
    if (err != ERR_OK)
        return err;
    *fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0)
        return ERR_OK;
    if (snprintf(path, sizeof path, "%s/.scratch-XXXXXX", folder) >= (int)sizeof path)
        return fault_set(why, ERR_TOO_LARGE, "%s: path too long", folder);
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0)
        return fault_errno(why, "cannot create a file in %s", folder);
    unlink(path);
    return ERR_OK;
}

static enum err sync_folder(const char *folder, struct fault *why)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = fd >= 0 && fsync(fd) == 0 ? ERR_OK : fault_errno(why, "cannot sync %s", folder);
    if (fd >= 0)
        close(fd);
    return err;
}

static enum err give_name(const struct dump_source *source, const char *part, char name[DUMP_NAME_MAX],
                          struct fault *why)
{
    char path[PATH_MAX], second[CLOCK_TEXT_MAX];
    for (int tries = 0; tries < NAME_TRIES; tries++) {
        clock_format(source->wall_us + tries * SECOND_US, "%Y%m%d_%H%M%S", second);
        snprintf(name, DUMP_NAME_MAX, "%s_%s" ENDING, source->chat, second);
        if (snprintf(path, sizeof path, "%s/%s", source->folder, name) >= (int)sizeof path)
            return fault_set(why, ERR_TOO_LARGE, "%s: path too long", source->folder);
        if (link(part, path) == 0)
            return sync_folder(source->folder, why);
        if (errno != EEXIST)
            break;
    }
    return fault_errno(why, "cannot store the dump");
}

static bool is_dump_name(const char *name)
{
    size_t len = strlen(name), end = strlen(ENDING);
    return len > end && len < DUMP_NAME_MAX && strcmp(name + len - end, ENDING) == 0 &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:-") == len;
}

enum err dump_open(const char *folder, const char *name, int *fd, uint64_t *bytes, struct fault *why)
{
    struct stat found;
    *fd = -1;
    int above = is_dump_name(name) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (above < 0)
        return fault_set(why, ERR_NOT_FOUND, "File not found");
    *fd = openat(above, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(above);
    if (*fd >= 0 && fstat(*fd, &found) == 0 && S_ISREG(found.st_mode)) {
        *bytes = (uint64_t)found.st_size;
        return ERR_OK;
    }
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return fault_set(why, ERR_NOT_FOUND, "File not found");
}

/* ---- members ---- */

static enum err failed(struct writing *self)
{
    int number = archive_errno(self->archive);
    const char *text = archive_error_string(self->archive);
    return fault_set(self->why, number == ENOSPC || number == EDQUOT ? ERR_NO_SPACE : ERR_IO,
                     "The dump cannot be written: %s", text ? text : "unknown error");
}

static enum err put_header(struct writing *self, const char *member, mode_t type, uint64_t bytes, int64_t wall_us)
{
    char path[ID_CHAT_MAX + DUMP_MEMBER_MAX + 2];
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return fault_set(self->why, ERR_MEMORY, "No memory for the dump");
    snprintf(path, sizeof path, "%s/%s", self->source->chat, member);
    if (!archive_entry_update_pathname_utf8(entry, path)) { /* in every form the writer may ask for */
        archive_entry_free(entry);
        return fault_set(self->why, ERR_INVALID, "The name of a file cannot be put into an archive: %s", member);
    }
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, type == AE_IFDIR ? 0755 : 0644);
    archive_entry_set_size(entry, (la_int64_t)bytes);
    archive_entry_set_mtime(entry, wall_us / SECOND_US, 0);
    int code = archive_write_header(self->archive, entry);
    archive_entry_free(entry);
    return code == ARCHIVE_OK || code == ARCHIVE_WARN ? ERR_OK : failed(self);
}

static enum err put_bytes(struct writing *self, const char *bytes, size_t len)
{
    if (self->source->stopping && atomic_load(self->source->stopping))
        return fault_set(self->why, ERR_CANCELLED, "The server is stopping");
    while (len > 0) {
        la_ssize_t written = archive_write_data(self->archive, bytes, len);
        if (written <= 0)
            return failed(self);
        bytes += written;
        len -= (size_t)written;
    }
    return ERR_OK;
}

static enum err copy_object(struct writing *self, int fd, uint64_t bytes)
{
    char block[COPY_BLOCK];
    enum err err = ERR_OK;
    while (err == ERR_OK && bytes > 0) {
        ssize_t got = read(fd, block, sizeof block < bytes ? sizeof block : (size_t)bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fault_set(self->why, ERR_IO, "A file of the conversation is shorter than it was");
        bytes -= (uint64_t)got;
        err = put_bytes(self, block, (size_t)got);
    }
    return err;
}

static enum err put_file(struct writing *self, const json_t *file)
{
    const char *key = json_string_value(json_object_get(file, "key"));
    const char *member = json_string_value(json_object_get(file, "member"));
    int64_t created_us = json_integer_value(json_object_get(file, "created_us"));
    uint64_t bytes = 0;
    int fd = -1;
    enum err err = files_open(self->source->files, key ? key : "", &fd, &bytes, self->why);
    if (err == ERR_NOT_FOUND)
        return fault_set(self->why, ERR_CONFLICT, "The conversation was deleted while it was being dumped");
    if (err == ERR_OK)
        err = put_header(self, member, AE_IFREG, bytes, created_us);
    if (err == ERR_OK)
        err = copy_object(self, fd, bytes);
    if (fd >= 0)
        close(fd);
    return err;
}

static enum err put_metadata(struct writing *self, const json_t *export)
{
    struct buf text = BUF_INIT(self->source->export_len * 4 + 65536);
    enum err err = dump_record_write(export, &text);
    if (err != ERR_OK)
        err = fault_set(self->why, err, "No memory for the dump");
    else
        err = dump_record_weigh(text.data, text.len, self->source->record_bytes_max, self->why);
    if (err == ERR_OK)
        err = put_header(self, "conversation_metadata.json", AE_IFREG, text.len, self->source->wall_us);
    if (err == ERR_OK)
        err = put_bytes(self, text.data, text.len);
    buf_fini(&text);
    return err;
}

static enum err put_folders(struct writing *self)
{
    char folder[32] = "";
    enum err err = put_header(self, folder, AE_IFDIR, 0, self->source->wall_us);
    for (int i = DUMP_UPLOADS; err == ERR_OK && i <= DUMP_RESULTS; i++) {
        snprintf(folder, sizeof folder, "%s/", dump_folder_name((enum dump_folder)i));
        err = put_header(self, folder, AE_IFDIR, 0, self->source->wall_us);
    }
    return err;
}

static enum err put_members(struct writing *self, const json_t *export)
{
    const json_t *files = json_object_get(json_object_get(export, "record"), "files");
    enum err err = put_folders(self);
    if (err == ERR_OK)
        err = put_metadata(self, export);
    for (size_t i = 0; err == ERR_OK && i < json_array_size(files); i++)
        err = put_file(self, json_array_get(files, i));
    return err;
}

/* ---- the dump ---- */

static enum err write_archive(struct writing *self, const json_t *export, int fd)
{
    struct archive *archive = self->archive;
    if (archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
        archive_write_set_options(archive, "hdrcharset=UTF-8") < ARCHIVE_WARN ||
        archive_write_open_fd(archive, fd) != ARCHIVE_OK)
        return failed(self);
    enum err err = put_members(self, export);
    if (err == ERR_OK && archive_write_close(archive) != ARCHIVE_OK)
        err = failed(self);
    return err;
}

static enum err write_synced(const struct dump_source *source, const json_t *export, int fd, struct fault *why)
{
    struct writing self = {.source = source, .archive = archive_write_new(), .why = why};
    if (!self.archive)
        return fault_set(why, ERR_MEMORY, "No memory for the dump");
    struct archive_locale locale;
    archive_locale_enter(&locale);
    enum err err = write_archive(&self, export, fd);
    if (err != ERR_OK)
        archive_write_fail(self.archive); /* no further attempt to write what is buffered */
    archive_write_free(self.archive);
    archive_locale_leave(&locale);
    if (err == ERR_OK && fsync(fd) != 0)
        err = fault_errno(why, "cannot sync the dump");
    return err;
}

/* The part's name is none dump_open() takes. One that a dead process left is in nobody's way. */
static enum err write_named(const struct dump_source *source, const json_t *export, char name[DUMP_NAME_MAX],
                            struct fault *why)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s/.dump-XXXXXX", source->folder) >= (int)sizeof part)
        return fault_set(why, ERR_TOO_LARGE, "%s: path too long", source->folder);
    int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return fault_errno(why, "cannot create a file in %s", source->folder);
    enum err err = write_synced(source, export, fd, why);
    if (err == ERR_OK)
        err = give_name(source, part, name, why);
    unlink(part);
    close(fd);
    return err;
}

enum err dump_write(const struct dump_source *source, char name[DUMP_NAME_MAX], struct fault *why)
{
    json_t *export = json_loadb(source->export, source->export_len, 0, NULL);
    enum err err = export && dump_record_name_members(json_object_get(export, "record")) == ERR_OK
                       ? make_folder(source->folder, FOLDER_MODE, why)
                       : fault_set(why, ERR_INTERNAL, "The broker's answer is not understood");
    if (err == ERR_OK)
        err = write_named(source, export, name, why);
    json_decref(export);
    return err;
}
