/* worker - the loop: one thread that owns the link to the broker, the jobs and their processes' pipes.
 *
 * It takes up to workflow.slots jobs at a time, goes on through an outage of the broker, and when it is told to stop
 * gives running jobs workflow.drain_seconds before it hands them back. */
#ifndef WORKER_H
#define WORKER_H

#include "process/zygote.h"
#include "settings.h"

struct worker;

/* zygote: started before, while the process had one thread; borrowed. stop_fd: readable means stop (a signalfd; read by
 * the worker, non-blocking). settings are borrowed. */
enum err worker_new(struct worker **out, const struct settings *settings, struct zygote *zygote, int stop_fd,
                    struct fault *why) MUST_CHECK;
void worker_destroy(struct worker **self_p);

/* Returns ERR_OK when told to stop; anything else is a reason to be started anew. */
enum err worker_run(struct worker *self, struct fault *why) MUST_CHECK;

#endif
