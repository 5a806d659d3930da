/* Of libarchive only the tar reader and the gzip filter are enabled; format and filter are checked again after the
 * first header, because "no filter" and gzip within gzip come along unasked. */
#include "archive/dump_reader.h"

#include "archive/archive_locale.h"
#include "http/file_name.h"
#include "strmap.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#define READ_BLOCK  65536
#define METADATA    "conversation_metadata.json"
#define LEGACY_NOTE "metadata.json"
#define FOLDERS     (DUMP_RESULTS + 1)

static const char *const folders[FOLDERS] = {[DUMP_UPLOADS] = "uploads",
                                             [DUMP_OUTPUTS] = "outputs",
                                             [DUMP_INTERMEDIATE] = "intermediate",
                                             [DUMP_RESULTS] = "results"};

const char *dump_folder_name(enum dump_folder folder)
{
    return folders[folder];
}

struct reading {
    struct archive *archive;
    const struct dump_limits *limits;
    const struct dump_sink *sink;
    char *chat; /* "" until the first member names it */
    struct buf *metadata;
    bool has_metadata;
    struct strmap *seen; /* paths of files */
    uint32_t members;
    struct fault *why;
};

/* What a member is, by its path. */
enum member { MEMBER_FOLDER, MEMBER_METADATA, MEMBER_IGNORED, MEMBER_FILE };

struct place {
    enum member member;
    enum dump_folder folder;
    const char *name;
};

static enum err refuse(struct reading *self, const char *path, const char *reason)
{
    return fault_set(self->why, ERR_INVALID, "Invalid dump file: '%.200s' %s", path, reason);
}

static enum err broken(struct reading *self)
{
    const char *text = archive_error_string(self->archive);
    return fault_set(self->why, ERR_INVALID, "Invalid dump file: not a gzip-compressed tar archive (%s)",
                     text ? text : "unknown error");
}

static enum err check_limits(struct reading *self)
{
    if (self->limits->stopping && atomic_load(self->limits->stopping))
        return fault_set(self->why, ERR_CANCELLED, "The server is stopping");
    /* Filter 0 is the last one: what comes out of the gzip, headers and padding too. */
    int64_t unpacked = archive_filter_bytes(self->archive, 0);
    if (unpacked > 0 && (uint64_t)unpacked > self->limits->unpacked_bytes_max)
        return fault_set(self->why, ERR_TOO_LARGE,
                         "The dump unpacks to more than %llu MiB (chat_workflows.dump.unpacked_mb_max)",
                         (unsigned long long)(self->limits->unpacked_bytes_max >> 20));
    return ERR_OK;
}

/* ---- where a member belongs ---- */

/* The first segment: the same valid chat id in all paths. *rest: what follows it and its slash. */
static enum err take_chat(struct reading *self, const char *path, const char **rest)
{
    size_t len = strcspn(path, "/");
    bool climbs = (len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.');
    if (!id_chat_valid(path, len) || climbs)
        return refuse(self, path, "does not lie in the folder of a conversation");
    if (!self->chat[0])
        snprintf(self->chat, ID_CHAT_MAX + 1, "%.*s", (int)len, path);
    if (strlen(self->chat) != len || strncmp(self->chat, path, len) != 0)
        return refuse(self, path, "belongs to another conversation");
    *rest = path[len] ? path + len + 1 : path + len;
    return ERR_OK;
}

static bool find_folder(const char *rest, enum dump_folder *folder, const char **name)
{
    size_t len = strcspn(rest, "/");
    for (size_t i = 0; i < FOLDERS; i++)
        if (strlen(folders[i]) == len && strncmp(folders[i], rest, len) == 0) {
            *folder = (enum dump_folder)i;
            *name = rest[len] ? rest + len + 1 : rest + len;
            return true;
        }
    return false;
}

static bool is_name(const char *name)
{
    return name[0] && strlen(name) <= 255 && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           file_name_plausible(name);
}

static enum err find_place(struct reading *self, const char *path, bool is_folder, struct place *out)
{
    const char *rest = path;
    enum err err = take_chat(self, strncmp(path, "./", 2) == 0 ? path + 2 : path, &rest);
    if (err != ERR_OK)
        return err;
    bool inside = find_folder(rest, &out->folder, &out->name);
    if (is_folder) {
        out->member = MEMBER_FOLDER;
        return !rest[0] || (inside && !out->name[0]) ? ERR_OK : refuse(self, path, "is a folder no conversation has");
    }
    out->member = strcmp(rest, METADATA) == 0      ? MEMBER_METADATA
                  : strcmp(rest, LEGACY_NOTE) == 0 ? MEMBER_IGNORED
                                                   : MEMBER_FILE;
    if (out->member == MEMBER_FILE && (!inside || !is_name(out->name)))
        return refuse(self, path, "is no file a conversation has");
    return ERR_OK;
}

/* ---- contents ---- */

static enum err begin(struct reading *self, const struct place *place)
{
    switch (place->member) {
    case MEMBER_FILE: return self->sink->begin(self->sink->context, self->chat, place->folder, place->name, self->why);
    case MEMBER_METADATA:
        if (self->has_metadata)
            return refuse(self, METADATA, "is there twice");
        self->has_metadata = true;
        return ERR_OK;
    case MEMBER_FOLDER:
    case MEMBER_IGNORED: break;
    }
    return ERR_OK;
}

static enum err pass(struct reading *self, const struct place *place, const char *bytes, size_t len)
{
    switch (place->member) {
    case MEMBER_FILE: return self->sink->data(self->sink->context, bytes, len, self->why);
    case MEMBER_METADATA:
        if (self->metadata->len + len > self->limits->record_bytes_max)
            return fault_set(self->why, ERR_TOO_LARGE,
                             "The dump's metadata has more than %zu MiB (chat_workflows.dump.record_mb_max)",
                             self->limits->record_bytes_max >> 20);
        return buf_add(self->metadata, bytes, len) == ERR_OK ? ERR_OK : fault_set(self->why, ERR_MEMORY, "No memory");
    case MEMBER_FOLDER:
    case MEMBER_IGNORED: break;
    }
    return ERR_OK;
}

static enum err check_size(struct reading *self, const char *path, uint64_t bytes)
{
    if (bytes <= self->limits->member_bytes_max)
        return ERR_OK;
    return fault_set(self->why, ERR_TOO_LARGE, "'%.200s' has more than %llu MiB (chat_workflows.dump.member_mb_max)",
                     path, (unsigned long long)(self->limits->member_bytes_max >> 20));
}

static enum err copy_content(struct reading *self, const struct place *place, const char *path)
{
    char block[READ_BLOCK];
    uint64_t bytes = 0;
    enum err err = begin(self, place);
    while (err == ERR_OK) {
        la_ssize_t got = archive_read_data(self->archive, block, sizeof block);
        if (got == 0)
            break;
        if (got < 0)
            return broken(self);
        bytes += (uint64_t)got;
        err = check_size(self, path, bytes);
        if (err == ERR_OK)
            err = check_limits(self);
        if (err == ERR_OK)
            err = pass(self, place, block, (size_t)got);
    }
    if (err == ERR_OK && place->member == MEMBER_FILE)
        err = self->sink->end(self->sink->context, self->why);
    return err;
}

/* ---- members ---- */

static enum err check_kind(struct reading *self, struct archive_entry *entry, const char *path)
{
    unsigned type = archive_entry_filetype(entry);
    if (archive_entry_hardlink(entry) || archive_entry_hardlink_utf8(entry) || archive_entry_symlink(entry))
        return refuse(self, path, "is a link");
    if (type != AE_IFREG && type != AE_IFDIR)
        return refuse(self, path, "is neither a file nor a folder");
    if (archive_entry_sparse_count(entry) > 0)
        return refuse(self, path, "is a sparse file");
    if (archive_entry_size_is_set(entry) && archive_entry_size(entry) < 0)
        return refuse(self, path, "has a negative size");
    return check_size(self, path, (uint64_t)archive_entry_size(entry));
}

static enum err note_path(struct reading *self, const char *path)
{
    void *before = NULL;
    enum err err = strmap_put(self->seen, path, strlen(path), self, &before);
    if (err != ERR_OK)
        return fault_set(self->why, err, "No memory");
    return before ? refuse(self, path, "is there twice") : ERR_OK;
}

static enum err read_member(struct reading *self, struct archive_entry *entry)
{
    const char *path = archive_entry_pathname_utf8(entry);
    struct place place = {.member = MEMBER_FOLDER};
    if (++self->members > self->limits->members_max)
        return fault_set(self->why, ERR_TOO_LARGE, "The dump has more than %u files (chat_workflows.dump.members_max)",
                         self->limits->members_max);
    if (!path || !path[0])
        return refuse(self, "a member", "has a name that is not UTF-8");
    enum err err = check_kind(self, entry, path);
    if (err == ERR_OK)
        err = find_place(self, path, archive_entry_filetype(entry) == AE_IFDIR, &place);
    if (err == ERR_OK && place.member != MEMBER_FOLDER)
        err = note_path(self, path);
    return err == ERR_OK && place.member != MEMBER_FOLDER ? copy_content(self, &place, path) : err;
}

static enum err check_filter(struct reading *self)
{
    bool gzip =
        archive_filter_count(self->archive) == 2 && archive_filter_code(self->archive, 0) == ARCHIVE_FILTER_GZIP;
    return gzip ? ERR_OK : fault_set(self->why, ERR_INVALID, "Invalid dump file: not compressed with gzip once");
}

static enum err read_members(struct reading *self)
{
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct archive_entry *entry = NULL;
        int code = archive_read_next_header(self->archive, &entry);
        if (code == ARCHIVE_EOF)
            break;
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) /* a name in another character set is a warning */
            return broken(self);
        err = check_filter(self);
        if (err == ERR_OK)
            err = check_limits(self);
        if (err == ERR_OK)
            err = read_member(self, entry);
    }
    if (err == ERR_OK && !self->has_metadata)
        err = fault_set(self->why, ERR_INVALID, "Invalid dump file: it has no " METADATA);
    return err;
}

static enum err open_and_read(struct reading *self, int fd)
{
    struct archive *archive = self->archive;
    if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
        archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
        archive_read_set_options(archive, "hdrcharset=UTF-8") < ARCHIVE_WARN)
        return fault_set(self->why, ERR_INTERNAL, "cannot read archives: %s", archive_error_string(archive));
    if (archive_read_open_fd(archive, fd, READ_BLOCK) != ARCHIVE_OK)
        return broken(self);
    return read_members(self);
}

enum err dump_read(int fd, const struct dump_limits *limits, const struct dump_sink *sink, char chat[ID_CHAT_MAX + 1],
                   struct buf *metadata, struct fault *why)
{
    struct reading self = {
        .archive = archive_read_new(), .limits = limits, .sink = sink, .chat = chat, .metadata = metadata, .why = why};
    struct archive_locale locale;
    chat[0] = '\0';
    buf_clear(metadata);
    archive_locale_enter(&locale);
    enum err err = self.archive && strmap_new(&self.seen) == ERR_OK ? ERR_OK : fault_set(why, ERR_MEMORY, "No memory");
    if (err == ERR_OK)
        err = open_and_read(&self, fd);
    archive_read_free(self.archive);
    strmap_destroy(&self.seen);
    archive_locale_leave(&locale);
    return err;
}
