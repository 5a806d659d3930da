/* unapplied - what the batches touch that are in the journal and not yet in SQLite, so that a read waits for the
 * applier only when it concerns one of them. Kept by the writer's thread; a handful of small entries a batch. */
#ifndef UNAPPLIED_H
#define UNAPPLIED_H

#include "core/change.h"

struct unapplied;

enum err unapplied_new(struct unapplied **out) MUST_CHECK;
void unapplied_destroy(struct unapplied **self_p);

/* Notes a batch that is in the journal under that number. Without memory for its entries, everything counts as touched
 * by it. */
void unapplied_note(struct unapplied *self, const struct changes *batch, uint64_t number);
/* Forgets what is in SQLite by now. */
void unapplied_drop(struct unapplied *self, uint64_t applied);

/* The newest batch a read of this must not miss; 0 = none. */
uint64_t unapplied_chat(const struct unapplied *self, const char *chat_id);
uint64_t unapplied_answer(const struct unapplied *self, const unsigned char id[REQUEST_ID_LEN]);
uint64_t unapplied_event_id(const struct unapplied *self, const char *chat_id, const char *event_id);
uint64_t unapplied_garbage(const struct unapplied *self);

#endif
