/* old_dumps - dumps that were made long ago, and parts of some that a killed gateway left. Runs in the janitor's
 * thread. */
#ifndef OLD_DUMPS_H
#define OLD_DUMPS_H

#include "err.h"

#include <stdint.h>

/* Removes dumps written more than age_us ago (0 = none) and unfinished ones nothing was written to for an hour. Other
 * files of the folder are let be; a folder that does not exist has none. Logs what it did. */
void old_dumps_remove(const char *folder, int64_t age_us, int64_t wall_us);
/* {chat}_{YYYYMMDD}_{HHMMSS}.tar.gz? Pure. */
bool old_dumps_name(const char *name);

#endif
