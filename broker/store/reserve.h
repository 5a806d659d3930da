/* reserve - disk space held back beside the record, PATH.reserve: given up when the disk is full, so that what was
 * accepted can still be applied and read, and taken again before anything new is accepted. One thread. */
#ifndef RESERVE_H
#define RESERVE_H

#include "err.h"

struct reserve;

/* Opens it empty: reserve_take() makes it whole. */
enum err reserve_open(struct reserve **out, const char *path, size_t bytes, struct fault *why) MUST_CHECK;
void reserve_close(struct reserve **self_p); /* the space stays taken */
void reserve_remove(struct reserve **self_p);
bool reserve_whole(const struct reserve *self);
/* false: there was nothing to give. */
bool reserve_give(struct reserve *self);
/* ERR_NO_SPACE: there is still no room. */
enum err reserve_take(struct reserve *self, struct fault *why) MUST_CHECK;

#endif
