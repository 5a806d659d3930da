#include "core/chat.h"

#include "clock.h"
#include "core/job.h"
#include "core/participant.h"
#include "event.h"

#include <stdlib.h>
#include <string.h>

struct chat *chat_find(const struct core *core, const char *id)
{
    return strmap_get(core->chats, id, strlen(id));
}

struct chat *chat_new(struct core *core, const char *id)
{
    struct chat *self = core_alloc(core, sizeof *self);
    if (!self)
        return NULL;
    size_t len = strlen(id);
    memcpy(self->id, id, len + 1);
    self->generation = ++core->generations;
    self->used_ms = core->now.mono_ms;
    enum err err = strmap_put(core->chats, id, len, self, NULL);
    if (err == ERR_OK)
        return self;
    core_fail(core, err);
    free(self);
    return NULL;
}

struct tail_event *tail_event_new(struct core *core, const char *type, uint64_t seq, const char *body, size_t len)
{
    struct tail_event *event = core_alloc(core, sizeof *event + len + 1);
    if (!event)
        return NULL;
    const struct event_type *known = event_type_find(type, strlen(type));
    event->seq = seq;
    event->terminal = known && known->terminal;
    event->len = len;
    memcpy(event->body, body, len);
    return event;
}

void tail_event_free(struct tail_event *event)
{
    if (!event)
        return;
    free(event->closing_key);
    free(event->closing);
    free(event);
}

static void drop_oldest(const struct core *core, struct chat *self)
{
    struct tail_event **slot = &self->tail[self->tail_at];
    self->tail_bytes -= (*slot)->len;
    tail_event_free(*slot);
    *slot = NULL;
    self->tail_at = (self->tail_at + 1) % core->settings.chat_events_kept;
    self->tail_count--;
}

static void free_progress(struct step_progress *progress)
{
    free(progress->key);
    free(progress->body);
}

static void free_jobs(struct core *core, struct chat *self)
{
    while (self->jobs) {
        struct job *job = self->jobs;
        job_unlink(core, job);
        job_destroy(core, job);
    }
    if (self->newest)
        job_destroy(core, self->newest);
    self->newest = NULL;
}

void chat_clear(struct core *core, struct chat *self)
{
    free_jobs(core, self);
    turns_leave(&core->turns, &self->turn);
    while (self->tail_count > 0)
        drop_oldest(core, self);
    for (size_t i = 0; i < self->file_count; i++) {
        free(self->files[i].name);
        free(self->files[i].key);
    }
    self->file_count = 0;
    for (uint32_t i = 0; i < self->progress_count; i++)
        free_progress(&self->progress[i]);
    self->progress_count = 0;
    free(self->metadata);
    self->metadata = NULL;
    self->exists = self->room = false;
    self->status = CHAT_CREATED;
    self->participant_name[0] = self->partition[0] = self->epoch[0] = '\0';
    self->head = 0;
    self->cleared = core->turn + 1;
    self->generation = ++core->generations;
}

bool chat_cleared_now(const struct core *core, const struct chat *self)
{
    return self->cleared == core->turn + 1;
}

void chat_destroy(struct core *core, struct chat *self)
{
    strmap_take(core->chats, self->id, strlen(self->id));
    chat_clear(core, self);
    free(self->files);
    free(self->tail);
    free(self);
}

bool chat_idle(const struct chat *self, int64_t now_ms, int64_t idle_ms)
{
    return !self->jobs && !self->follows && (!self->exists || now_ms - self->used_ms >= idle_ms);
}

void chat_found(struct core *core, struct chat *self, bool room)
{
    if (!self->exists) {
        self->created_us = core->now.wall_us;
        core_hex(core, self->epoch, EPOCH_MAX - 1);
        char partition[CLOCK_TEXT_MAX];
        size_t len = clock_format(core->now.wall_us, "%Y/%m", partition);
        memcpy(self->partition, partition, len < PARTITION_MAX ? len + 1 : 0);
        self->metadata = core_copy_text(core, "{}");
    }
    if (!room && self->participant_name[0] == '\0')
        participant_name(core, self->participant_name);
    if (room && !self->exists)
        core->rooms++;
    else if (!room && self->room)
        core->rooms--;
    self->exists = true;
    self->room = room;
}

void chat_put(struct core *core, struct chat *self)
{
    self->updated_us = core->now.wall_us;
    core_change(core, &(struct change){.kind = CHANGE_CHAT_PUT,
                                       .of.chat = {.chat_id = self->id,
                                                   .room = self->room,
                                                   .participant_name = self->participant_name,
                                                   .status = self->status,
                                                   .partition_key = self->partition,
                                                   .metadata = self->metadata,
                                                   .epoch = self->epoch,
                                                   .head = self->head,
                                                   .created_us = self->created_us,
                                                   .updated_us = self->updated_us}});
}

void chat_add_file(struct core *core, struct chat *self, const char *name, const char *key, enum file_type type)
{
    if (self->file_count == self->file_room) {
        size_t room = self->file_room ? self->file_room * 2 : 8;
        struct chat_file *files = realloc(self->files, room * sizeof *files);
        if (!files) {
            core_fail(core, ERR_MEMORY);
            return;
        }
        self->files = files;
        self->file_room = room;
    }
    struct chat_file file = {core_copy_text(core, name), core_copy_text(core, key), type};
    self->files[self->file_count++] = file;
}

const struct chat_file *chat_last_upload(const struct chat *self)
{
    for (size_t i = self->file_count; i > 0; i--)
        if (self->files[i - 1].type == FILE_UPLOADED)
            return &self->files[i - 1];
    return NULL;
}

bool chat_name_taken(const struct chat *self, const char *name)
{
    for (size_t i = 0; i < self->file_count; i++)
        if (strcmp(self->files[i].name, name) == 0)
            return true;
    return false;
}

const char *chat_result_key(const struct chat *self, const char *name)
{
    for (size_t i = self->file_count; i > 0; i--) {
        const struct chat_file *file = &self->files[i - 1];
        if (file->type == FILE_RESULT && strcmp(file->name, name) == 0)
            return file->key;
    }
    return NULL;
}

enum err chat_path(const struct core *core, const struct chat *self, enum file_type type, const char *name,
                   struct buf *out)
{
    return buf_printf(out, "%s/%s/%s/%s/%s", core->settings.workflows_path, self->partition, self->id,
                      file_type_folder(type), name);
}

void chat_tail_push(struct core *core, struct chat *self, struct tail_event *event)
{
    uint32_t max = core->settings.chat_events_kept;
    if (!self->tail)
        self->tail = core_alloc(core, max * sizeof(struct tail_event *));
    if (!self->tail) {
        tail_event_free(event);
        return;
    }
    while (self->tail_count > 0 && (self->tail_count == max || self->tail_bytes + event->len > CHAT_TAIL_BYTES))
        drop_oldest(core, self);
    self->tail[(self->tail_at + self->tail_count++) % max] = event;
    self->tail_bytes += event->len;
}

const struct tail_event *chat_tail_find(const struct core *core, const struct chat *self, uint64_t seq)
{
    if (self->tail_count == 0)
        return NULL;
    uint64_t first = self->tail[self->tail_at]->seq;
    if (seq < first || seq - first >= self->tail_count)
        return NULL;
    return self->tail[(self->tail_at + (uint32_t)(seq - first)) % core->settings.chat_events_kept];
}

void chat_progress_drop(struct chat *self, const char *key)
{
    for (uint32_t i = 0; i < self->progress_count; i++) {
        if (strcmp(self->progress[i].key, key) != 0)
            continue;
        free_progress(&self->progress[i]);
        memmove(&self->progress[i], &self->progress[i + 1], (self->progress_count - i - 1) * sizeof *self->progress);
        self->progress_count--;
        return;
    }
}

void chat_progress_drop_job(struct chat *self, const struct job *job)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < self->progress_count; i++) {
        if (self->progress[i].job == job)
            free_progress(&self->progress[i]);
        else
            self->progress[left++] = self->progress[i];
    }
    self->progress_count = left;
}

void chat_progress_put(struct core *core, struct chat *self, const char *key, char *body, size_t len,
                       const struct job *job)
{
    char *kept_key = core_copy_text(core, key);
    if (!kept_key || !body) {
        free(kept_key);
        free(body);
        return;
    }
    chat_progress_drop(self, key);
    if (self->progress_count == CHAT_PROGRESS_MAX) {
        free_progress(&self->progress[0]);
        memmove(&self->progress[0], &self->progress[1], (CHAT_PROGRESS_MAX - 1) * sizeof *self->progress);
        self->progress_count--;
    }
    self->progress[self->progress_count++] = (struct step_progress){kept_key, body, len, job, ++self->progress_newest};
}
