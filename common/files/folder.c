/* The folder engine of files.h: an object is a regular file below one root.
 *
 * Paths are walked segment by segment from the root's descriptor with O_NOFOLLOW, so neither a key nor a link planted
 * in the folder leads outside. Several processes share the root: a folder may be made, or removed when empty, by
 * somebody else at any moment. That is why commit syncs the whole chain of folders up to the root instead of those it
 * made itself: the one who made a folder need not have synced it yet. */
#include "files/files.h"

#include "id.h"
#include "make_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE   0700
#define OBJECT_MODE   0600
#define OBJECT_DIGITS 16
#define CREATE_TRIES  200 /* folders vanish under us while others empty them, one in two tries at the worst */
#define WALK_DEPTH    16  /* folders below one another; keys have four */

struct files {
    int root;
};

enum err files_open_folder(struct files **out, const char *root, struct fault *why)
{
    *out = NULL;
    enum err err = make_folder(root, FOLDER_MODE, why);
    if (err != ERR_OK)
        return err;
    struct files *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory");
    self->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->root < 0) {
        err = fault_errno(why, "cannot open folder %s", root);
        free(self);
        return err;
    }
    *out = self;
    return ERR_OK;
}

void files_close(struct files **self_p)
{
    if (*self_p) {
        close((*self_p)->root);
        free(*self_p);
    }
    *self_p = NULL;
}

static bool is_segment(const char *at, size_t len)
{
    if (len == 0 || (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
        return false;
    return strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:-") == len;
}

static bool is_key(const char *key, size_t limit)
{
    if (strnlen(key, limit) >= limit)
        return false;
    for (const char *at = key;;) {
        size_t len = strcspn(at, "/");
        if (!is_segment(at, len < NAME_MAX ? len : 0))
            return false;
        if (!at[len])
            return true;
        at += len + 1;
    }
}

enum walk { WALK_EXISTING, WALK_MAKE };

static int enter(int above, const char *segment, enum walk how)
{
    if (how == WALK_MAKE && mkdirat(above, segment, FOLDER_MODE) != 0 && errno != EEXIST)
        return -1;
    return openat(above, segment, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Opens the folder that holds the last segment of the key; *name points at that segment. -1: errno says why. */
static int walk(const struct files *self, const char *key, enum walk how, const char **name)
{
    int folder = fcntl(self->root, F_DUPFD_CLOEXEC, 0);
    for (const char *slash = strchr(key, '/'); slash && folder >= 0; slash = strchr(key, '/')) {
        char segment[FILES_KEY_MAX];
        snprintf(segment, sizeof segment, "%.*s", (int)(slash - key), key);
        int below = enter(folder, segment, how);
        int saved = errno;
        close(folder);
        errno = saved;
        folder = below;
        key = slash + 1;
    }
    *name = key;
    return folder;
}

static int create_object(const struct files *self, const char *key)
{
    const char *name;
    int folder = walk(self, key, WALK_MAKE, &name);
    if (folder < 0)
        return -1;
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, OBJECT_MODE);
    int saved = errno;
    close(folder);
    errno = saved;
    return fd;
}

enum err files_create(struct files *self, const char *prefix, struct files_new_object *out, struct fault *why)
{
    out->fd = -1;
    if (!is_key(prefix, FILES_KEY_MAX - OBJECT_DIGITS - 1))
        return fault_set(why, ERR_INVALID, "not a folder for files: '%.100s'", prefix);
    for (int tries = 0; tries < CREATE_TRIES; tries++) {
        char id[ID_HEX_LEN + 1];
        id_hex(id, OBJECT_DIGITS);
        snprintf(out->key, sizeof out->key, "%s/%s", prefix, id);
        out->fd = create_object(self, out->key);
        if (out->fd >= 0)
            return ERR_OK;
        if (errno != EEXIST && errno != ENOENT)
            break;
    }
    return fault_errno(why, "cannot create a file in %s", prefix);
}

/* Syncs the folder of the key and every folder above it, up to the root. */
static enum err sync_folders(const struct files *self, const char *key, struct fault *why)
{
    char above[FILES_KEY_MAX];
    snprintf(above, sizeof above, "%s", key);
    for (char *slash = strrchr(above, '/'); slash; slash = strrchr(above, '/')) {
        const char *name;
        slash[1] = '\0'; /* a key ending in a slash walks into its last folder */
        int folder = walk(self, above, WALK_EXISTING, &name);
        int failed = folder < 0 || fsync(folder) != 0;
        enum err err = failed ? fault_errno(why, "cannot sync folder %s", above) : ERR_OK;
        if (folder >= 0)
            close(folder);
        if (failed)
            return err;
        *slash = '\0';
    }
    return fsync(self->root) == 0 ? ERR_OK : fault_errno(why, "cannot sync the folder of files");
}

enum err files_write(const struct files_new_object *object, const void *bytes, size_t len, struct fault *why)
{
    for (const char *at = bytes; len > 0;) {
        ssize_t written = write(object->fd, at, len);
        if (written < 0 && errno != EINTR)
            return fault_set(why, err_from_errno(errno), "%s", strerror(errno));
        at += written > 0 ? written : 0;
        len -= written > 0 ? (size_t)written : 0;
    }
    return ERR_OK;
}

enum err files_commit(struct files *self, struct files_new_object *object, uint64_t *bytes, struct fault *why)
{
    struct stat found = {.st_size = 0};
    enum err err = ERR_OK;
    if (fsync(object->fd) != 0 || fstat(object->fd, &found) != 0)
        err = fault_errno(why, "cannot sync %s", object->key);
    if (err == ERR_OK)
        err = sync_folders(self, object->key, why);
    if (err != ERR_OK) {
        files_abandon(self, object);
        return err;
    }
    if (bytes)
        *bytes = (uint64_t)found.st_size;
    close(object->fd);
    object->fd = -1;
    return ERR_OK;
}

/* Removes the folders above a key that have become empty; the first that is not empty ends it. */
static void prune(const struct files *self, const char *key)
{
    char above[FILES_KEY_MAX];
    snprintf(above, sizeof above, "%s", key);
    for (char *slash = strrchr(above, '/'); slash; slash = strrchr(above, '/')) {
        const char *name;
        *slash = '\0';
        int folder = walk(self, above, WALK_EXISTING, &name);
        bool removed = folder >= 0 && unlinkat(folder, name, AT_REMOVEDIR) == 0;
        if (folder >= 0)
            close(folder);
        if (!removed)
            return;
    }
}

static int unlink_object(const struct files *self, const char *key)
{
    const char *name;
    int folder = walk(self, key, WALK_EXISTING, &name);
    if (folder < 0)
        return -1;
    int failed = unlinkat(folder, name, 0);
    int saved = errno;
    close(folder);
    if (!failed)
        prune(self, key);
    errno = saved;
    return failed;
}

void files_abandon(struct files *self, struct files_new_object *object)
{
    if (object->fd < 0)
        return;
    close(object->fd);
    object->fd = -1;
    (void)unlink_object(self, object->key);
}

static int open_regular(const struct files *self, const char *key, uint64_t *bytes)
{
    const char *name;
    int folder = walk(self, key, WALK_EXISTING, &name);
    if (folder < 0)
        return -1;
    /* O_NONBLOCK: a pipe planted here must not hold us up before fstat() shows it. */
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int saved = errno;
    close(folder);
    struct stat found;
    if (fd >= 0 && (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))) {
        close(fd);
        errno = ENOENT;
        return -1;
    }
    errno = saved;
    if (fd >= 0 && bytes)
        *bytes = (uint64_t)found.st_size;
    return fd;
}

enum err files_open(struct files *self, const char *key, int *fd, uint64_t *bytes, struct fault *why)
{
    *fd = -1;
    if (!is_key(key, FILES_KEY_MAX))
        return fault_set(why, ERR_INVALID, "not a key of a file: '%.100s'", key);
    *fd = open_regular(self, key, bytes);
    return *fd >= 0 ? ERR_OK : fault_errno(why, "cannot open %s", key);
}

enum err files_remove(struct files *self, const char *key, struct fault *why)
{
    if (!is_key(key, FILES_KEY_MAX))
        return fault_set(why, ERR_INVALID, "not a key of a file: '%.100s'", key);
    if (unlink_object(self, key) == 0 || errno == ENOENT)
        return ERR_OK;
    return fault_errno(why, "cannot remove %s", key);
}

/* ---- the walk ---- */

struct files_walk {
    DIR *folder[WALK_DEPTH];   /* from the root to where we are */
    size_t length[WALK_DEPTH]; /* of the path of each in `path` */
    int depth;                 /* folders that are open */
    char path[FILES_KEY_MAX];  /* of the innermost, with a slash at its end; "" = the root */
};

/* Takes the descriptor; -1: errno says why there is none. */
static bool walk_enter(struct files_walk *self, int fd, size_t length)
{
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        int saved = errno;
        if (fd >= 0)
            close(fd);
        errno = saved;
        return false;
    }
    self->folder[self->depth] = folder;
    self->length[self->depth++] = length;
    return true;
}

enum err files_walk_open(struct files *self, struct files_walk **out, struct fault *why)
{
    struct files_walk *walk = calloc(1, sizeof *walk);
    *out = NULL;
    if (!walk)
        return fault_set(why, ERR_MEMORY, "no memory");
    if (!walk_enter(walk, openat(self->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0)) {
        free(walk);
        return fault_errno(why, "cannot read the folder of files");
    }
    *out = walk;
    return ERR_OK;
}

void files_walk_close(struct files_walk **self_p)
{
    struct files_walk *self = *self_p;
    *self_p = NULL;
    while (self && self->depth > 0)
        closedir(self->folder[--self->depth]);
    free(self);
}

/* One entry of the innermost folder: enters a folder, and says whether it is an object. What vanishes meanwhile, and
 * links, pipes and names of others, are passed over. */
static bool walk_entry(struct files_walk *self, const char *name, struct files_found *out)
{
    int above = dirfd(self->folder[self->depth - 1]);
    size_t at = self->length[self->depth - 1], len = strlen(name);
    struct stat found;
    if (!is_segment(name, len) || at + len + 2 > sizeof self->path ||
        fstatat(above, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    memcpy(self->path + at, name, len + 1);
    if (S_ISDIR(found.st_mode) && self->depth < WALK_DEPTH &&
        walk_enter(self, openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), at + len + 1))
        memcpy(self->path + at + len, "/", 2);
    if (!S_ISREG(found.st_mode))
        return false;
    memcpy(out->key, self->path, at + len + 1);
    out->written_us = (int64_t)found.st_mtim.tv_sec * 1000000 + found.st_mtim.tv_nsec / 1000;
    return true;
}

enum err files_walk_next(struct files_walk *self, struct files_found *out, struct fault *why)
{
    while (self->depth > 0) {
        errno = 0;
        const struct dirent *entry = readdir(self->folder[self->depth - 1]);
        if (!entry && errno != 0)
            return fault_errno(why, "cannot read the folder of files");
        if (!entry)
            closedir(self->folder[--self->depth]);
        else if (walk_entry(self, entry->d_name, out))
            return ERR_OK;
    }
    return ERR_END;
}
