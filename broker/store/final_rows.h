/* final_rows - the rows that the changes of one transaction come to: that of a chat, job or step once, as it is in the
 * end.
 *
 * Nobody sees half a transaction, so of several states of a row only the last one need reach SQLite. What is only ever
 * added (messages, files, events, answers, to-delete entries) keeps its order. The end of a chat is no row: what came
 * before it must be written first. One thread. */
#ifndef FINAL_ROWS_H
#define FINAL_ROWS_H

#include "core/change.h"

struct final_rows;

enum err final_rows_new(struct final_rows **out) MUST_CHECK;
void final_rows_destroy(struct final_rows **self_p);
void final_rows_clear(struct final_rows *self);

/* Any change but CHANGE_CHAT_DELETE; its texts are borrowed until final_rows_clear(). */
enum err final_rows_add(struct final_rows *self, const struct change *change) MUST_CHECK;
/* There are as many rows as there should be at once: time to write them. */
bool final_rows_full(const struct final_rows *self);

/* The rows of a kind in the order in which each came first. Among the chats an event stands for a chat whose own row
 * does not come, but whose head it moves; among the events it is the row alone. */
size_t final_rows_count(const struct final_rows *self, enum change_kind kind);
const struct change *final_rows_at(const struct final_rows *self, enum change_kind kind, size_t i);

#endif
