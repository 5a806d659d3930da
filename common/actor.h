/* actor - a thread that owns its state and sockets and is spoken to only by its mailbox.
 *
 * actor_start() returns when the body has called actor_ready() (with the body's own error, so a failed start is known
 * to the starter). actor_stop() puts MAIL_STOP into the box and joins; a body that does not end within the deadline is
 * our bug and aborts the process with a log line. */
#ifndef ACTOR_H
#define ACTOR_H

#include "mail.h"

struct actor;

/* The body runs in the new thread and returns when it has taken MAIL_STOP or failed. It must call actor_ready() once.
 */
typedef void actor_body(struct actor *self, struct mailbox *box, void *arg);

/* `name` shows in logs and as the thread's name (15 bytes). arg is borrowed until actor_stop() returns. */
enum err actor_start(struct actor **out, const char *name, size_t letters_max, actor_body *body, void *arg,
                     struct fault *why) MUST_CHECK;
void actor_ready(struct actor *self, enum err err, const struct fault *why);
/* mailbox_put() for callers who have only the actor. */
enum err actor_tell(struct actor *self, const struct mail *letter) MUST_CHECK;
void actor_stop(struct actor **self_p, int deadline_ms);

#endif
