#include "make_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum err make_one(const char *path, mode_t mode, struct fault *why)
{
    if (mkdir(path, mode) == 0)
        return ERR_OK;
    struct stat found;
    int saved = errno;
    if (stat(path, &found) == 0 && S_ISDIR(found.st_mode))
        return ERR_OK;
    errno = saved == EEXIST ? ENOTDIR : saved;
    return fault_errno(why, "cannot make folder %s", path);
}

enum err make_folder(const char *path, mode_t mode, struct fault *why)
{
    char above[PATH_MAX];
    int len = snprintf(above, sizeof above, "%s", path);
    if (len <= 0 || (size_t)len >= sizeof above)
        return fault_set(why, ERR_INVALID, "folder name is empty or too long");
    for (char *slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        enum err err = make_one(above, mode, why);
        if (err != ERR_OK)
            return err;
        *slash = '/';
    }
    return make_one(above, mode, why);
}

enum err make_folder_of(const char *file, mode_t mode, struct fault *why)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(file, '/');
    if (!slash || slash == file)
        return ERR_OK;
    if ((size_t)(slash - file) >= sizeof folder)
        return fault_set(why, ERR_INVALID, "file name is too long");
    memcpy(folder, file, (size_t)(slash - file));
    folder[slash - file] = '\0';
    return make_folder(folder, mode, why);
}
