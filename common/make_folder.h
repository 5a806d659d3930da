/* make_folder - a folder and whatever is missing above it, like `mkdir -p`. Any thread. */
#ifndef MAKE_FOLDER_H
#define MAKE_FOLDER_H

#include "err.h"

#include <sys/types.h>

/* The mode is given to every folder that is made; one that is already there keeps its own. */
enum err make_folder(const char *path, mode_t mode, struct fault *why) MUST_CHECK;
/* The folder a file is to lie in: "logs/a.log" makes "logs"; "a.log" makes nothing. */
enum err make_folder_of(const char *file, mode_t mode, struct fault *why) MUST_CHECK;

#endif
