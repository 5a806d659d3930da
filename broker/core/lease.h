/* lease - who works on which job. A job is handed out under a fencing token (term, counter); the worker renews it by
 * naming the token in its beats. A worker that is lost costs an attempt, a worker that drains does not. */
#ifndef LEASE_H
#define LEASE_H

#include "core/job.h"
#include "core/roster.h"

struct job *lease_find(const struct core *core, const struct token *token); /* NULL = not valid any more */
/* New token, job frame, and at the first time workflow_started. */
void lease_grant(struct core *core, struct job *job, struct worker *worker);
/* After a restart: the job is leased to a worker that has not shown up yet. */
void lease_restore(struct core *core, struct job *job);
/* The worker names the token: it has the job and keeps it for another lease time. */
void lease_renew(struct core *core, struct job *job, struct worker *worker);
/* The token is void from now on. Harmless when there is none. */
void lease_end(struct core *core, struct job *job);
/* The worker is gone: the job rests and goes on elsewhere, or fails when it had its attempts. `cause` in words. */
void lease_lost(struct core *core, struct job *job, const char *cause);
/* What the job's present step reads is lost: the job goes on at the step that made it, and that attempt is nobody's
 * fault. false: no step made it, and nothing has happened. */
bool lease_set_back(struct core *core, struct job *job, const char *cause);
/* The worker drains: the job goes on elsewhere at once and keeps its attempts. */
void lease_back(struct core *core, struct job *job);
void lease_revoke(struct core *core, const struct peer *peer, const struct token *token, const char *reason);
/* Leases that ran out, rests that are over, runs that took too long. */
void lease_tick(struct core *core);
/* Hands out jobs as long as there are turns and free slots. */
void lease_dispatch(struct core *core);

#endif
