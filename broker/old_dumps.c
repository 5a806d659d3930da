#include "old_dumps.h"

#include "id.h"
#include "log.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_PREFIX    ".dump-" /* of one that is being written; mkostemp(3) adds six letters */
#define SCRATCH_PREFIX ".scratch-"
#define PART_AGE_US    INT64_C(3600000000)

bool old_dumps_name(const char *name)
{
    static const char ending[] = "_00000000_000000.tar.gz";
    size_t len = strlen(name), tail = sizeof ending - 1;
    if (len <= tail || !id_chat_valid(name, len - tail))
        return false;
    for (size_t i = 0; i < tail; i++) {
        char c = name[len - tail + i];
        if (ending[i] == '0' ? c < '0' || c > '9' : c != ending[i])
            return false;
    }
    return true;
}

static bool is_part(const char *name)
{
    return strncmp(name, PART_PREFIX, strlen(PART_PREFIX)) == 0 ||
           strncmp(name, SCRATCH_PREFIX, strlen(SCRATCH_PREFIX)) == 0;
}

static bool is_old(int folder, const char *name, int64_t before_us)
{
    struct stat found;
    return fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode) &&
           (int64_t)found.st_mtim.tv_sec * 1000000 < before_us;
}

void old_dumps_remove(const char *folder, int64_t age_us, int64_t wall_us)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    long long removed = 0;
    while (dir && (entry = readdir(dir))) {
        bool dump = age_us > 0 && old_dumps_name(entry->d_name);
        int64_t age = dump ? age_us : PART_AGE_US;
        if ((dump || is_part(entry->d_name)) && is_old(dirfd(dir), entry->d_name, wall_us - age))
            removed += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
    }
    if (dir)
        closedir(dir);
    if (removed > 0)
        log_info("old dumps removed", "files", LOG_NUMBER(removed), NULL);
}
