/* mail - bounded mailboxes between threads: a many-writer, one-reader queue with a file descriptor to wait on.
 *
 * A letter is an enum kind, a number and a body the queue owns from mailbox_put() until mailbox_take(). A full box
 * answers ERR_FULL and takes nothing: what then happens is the sender's named policy. The descriptor (an eventfd) is
 * readable while letters wait, so it can be polled beside ZeroMQ sockets or adopted by an event loop. */
#ifndef MAIL_H
#define MAIL_H

#include "err.h"

#include <stdint.h>

struct mail {
    int kind;                  /* the reader's own enum; MAIL_STOP is common to all */
    uint64_t number;           /* free for the kind: an id, a count */
    void *body;                /* owned by the letter; NULL allowed */
    size_t len;                /* bytes of body where it is bytes */
    void (*free_body)(void *); /* how to free it when the letter is never read; NULL = free(3) */
};

#define MAIL_STOP (-1) /* the order to stop: always fits, even into a full box */

struct mailbox;

enum err mailbox_new(struct mailbox **out, size_t letters_max) MUST_CHECK;
void mailbox_destroy(struct mailbox **self_p); /* frees unread letters; writers must be gone */
/* Never blocks. ERR_FULL: the box is full, the letter still belongs to the caller. */
enum err mailbox_put(struct mailbox *self, const struct mail *letter) MUST_CHECK;
/* false when empty. The body then belongs to the caller. */
bool mailbox_take(struct mailbox *self, struct mail *out);
int mailbox_fd(const struct mailbox *self); /* readable while letters wait; do not read it */
void mail_fini(struct mail *self);          /* frees the body */

#endif
