/* The list of changes: rows in an array, their texts in blocks that never move. */
#include "core/change.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64
#define BLOCK_SIZE ((size_t)64 << 10)
#define LOOK_BACK  16 /* changes; what one input does to a job lies together */

struct block {
    struct block *next;
    size_t used, room;
    char bytes[];
};

struct changes {
    struct change *list;
    size_t count, room;
    struct block *blocks;
};

enum err changes_new(struct changes **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? ERR_OK : ERR_MEMORY;
}

static void free_blocks(struct changes *self)
{
    while (self->blocks) {
        struct block *next = self->blocks->next;
        free(self->blocks);
        self->blocks = next;
    }
}

void changes_destroy(struct changes **self_p)
{
    struct changes *self = *self_p;
    if (!self)
        return;
    free_blocks(self);
    free(self->list);
    free(self);
    *self_p = NULL;
}

/* One block of the usual size is kept: a turn seldom needs more, and to free so much makes malloc tidy up its lists. */
void changes_clear(struct changes *self)
{
    struct block *kept = self->blocks;
    if (kept && kept->room == BLOCK_SIZE)
        self->blocks = kept->next;
    else
        kept = NULL;
    free_blocks(self);
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
        self->blocks = kept;
    }
    self->count = 0;
}

static struct block *block_for(struct changes *self, size_t len)
{
    if (self->blocks && self->blocks->room - self->blocks->used >= len)
        return self->blocks;
    size_t room = len > BLOCK_SIZE ? len : BLOCK_SIZE;
    struct block *block = malloc(sizeof *block + room);
    if (!block)
        return NULL;
    *block = (struct block){.next = self->blocks, .room = room};
    self->blocks = block;
    return block;
}

/* Replaces *text by a copy of len bytes and a NUL. NULL becomes "". */
static enum err keep_bytes(struct changes *self, const char **text, size_t len)
{
    if (len == 0) {
        *text = "";
        return ERR_OK;
    }
    struct block *block = block_for(self, len + 1);
    if (!block)
        return ERR_MEMORY;
    char *at = block->bytes + block->used;
    memcpy(at, *text, len);
    at[len] = '\0';
    block->used += len + 1;
    *text = at;
    return ERR_OK;
}

static enum err keep(struct changes *self, const char **const *texts, size_t count)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = keep_bytes(self, texts[i], *texts[i] ? strlen(*texts[i]) : 0);
    return err;
}

#define KEEP(self, ...)                                                                                                \
    keep(self, (const char **const[]){__VA_ARGS__}, sizeof((const char **const[]){__VA_ARGS__}) / sizeof(const char **))

static enum err keep_event(struct changes *self, struct event_row *row)
{
    enum err err = KEEP(self, &row->chat_id, &row->type, &row->job_id, &row->event_id);
    return err == ERR_OK ? keep_bytes(self, &row->body, row->body_len) : err;
}

static enum err keep_texts(struct changes *self, struct change *change)
{
    struct chat_row *chat = &change->of.chat;
    struct message_row *message = &change->of.message;
    struct file_row *file = &change->of.file;
    struct job_row *job = &change->of.job;
    struct step_row *step = &change->of.step;
    struct answer_row *answer = &change->of.answer;
    switch (change->kind) {
    case CHANGE_CHAT_PUT:
    case CHANGE_CHAT_DELETE:
        return KEEP(self, &chat->chat_id, &chat->participant_name, &chat->partition_key, &chat->metadata, &chat->epoch);
    case CHANGE_MESSAGE_ADD:
        return KEEP(self, &message->message_id, &message->chat_id, &message->message_type, &message->content,
                    &message->metadata);
    case CHANGE_FILE_ADD: return KEEP(self, &file->file_id, &file->chat_id, &file->name, &file->key, &file->job_id);
    case CHANGE_JOB_PUT:
        return KEEP(self, &job->job_id, &job->chat_id, &job->input_name, &job->input_key, &job->trace, &job->error,
                    &job->retry_of);
    case CHANGE_STEP_PUT:
        return KEEP(self, &step->step_id, &step->chat_id, &step->job_id, &step->operation, &step->arguments,
                    &step->input_file, &step->output_file, &step->spool_key, &step->result, &step->error_message);
    case CHANGE_EVENT_ADD: return keep_event(self, &change->of.event);
    case CHANGE_ANSWER_PUT: return KEEP(self, &answer->message, &answer->body, &answer->job_id, &answer->chat_id);
    case CHANGE_GARBAGE_ADD: return KEEP(self, &change->of.garbage_key);
    }
    return ERR_INTERNAL;
}

/* A row of a job under the same lease, or of a step in the same state, put again: who applies the batch in its order
 * sees nothing of the first one. What another lease did in between is told apart by it, and stays; so does the row a
 * job begins with, for what happens to it comes after it. */
static bool superseded(const struct change *old, const struct change *by)
{
    if (old->kind != by->kind)
        return false;
    if (old->kind == CHANGE_JOB_PUT)
        return old->of.job.status != JOB_PENDING && old->of.job.token.counter == by->of.job.token.counter &&
               old->of.job.token.term == by->of.job.token.term && strcmp(old->of.job.job_id, by->of.job.job_id) == 0;
    return old->kind == CHANGE_STEP_PUT && old->of.step.status == by->of.step.status &&
           old->of.step.index == by->of.step.index && strcmp(old->of.step.job_id, by->of.step.job_id) == 0;
}

/* The newest change may make an earlier row needless: the order of the others stays. */
static void drop_superseded(struct changes *self)
{
    const struct change *newest = &self->list[self->count - 1];
    size_t first = self->count > LOOK_BACK ? self->count - LOOK_BACK : 0;
    for (size_t i = self->count - 1; i-- > first && self->list[i].kind != CHANGE_CHAT_DELETE;) {
        if (!superseded(&self->list[i], newest))
            continue;
        memmove(&self->list[i], &self->list[i + 1], (self->count - i - 1) * sizeof *self->list);
        self->count--;
        return;
    }
}

enum err changes_add(struct changes *self, const struct change *change)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : FIRST_ROOM;
        struct change *list = realloc(self->list, room * sizeof *list);
        if (!list)
            return ERR_MEMORY;
        self->list = list;
        self->room = room;
    }
    self->list[self->count] = *change;
    enum err err = keep_texts(self, &self->list[self->count]);
    if (err != ERR_OK)
        return err;
    self->count++;
    if (change->kind == CHANGE_JOB_PUT || change->kind == CHANGE_STEP_PUT)
        drop_superseded(self);
    return ERR_OK;
}

size_t changes_count(const struct changes *self)
{
    return self->count;
}

const struct change *changes_at(const struct changes *self, size_t i)
{
    return &self->list[i];
}
