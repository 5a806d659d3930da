#include "model_store.h"

#include "referee.h"
#include "store/unapplied.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)256 << 10)

struct chunk {
    struct chunk *next;
    size_t used, size;
    char bytes[];
};

struct store {
    struct world *world;
    struct chunk *chunks; /* rows are never freed one by one */
    uint64_t term, commits;
    uint64_t applied; /* the newest commit that SQLite has */
    struct unapplied *unapplied;
    struct chance lag; /* of SQLite: apart, as it changes nothing that anybody sees */
    struct model_chat chats[ALL_CHATS];
    struct model_history *histories;
    struct model_job *jobs, **last_job;
    struct model_answer *answers;
};

/* ---- memory ---- */

static void *take(struct store *self, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!self->chunks || self->chunks->size - self->chunks->used < size) {
        size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        struct chunk *chunk = malloc(sizeof *chunk + room);
        if (!chunk)
            abort();
        *chunk = (struct chunk){.next = self->chunks, .size = room};
        self->chunks = chunk;
    }
    void *at = self->chunks->bytes + self->chunks->used;
    self->chunks->used += size;
    return memset(at, 0, size);
}

static const char *keep(struct store *self, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    char *copy = take(self, len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    return copy;
}

/* A list that doubles; the old one stays where it is. */
static void *grow(struct store *self, void *list, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return list;
    size_t wider = *room ? *room * 2 : 16;
    void *next = take(self, wider * size);
    if (count > 0)
        memcpy(next, list, count * size);
    *room = wider;
    return next;
}

enum err model_store_new(struct store **out, struct world *world)
{
    struct store *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    self->world = world;
    self->last_job = &self->jobs;
    chance_init(&self->lag, world->seed);
    return unapplied_new(&self->unapplied);
}

void model_store_free(struct store **self_p)
{
    struct store *self = *self_p;
    *self_p = NULL;
    while (self && self->chunks) {
        struct chunk *chunk = self->chunks;
        self->chunks = chunk->next;
        free(chunk);
    }
    if (self)
        unapplied_destroy(&self->unapplied);
    free(self);
}

/* ---- looking ---- */

int model_chat_number(const char *chat_id)
{
    for (int i = 0; i < CHATS; i++)
        if (strcmp(world_chats[i], chat_id) == 0)
            return i;
    return -1;
}

int model_chat_any(const struct world *world, const char *chat_id)
{
    int number = model_chat_number(chat_id);
    for (int i = CHATS; number < 0 && i < ALL_CHATS; i++)
        if (world->disk->chats[i].exists && strcmp(world->disk->chats[i].id, chat_id) == 0)
            number = i;
    return number;
}

const char *model_chat_name(const struct world *world, int chat)
{
    return chat < 0 ? "a new chat" : chat < CHATS ? world_chats[chat] : world->disk->chats[chat].id;
}

const struct model_chat *model_chat(const struct world *world, int chat)
{
    return &world->disk->chats[chat];
}

struct model_history *model_histories(const struct world *world)
{
    return world->disk->histories;
}

const struct model_history *model_history(const struct world *world, const char *chat_id, const char *epoch)
{
    struct model_history *history = world->disk->histories;
    while (history && (strcmp(history->epoch, epoch) != 0 || strcmp(history->chat_id, chat_id) != 0))
        history = history->next;
    return history;
}

struct model_job *model_jobs(const struct world *world)
{
    return world->disk->jobs;
}

struct model_job *model_job(const struct world *world, const char *job_id)
{
    struct model_job *found = NULL;
    for (struct model_job *job = world->disk->jobs; job; job = job->next)
        if ((!found || found->gone) && strcmp(job->row.job_id, job_id) == 0)
            found = job;
    return found;
}

const struct answer_row *model_answer(const struct world *world, const unsigned char id[REQUEST_ID_LEN])
{
    const struct model_answer *answer = world->disk->answers;
    while (answer && (answer->gone || memcmp(answer->row.request_id, id, REQUEST_ID_LEN) != 0))
        answer = answer->next;
    return answer ? &answer->row : NULL;
}

const struct model_answer *model_answers(const struct world *world)
{
    return world->disk->answers;
}

uint64_t model_commits(const struct world *world)
{
    return world->disk->commits;
}

/* As store_trim_events() does it: never while a job of the chat is open. */
void model_trim(struct world *world, int number)
{
    const struct model_chat *chat = &world->disk->chats[number];
    struct model_history *history = chat->history;
    for (const struct model_job *job = world->disk->jobs; job; job = job->next)
        if (!job->gone && !job_status_final(job->row.status) && strcmp(job->row.chat_id, world_chats[number]) == 0)
            return;
    if (!chat->exists || history->count == history->trimmed)
        return;
    history->trimmed += 1 + chance_below(&world->chance, (uint32_t)(history->count - history->trimmed));
    TRACE(world, "retention: %s begins behind seq %zu", history->chat_id, history->trimmed);
}

bool model_token_before(struct token a, struct token b)
{
    return a.term < b.term || (a.term == b.term && a.counter < b.counter);
}

/* ---- writing ---- */

/* NULL: there is no place for another one; the referee has said so. */
static struct model_chat *place_of(struct store *self, const char *chat_id)
{
    int number = model_chat_any(self->world, chat_id);
    if (number >= 0)
        return &self->chats[number];
    for (struct model_chat *chat = self->chats + CHATS; chat < self->chats + ALL_CHATS; chat++) {
        if (chat->exists)
            continue;
        *chat = (struct model_chat){.deletions = chat->deletions, .deleted = chat->deleted};
        memcpy(chat->id, chat_id, strlen(chat_id) + 1);
        return chat;
    }
    return NULL;
}

static void put_chat(struct store *self, const struct chat_row *row)
{
    struct model_chat *chat = place_of(self, row->chat_id);
    if (!chat)
        return;
    if (!chat->exists) {
        chat->history = take(self, sizeof *chat->history);
        *chat->history = (struct model_history){
            .next = self->histories, .chat_id = keep(self, row->chat_id), .epoch = keep(self, row->epoch)};
        self->histories = chat->history;
        chat->history->commit = self->commits;
        chat->history->restored = chat->deleted > 0 && chat->deleted == self->commits;
        chat->file_count = 0;
    }
    chat->exists = true;
    chat->row = *row;
    chat->row.chat_id = chat->history->chat_id;
    chat->row.epoch = chat->history->epoch;
    chat->row.participant_name = keep(self, row->participant_name);
    chat->row.partition_key = keep(self, row->partition_key);
    chat->row.metadata = keep(self, row->metadata);
}

static void delete_chat(struct store *self, const char *chat_id)
{
    struct model_chat *chat = &self->chats[model_chat_any(self->world, chat_id)];
    chat->exists = false;
    chat->history->ended = self->commits;
    chat->deletions++;
    chat->deleted = self->commits;
    for (struct model_answer *answer = self->answers; answer; answer = answer->next) {
        if (answer->gone || !answer->row.keyed || strcmp(answer->row.chat_id, chat_id) != 0)
            continue;
        answer->gone = true;
        answer->ended = self->commits;
    }
    for (struct model_job *job = self->jobs; job; job = job->next)
        if (strcmp(job->row.chat_id, chat_id) == 0)
            job->gone = true;
}

static void put_job(struct store *self, const struct job_row *row)
{
    struct model_job *job = model_job(self->world, row->job_id);
    if (!job || job->gone) {
        job = take(self, sizeof *job);
        job->restored = job_status_final(row->status);
        job->row = *row;
        job->row.job_id = keep(self, row->job_id);
        job->row.chat_id = keep(self, row->chat_id);
        job->row.input_name = keep(self, row->input_name);
        job->row.input_key = keep(self, row->input_key);
        job->row.trace = keep(self, row->trace);
        job->row.retry_of = keep(self, row->retry_of);
        job->steps = take(self, (row->total_steps ? row->total_steps : 1) * sizeof *job->steps);
        job->fresh = true;
        *self->last_job = job;
        self->last_job = &job->next;
    }
    job->touched = true;
    job->row.status = row->status;
    job->row.set_back = row->set_back;
    job->row.spools_gone = row->spools_gone;
    job->row.attempts = row->attempts;
    job->row.token = row->token;
    job->row.last_number = row->last_number;
    job->row.error = keep(self, row->error);
    job->row.started_us = row->started_us;
    job->row.completed_us = row->completed_us;
}

static void put_step(struct store *self, const struct step_row *row)
{
    struct model_job *job = model_job(self->world, row->job_id);
    if (!job || row->index >= job->row.total_steps)
        return; /* the referee has said so */
    struct step_row *step = &job->steps[row->index];
    bool fresh = !step->step_id;
    struct step_row old = *step;
    *step = *row;
    step->job_id = job->row.job_id;
    step->chat_id = job->row.chat_id;
    step->step_id = fresh ? keep(self, row->step_id) : old.step_id;
    step->operation = fresh ? keep(self, row->operation) : old.operation;
    step->arguments = fresh ? keep(self, row->arguments) : old.arguments;
    step->input_file = keep(self, row->input_file);
    step->output_file = keep(self, row->output_file);
    step->spool_key = keep(self, row->spool_key);
    step->result = keep(self, row->result);
    step->error_message = keep(self, row->error_message);
}

static void add_event(struct store *self, const struct event_row *row)
{
    struct model_chat *chat = &self->chats[model_chat_any(self->world, row->chat_id)];
    struct model_history *history = chat->history;
    history->events = grow(self, history->events, history->count, &history->room, sizeof *history->events);
    history->commits = grow(self, history->commits, history->count, &history->commits_room, sizeof *history->commits);
    history->commits[history->count] = self->commits;
    struct event_row *event = &history->events[history->count++];
    if (history->commit == self->commits)
        history->begun = history->count;
    *event = *row;
    event->chat_id = history->chat_id;
    event->type = keep(self, row->type);
    event->job_id = keep(self, row->job_id);
    event->event_id = keep(self, row->event_id);
    event->body = keep(self, row->body);
    chat->row.head = row->seq;
}

static void add_file(struct store *self, const struct file_row *row)
{
    struct model_chat *chat = &self->chats[model_chat_any(self->world, row->chat_id)];
    chat->files = grow(self, chat->files, chat->file_count, &chat->file_room, sizeof *chat->files);
    struct file_row *file = &chat->files[chat->file_count++];
    *file = *row;
    file->file_id = keep(self, row->file_id);
    file->chat_id = chat->row.chat_id;
    file->name = keep(self, row->name);
    file->key = keep(self, row->key);
    file->job_id = keep(self, row->job_id);
}

static void put_answer(struct store *self, const struct answer_row *row)
{
    struct model_answer *answer = take(self, sizeof *answer);
    answer->row = *row;
    answer->row.message = keep(self, row->message);
    answer->row.body = keep(self, row->body);
    answer->row.job_id = keep(self, row->job_id);
    answer->row.chat_id = keep(self, row->chat_id);
    answer->commit = self->commits;
    answer->next = self->answers;
    self->answers = answer;
    struct model_job *job = row->job_id[0] ? model_job(self->world, row->job_id) : NULL;
    if (job)
        job->has_answer = true;
    for (struct model_chat *chat = self->chats + CHATS; chat < self->chats + ALL_CHATS; chat++)
        if (chat->exists && strstr(row->body, chat->id))
            chat->answered = true;
}

static const char *chat_of(const struct change *change)
{
    switch (change->kind) {
    case CHANGE_CHAT_PUT:
    case CHANGE_CHAT_DELETE: return change->of.chat.chat_id;
    case CHANGE_MESSAGE_ADD: return change->of.message.chat_id;
    case CHANGE_FILE_ADD: return change->of.file.chat_id;
    case CHANGE_JOB_PUT: return change->of.job.chat_id;
    case CHANGE_STEP_PUT: return change->of.step.chat_id;
    case CHANGE_EVENT_ADD: return change->of.event.chat_id;
    case CHANGE_ANSWER_PUT:
    case CHANGE_GARBAGE_ADD: return NULL;
    }
    return NULL;
}

static void touch(struct store *self, const struct change *change)
{
    const char *chat_id = chat_of(change);
    int number = chat_id ? model_chat_any(self->world, chat_id) : -1;
    if (number >= 0)
        self->chats[number].touched = self->commits;
}

static void apply(struct store *self, const struct change *change)
{
    touch(self, change);
    switch (change->kind) {
    case CHANGE_CHAT_PUT: put_chat(self, &change->of.chat); break;
    case CHANGE_CHAT_DELETE: delete_chat(self, change->of.chat.chat_id); break;
    case CHANGE_MESSAGE_ADD: break;
    case CHANGE_FILE_ADD: add_file(self, &change->of.file); break;
    case CHANGE_JOB_PUT: put_job(self, &change->of.job); break;
    case CHANGE_STEP_PUT: put_step(self, &change->of.step); break;
    case CHANGE_EVENT_ADD: add_event(self, &change->of.event); break;
    case CHANGE_ANSWER_PUT: put_answer(self, &change->of.answer); break;
    case CHANGE_GARBAGE_ADD: break;
    }
}

enum err store_commit(struct store *self, const struct changes *batch, struct fault *why)
{
    struct world *world = self->world;
    if (world_strikes(world, FAULT_NO_SPACE))
        return fault_set(why, ERR_NO_SPACE, "the disk is full");
    if (world_strikes(world, FAULT_COMMIT_REFUSED))
        return fault_set(why, ERR_INTERNAL, "the store refuses");
    if (world_strikes(world, FAULT_CRASH_BEFORE_DISK))
        return fault_set(why, ERR_IO, "killed");
    unapplied_drop(self->unapplied, self->applied);
    unapplied_note(self->unapplied, batch, ++self->commits);
    for (size_t i = 0; i < changes_count(batch) && !world->failed; i++) {
        referee_change(world, changes_at(batch, i));
        if (!world->failed)
            apply(self, changes_at(batch, i));
    }
    referee_committed(world);
    if (world_strikes(world, FAULT_CRASH_AFTER_DISK))
        return fault_set(why, ERR_IO, "killed");
    return ERR_OK;
}

/* ---- reading ---- */

enum err store_open(struct store **out, const char *path, uint64_t *term, struct fault *why)
{
    struct store *self = *out;
    (void)path;
    (void)why;
    *term = ++self->term;
    unapplied_destroy(&self->unapplied);
    self->applied = self->commits; /* the journal was replayed */
    return unapplied_new(&self->unapplied);
}

/* As in sqlite_load.c: `batch` is what the read waits for, and then SQLite may be no further. */
static void see(struct store *self, uint64_t batch, uint64_t touched, const char *what)
{
    if (chance_hit(&self->lag, 300))
        self->applied = self->commits;
    if (touched > self->applied)
        world_saw(self->world, INV_READS_SEE);
    if (batch > self->applied)
        self->applied = batch;
    if (touched > self->applied)
        world_fail(self->world, INV_READS_SEE, "%s: what commit %llu wrote is asked for when SQLite has %llu", what,
                   (unsigned long long)touched, (unsigned long long)self->applied);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t answer_touched(const struct store *self, const unsigned char *id)
{
    uint64_t touched = 0;
    for (const struct model_answer *answer = self->answers; answer; answer = answer->next)
        if (memcmp(answer->row.request_id, id, REQUEST_ID_LEN) == 0)
            touched = later(touched, later(answer->commit, answer->ended));
    return touched;
}

static uint64_t event_touched(const struct store *self, const char *chat_id, const char *event_id)
{
    uint64_t touched = 0;
    for (const struct model_history *history = self->histories; history; history = history->next)
        for (size_t i = 0; i < history->count && strcmp(history->chat_id, chat_id) == 0; i++)
            if (strcmp(history->events[i].event_id, event_id) == 0)
                touched = later(touched, later(history->commits[i], history->ended));
    return touched;
}

static enum err read_error(struct store *self, struct fault *why)
{
    return world_strikes(self->world, FAULT_READ_ERROR) ? fault_set(why, ERR_IO, "the disk cannot be read") : ERR_OK;
}

static bool is_open(const struct model_job *job)
{
    return !job->gone && !job_status_final(job->row.status);
}

static const struct model_job *newest_of(const struct store *self, const char *chat_id)
{
    const struct model_job *newest = NULL;
    for (const struct model_job *job = self->jobs; job; job = job->next)
        if (!job->gone && strcmp(job->row.chat_id, chat_id) == 0 &&
            (!newest || job->row.submitted_us > newest->row.submitted_us))
            newest = job;
    return newest;
}

static enum err load_job(const struct model_job *job, const struct store_load *to)
{
    enum err err = to->job(to->context, &job->row);
    for (uint32_t i = 0; i < job->row.total_steps && err == ERR_OK; i++)
        err = to->step(to->context, &job->steps[i]);
    return err;
}

/* In the order of submitted_us, as the real record sorts them. */
static enum err load_jobs(const struct store *self, const char *chat_id, const struct store_load *to)
{
    const struct model_job *newest = newest_of(self, chat_id);
    int64_t after = INT64_MIN;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        const struct model_job *next = NULL;
        for (const struct model_job *job = self->jobs; job; job = job->next)
            if (strcmp(job->row.chat_id, chat_id) == 0 && (is_open(job) || job == newest) &&
                job->row.submitted_us > after && (!next || job->row.submitted_us < next->row.submitted_us))
                next = job;
        if (!next)
            return ERR_OK;
        after = next->row.submitted_us;
        err = load_job(next, to);
    }
    return err;
}

enum err store_load_chat(struct store *self, const char *chat_id, uint32_t events, const struct store_load *to,
                         struct fault *why)
{
    enum err err = read_error(self, why);
    int number = model_chat_any(self->world, chat_id);
    if (err != ERR_OK)
        return err;
    if (number >= 0)
        see(self, unapplied_chat(self->unapplied, chat_id), self->chats[number].touched, chat_id);
    if (number < 0 || !self->chats[number].exists)
        return ERR_NOT_FOUND;
    const struct model_chat *chat = &self->chats[number];
    const struct model_history *history = chat->history;
    err = to->chat(to->context, &chat->row);
    if (err == ERR_OK)
        err = load_jobs(self, chat_id, to);
    size_t first = history->count > events ? history->count - events : 0;
    for (size_t i = first > history->trimmed ? first : history->trimmed; i < history->count && err == ERR_OK; i++)
        err = to->event(to->context, &history->events[i]);
    for (size_t i = 0; i < chat->file_count && err == ERR_OK; i++)
        err = to->file(to->context, &chat->files[i]);
    return err;
}

enum err store_load_job(struct store *self, const char *chat_id, const char *job_id, const struct store_load *to,
                        struct fault *why)
{
    enum err err = read_error(self, why);
    const struct model_job *job = model_job(self->world, job_id);
    int number = model_chat_any(self->world, chat_id);
    if (err != ERR_OK)
        return err;
    if (number >= 0)
        see(self, unapplied_chat(self->unapplied, chat_id), self->chats[number].touched, job_id);
    return job && !job->gone && strcmp(job->row.chat_id, chat_id) == 0 ? load_job(job, to) : ERR_NOT_FOUND;
}

enum err store_busy_chats(struct store *self, enum err (*each)(void *context, const char *chat_id), void *context,
                          struct fault *why)
{
    (void)why;
    bool told[ALL_CHATS] = {false};
    enum err err = ERR_OK;
    for (const struct model_job *job = self->jobs; job && err == ERR_OK; job = job->next) {
        int number = model_chat_any(self->world, job->row.chat_id);
        if (!is_open(job) || told[number])
            continue;
        told[number] = true;
        err = each(context, job->row.chat_id);
    }
    return err;
}

enum err store_find_answer(struct store *self, const unsigned char id[REQUEST_ID_LEN], struct answer_row *out,
                           struct buf *space, struct fault *why)
{
    (void)space;
    enum err err = read_error(self, why);
    const struct answer_row *row = model_answer(self->world, id);
    if (err == ERR_OK)
        see(self, unapplied_answer(self->unapplied, id), answer_touched(self, id), "an answer");
    if (err == ERR_OK && row)
        *out = *row;
    return err == ERR_OK && !row ? ERR_NOT_FOUND : err;
}

enum err store_counts(struct store *self, uint64_t *rooms, uint64_t *open_jobs, struct fault *why)
{
    (void)why;
    self->world->rebuilds++;
    self->applied = self->commits;
    *rooms = *open_jobs = 0;
    for (int i = 0; i < ALL_CHATS; i++)
        *rooms += self->chats[i].exists && self->chats[i].row.room;
    for (const struct model_job *job = self->jobs; job; job = job->next)
        *open_jobs += is_open(job);
    return ERR_OK;
}

bool model_event(const struct world *world, const char *chat_id, const char *event_id, uint64_t *seq)
{
    int number = model_chat_any(world, chat_id);
    if (number < 0 || !world->disk->chats[number].exists)
        return false;
    const struct model_history *history = world->disk->chats[number].history;
    for (size_t i = history->trimmed; i < history->count; i++) {
        if (strcmp(history->events[i].event_id, event_id) != 0)
            continue;
        *seq = history->events[i].seq;
        return true;
    }
    return false;
}

enum err store_find_event_id(struct store *self, const char *chat_id, const char *event_id, uint64_t *seq,
                             struct fault *why)
{
    enum err err = read_error(self, why);
    if (err == ERR_OK)
        see(self, unapplied_event_id(self->unapplied, chat_id, event_id), event_touched(self, chat_id, event_id),
            event_id);
    return err != ERR_OK ? err : model_event(self->world, chat_id, event_id, seq) ? ERR_OK : ERR_NOT_FOUND;
}
