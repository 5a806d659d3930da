/* disk_pool - a few threads for what blocks on a disk (fsync, unlink), so that the HTTP thread never does. Work is
 * taken in order; a full queue is ERR_FULL and the caller's to answer. Any thread. */
#ifndef DISK_POOL_H
#define DISK_POOL_H

#include "err.h"
#include "files/files.h"

#define DISK_POOL_THREADS   4
#define DISK_POOL_QUEUE_MAX 1024

struct disk_pool;

enum err disk_pool_start(struct disk_pool **out, struct fault *why) MUST_CHECK;
/* Does what is queued, then joins. Takes NULL. */
void disk_pool_stop(struct disk_pool **self_p);

/* arg is the caller's; work runs once in a thread of the pool. */
enum err disk_pool_run(struct disk_pool *self, void (*work)(void *arg), void *arg) MUST_CHECK;
/* Removes a committed object that turned out not to be wanted; best effort: what stays is garbage the broker collects.
 */
void disk_pool_remove(struct disk_pool *self, struct files *files, const char *key);

#endif
