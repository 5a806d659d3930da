#include "snapshots.h"

#include "clock.h"
#include "log.h"
#include "make_folder.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME_FORMAT "chat_backup_%Y%m%d_%H%M%S.db"
#define PART_NAME   ".chat_backup.part" /* of the one that is being made; a dead one is in nobody's way */
#define SECOND_US   INT64_C(1000000)
#define NAME_TRIES  60 /* names are whole seconds: more than one a second take the next */

bool snapshots_time(const char *name, int64_t *wall_us)
{
    struct tm parts = {0};
    const char *end = strptime(name, NAME_FORMAT, &parts);
    char again[SNAPSHOT_NAME_MAX];
    if (!end || *end)
        return false;
    time_t seconds = timegm(&parts);
    *wall_us = (int64_t)seconds * SECOND_US;
    return strftime(again, sizeof again, NAME_FORMAT, &parts) > 0 && strcmp(again, name) == 0;
}

static enum err join(char out[PATH_MAX], const char *folder, const char *name, struct fault *why)
{
    int len = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return len > 0 && len < PATH_MAX ? ERR_OK : fault_set(why, ERR_TOO_LARGE, "%s: path too long", folder);
}

static enum err sync_path(const char *path, int flags, struct fault *why)
{
    int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fault_errno(why, "%s", path);
    enum err err = fsync(fd) == 0 ? ERR_OK : fault_errno(why, "cannot sync %s", path);
    close(fd);
    return err;
}

/* Gives the finished copy its name; one that is taken stays as it is. */
static enum err name_it(const struct snapshots *self, const char *part, int64_t wall_us, char name[SNAPSHOT_NAME_MAX],
                        struct fault *why)
{
    char path[PATH_MAX];
    for (int tries = 0; tries < NAME_TRIES; tries++, wall_us += SECOND_US) {
        char text[CLOCK_TEXT_MAX];
        clock_format(wall_us, NAME_FORMAT, text);
        snprintf(name, SNAPSHOT_NAME_MAX, "%s", text);
        enum err err = join(path, self->folder, name, why);
        if (err != ERR_OK)
            return err;
        if (link(part, path) == 0)
            return sync_path(self->folder, O_DIRECTORY, why);
        if (errno != EEXIST)
            break;
    }
    return fault_errno(why, "%s", path);
}

enum err snapshots_take(const struct snapshots *self, int64_t wall_us, char name[SNAPSHOT_NAME_MAX], struct fault *why)
{
    char part[PATH_MAX];
    enum err err = make_folder(self->folder, 0700, why);
    if (err == ERR_OK)
        err = join(part, self->folder, PART_NAME, why);
    if (err != ERR_OK)
        return err;
    unlink(part);
    err = store_copy(self->record, part, self->end, why);
    if (err == ERR_OK)
        err = sync_path(part, 0, why);
    if (err == ERR_OK)
        err = name_it(self, part, wall_us, name, why);
    unlink(part);
    return err;
}

/* Calls `each` for every snapshot of the folder. A folder that is not there has none. */
static void walk(const struct snapshots *self,
                 void (*each)(const struct snapshots *self, const char *name, int64_t wall_us, void *context),
                 void *context)
{
    DIR *folder = opendir(self->folder);
    const struct dirent *entry;
    int64_t taken_us;
    if (!folder)
        return;
    while ((entry = readdir(folder)))
        if (snapshots_time(entry->d_name, &taken_us))
            each(self, entry->d_name, taken_us, context);
    closedir(folder);
}

static void find_newest(const struct snapshots *self, const char *name, int64_t taken_us, void *context)
{
    int64_t *newest = context;
    (void)self, (void)name;
    if (taken_us > *newest)
        *newest = taken_us;
}

struct age {
    int64_t now_us, newest_us;
};

static void remove_old(const struct snapshots *self, const char *name, int64_t taken_us, void *context)
{
    const struct age *age = context;
    char path[PATH_MAX];
    if (taken_us == age->newest_us || age->now_us - taken_us <= self->retention_us ||
        join(path, self->folder, name, NULL) != ERR_OK)
        return;
    if (unlink(path) == 0)
        log_info("old snapshot removed", "file", name, NULL);
    else
        log_warning("old snapshot not removed", "file", name, "error", strerror(errno), NULL);
}

void snapshots_tick(const struct snapshots *self, int64_t wall_us)
{
    struct age age = {.now_us = wall_us, .newest_us = INT64_MIN};
    struct fault why = {.text = ""};
    char name[SNAPSHOT_NAME_MAX];
    if (!self->scheduled)
        return;
    walk(self, find_newest, &age.newest_us);
    /* One from the future (the clock went back) counts as none: it would hold up all others. */
    bool due = age.newest_us < wall_us - self->interval_us || age.newest_us > wall_us + NAME_TRIES * SECOND_US;
    if (due && snapshots_take(self, wall_us, name, &why) == ERR_OK) {
        log_info("snapshot taken", "file", name, NULL);
        age.newest_us = wall_us;
    } else if (due && !atomic_load(self->end)) {
        log_error("snapshot failed", "error", why.text, NULL);
        return; /* the old ones are all there is */
    }
    if (self->retention_us > 0)
        walk(self, remove_old, &age);
}
