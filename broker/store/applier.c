#include "store/applier.h"

#include "clock.h"
#include "log.h"
#include "store/change_codec.h"
#include "store/journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define GATHER_MS    200               /* a batch waits so long for others, unless somebody wants to read */
#define GATHER_BYTES ((size_t)4 << 20) /* or until there are so many: far less than a segment of the journal */
#define APPLY_BYTES  ((size_t)4 << 20) /* in one transaction, or one batch */
#define AGAIN_MS     250               /* between attempts of what failed */
#define NICE         10                /* nobody's answer hangs on it as long as there is room in the journal */

struct order {
    enum err (*run)(struct writer *writer, void *context, struct fault *why);
    void *context;
    struct fault *why;
    enum err err;
    bool done;
};

struct applier {
    struct writer *writer;   /* the thread's */
    struct final_rows *rows; /* of the transaction that is under way; the thread's too */
    struct reserve *reserve;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;  /* for the thread: something may have to be done */
    pthread_cond_t done;  /* for all others: something has been done */
    struct applier_batch *first, **end;
    size_t bytes;                   /* of the payloads that wait */
    uint64_t newest, applied, kept; /* numbers: given away; in SQLite; on disk there */
    uint64_t keep;                  /* shall be on disk there */
    uint32_t waiting;               /* threads that want something now */
    int64_t due_ms;                 /* when what waits is applied at the latest */
    struct order order;             /* of the writer's thread */
    bool ordered;                   /* nobody has begun with it */
    uint64_t attempts;              /* transactions that ended, well or not */
    enum err trouble;               /* why nothing new may be accepted; ERR_OK: it may */
    struct fault trouble_why;
    bool broken; /* the trouble does not pass */
    bool stopping;
};

enum err applier_batch_new(struct applier_batch **out, size_t bytes_max)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return ERR_MEMORY;
    (*out)->record = BUF_INIT(bytes_max);
    return ERR_OK;
}

void applier_batch_destroy(struct applier_batch **self_p)
{
    if (*self_p)
        buf_fini(&(*self_p)->record);
    free(*self_p);
    *self_p = NULL;
}

/* ---- the thread: one transaction ---- */

/* What it is about, taken from the list under the lock. */
struct attempt {
    const struct applier_batch *first;
    uint64_t upto;
    bool synced;
    struct fault why;
};

static enum err apply_rows(struct applier *self, struct fault *why)
{
    enum err err = writer_apply_rows(self->writer, self->rows, why);
    final_rows_clear(self->rows);
    return err;
}

/* A chat ends in its turn, as its end takes with it what its rows name. */
static enum err apply_change(struct applier *self, const struct change *change, struct fault *why)
{
    bool ends = change->kind == CHANGE_CHAT_DELETE;
    enum err err = ends || final_rows_full(self->rows) ? apply_rows(self, why) : ERR_OK;
    if (err != ERR_OK)
        return err;
    if (ends)
        return writer_apply(self->writer, change, why);
    return final_rows_add(self->rows, change) == ERR_OK ? ERR_OK : fault_set(why, ERR_MEMORY, "record: out of memory");
}

static enum err apply_batch(struct applier *self, const struct applier_batch *batch, struct fault *why)
{
    struct change_reader reader;
    struct change change;
    struct bytes payload = {batch->record.data + JOURNAL_HEAD, batch->payload};
    enum err err = change_reader_init(&reader, payload, why);
    while (err == ERR_OK && (err = change_reader_next(&reader, &change, why)) == ERR_OK)
        err = apply_change(self, &change, why);
    return err == ERR_END ? ERR_OK : err;
}

static bool passes(enum err err)
{
    return err == ERR_NO_SPACE || err == ERR_UNAVAILABLE || err == ERR_MEMORY;
}

/* Which of them it was, the next start finds out: it applies one after the other. */
static void name_batches(const struct attempt *attempt, struct fault *why)
{
    unsigned long long first = attempt->first ? attempt->first->number : attempt->upto, last = attempt->upto;
    fault_prefix(why, "batches %llu to %llu: ", first, last);
}

static enum err transact(struct applier *self, struct attempt *attempt)
{
    enum err err = writer_begin(self->writer, attempt->synced, &attempt->why);
    final_rows_clear(self->rows);
    for (const struct applier_batch *b = attempt->first; err == ERR_OK && b; b = b->next) {
        err = apply_batch(self, b, &attempt->why);
        if (b->number == attempt->upto)
            break;
    }
    if (err == ERR_OK)
        err = apply_rows(self, &attempt->why);
    if (err != ERR_OK && !passes(err))
        name_batches(attempt, &attempt->why);
    if (err == ERR_OK)
        err = writer_commit(self->writer, attempt->upto, &attempt->why);
    if (err != ERR_OK)
        writer_undo(self->writer);
    return err;
}

/* Without the lock. A disk that has just become full gets the reserve to go on with, anything else a second chance. */
static enum err try(struct applier *self, struct attempt *attempt)
{
    bool idle = !attempt->first && !attempt->synced;
    enum err err = idle ? ERR_OK : transact(self, attempt);
    if (err == ERR_NO_SPACE && reserve_give(self->reserve))
        log_warning("disk full: the space held in reserve is used", NULL);
    return passes(err) ? transact(self, attempt) : err;
}

/* ---- the thread: the list, with the lock ---- */

static struct attempt next_attempt(const struct applier *self)
{
    struct attempt attempt = {.first = self->first, .upto = self->applied};
    size_t bytes = 0;
    for (const struct applier_batch *b = self->first; b && bytes < APPLY_BYTES; b = b->next) {
        attempt.upto = b->number;
        bytes += b->payload;
    }
    attempt.synced = self->keep > self->kept && attempt.upto >= self->keep;
    return attempt;
}

/* Takes what has been applied off the list. */
static struct applier_batch *take_applied(struct applier *self, uint64_t upto)
{
    struct applier_batch *gone = self->first, **at = &self->first;
    while (*at && (*at)->number <= upto) {
        self->bytes -= (*at)->payload;
        at = &(*at)->next;
    }
    if (at == &self->first)
        return NULL;
    self->first = *at;
    if (!self->first)
        self->end = &self->first;
    *at = NULL;
    return gone;
}

static void destroy_all(struct applier_batch *list)
{
    while (list) {
        struct applier_batch *next = list->next;
        applier_batch_destroy(&list);
        list = next;
    }
}

static void set_trouble(struct applier *self, enum err err, const struct fault *why)
{
    if (err != ERR_OK && self->trouble == ERR_OK)
        log_warning("nothing new is accepted: the record cannot be written", "error", why->text, NULL);
    if (err == ERR_OK && self->trouble != ERR_OK)
        log_info("the record can be written again", NULL);
    self->trouble = err;
    if (err != ERR_OK)
        self->trouble_why = *why;
}

static void set_broken(struct applier *self, const struct fault *why)
{
    self->broken = true;
    self->trouble = ERR_IO;
    fault_set(&self->trouble_why, ERR_IO, "record: what was accepted cannot be applied: %s", why->text);
    log_error("what was accepted cannot be applied", "error", why->text, NULL);
}

static void attempt_one(struct applier *self)
{
    struct attempt attempt = next_attempt(self);
    pthread_mutex_unlock(&self->lock);
    enum err err = try(self, &attempt);
    enum err space = err == ERR_OK ? reserve_take(self->reserve, &attempt.why) : ERR_OK;
    pthread_mutex_lock(&self->lock);
    struct applier_batch *gone = NULL;
    if (err == ERR_OK) {
        gone = take_applied(self, attempt.upto);
        self->applied = attempt.upto;
        if (attempt.synced)
            self->kept = attempt.upto;
    }
    if (err == ERR_OK || passes(err))
        set_trouble(self, err == ERR_OK ? space : err, &attempt.why);
    else
        set_broken(self, &attempt.why);
    int64_t now = clock_monotonic_ms();
    self->due_ms = now + (self->trouble == ERR_OK ? GATHER_MS : AGAIN_MS);
    self->attempts++;
    pthread_cond_broadcast(&self->done);
    pthread_mutex_unlock(&self->lock);
    destroy_all(gone);
    pthread_mutex_lock(&self->lock);
}

static void run_order(struct applier *self)
{
    struct order *order = &self->order;
    self->ordered = false;
    pthread_mutex_unlock(&self->lock);
    order->err = order->run(self->writer, order->context, order->why);
    pthread_mutex_lock(&self->lock);
    order->done = true;
    pthread_cond_broadcast(&self->done);
}

static bool wants_sync(const struct applier *self)
{
    return self->keep > self->kept && self->applied >= self->keep;
}

static bool wants_attempt(const struct applier *self)
{
    if (self->broken)
        return false;
    bool work = self->first || wants_sync(self) || self->trouble != ERR_OK;
    bool now = self->waiting > 0 || self->stopping || clock_monotonic_ms() >= self->due_ms;
    bool many = self->trouble == ERR_OK && (self->bytes >= GATHER_BYTES || wants_sync(self));
    return work && (now || many);
}

static struct timespec timespec_of(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
}

static void wait_for_work(struct applier *self)
{
    struct timespec due = timespec_of(self->due_ms);
    bool timed = !self->broken && (self->first || self->trouble != ERR_OK);
    if (timed)
        pthread_cond_timedwait(&self->work, &self->lock, &due);
    else
        pthread_cond_wait(&self->work, &self->lock);
}

/* When told to stop it makes one more attempt of what is left. */
static void *applier_body(void *arg)
{
    struct applier *self = arg;
    pthread_setname_np(pthread_self(), "applier");
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* of this thread only; not allowed is no harm */
    pthread_mutex_lock(&self->lock);
    for (bool last = false; !last;) {
        bool stopping = self->stopping, attempted = false;
        if (self->ordered)
            run_order(self);
        else if ((attempted = wants_attempt(self)))
            attempt_one(self);
        else if (!stopping)
            wait_for_work(self);
        last = stopping && (!attempted || self->trouble != ERR_OK);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* ---- start and stop ---- */

static void destroy(struct applier *self)
{
    destroy_all(self->first);
    pthread_cond_destroy(&self->work);
    pthread_cond_destroy(&self->done);
    pthread_mutex_destroy(&self->lock);
    final_rows_destroy(&self->rows);
    free(self);
}

enum err applier_start(struct applier **out, struct writer *writer, struct reserve *reserve, struct fault *why)
{
    struct applier *self = calloc(1, sizeof *self);
    pthread_condattr_t monotonic;
    *out = NULL;
    if (!self || final_rows_new(&self->rows) != ERR_OK) {
        free(self);
        return fault_set(why, ERR_MEMORY, "applier: out of memory");
    }
    self->writer = writer;
    self->reserve = reserve;
    self->end = &self->first;
    struct fault space;
    enum err err = reserve_take(reserve, &space);
    set_trouble(self, err, &space);
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->work, &monotonic);
    pthread_cond_init(&self->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int refused = pthread_create(&self->thread, NULL, applier_body, self);
    if (refused) {
        destroy(self);
        return fault_set(why, err_from_errno(refused), "applier: cannot start a thread: %s", strerror(refused));
    }
    *out = self;
    return ERR_OK;
}

enum err applier_stop(struct applier **self_p, struct fault *why)
{
    struct applier *self = *self_p;
    *self_p = NULL;
    if (!self)
        return ERR_OK;
    pthread_mutex_lock(&self->lock);
    self->keep = self->newest;
    self->stopping = true;
    pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    enum err err = self->kept >= self->newest ? ERR_OK : self->trouble;
    if (err != ERR_OK && why)
        *why = self->trouble_why;
    destroy(self);
    return err;
}

/* ---- for other threads ---- */

void applier_take(struct applier *self, struct applier_batch **batch)
{
    pthread_mutex_lock(&self->lock);
    if (!self->first && self->trouble == ERR_OK)
        self->due_ms = clock_monotonic_ms() + GATHER_MS;
    bool wake = !self->first || self->bytes >= GATHER_BYTES;
    (*batch)->next = NULL;
    *self->end = *batch;
    self->end = &(*batch)->next;
    self->newest = (*batch)->number;
    self->bytes += (*batch)->payload;
    if (wake)
        pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
    *batch = NULL;
}

static uint64_t number_of(struct applier *self, const uint64_t *number)
{
    pthread_mutex_lock(&self->lock);
    uint64_t value = *number;
    pthread_mutex_unlock(&self->lock);
    return value;
}

uint64_t applier_applied(struct applier *self)
{
    return number_of(self, &self->applied);
}

uint64_t applier_kept(struct applier *self)
{
    return number_of(self, &self->kept);
}

/* With the lock: until *reached is at least `number`, or an attempt that began after the call has failed. */
static enum err wait_for(struct applier *self, const uint64_t *reached, uint64_t number, struct fault *why)
{
    uint64_t tried = self->attempts + 1; /* one may be under way */
    while (*reached < number && !self->broken && (self->trouble == ERR_OK || self->attempts <= tried)) {
        self->waiting++;
        pthread_cond_signal(&self->work);
        pthread_cond_wait(&self->done, &self->lock);
        self->waiting--;
    }
    if (*reached >= number)
        return ERR_OK;
    if (why)
        *why = self->trouble_why;
    return self->trouble;
}

enum err applier_wait(struct applier *self, uint64_t number, struct fault *why)
{
    pthread_mutex_lock(&self->lock);
    enum err err = wait_for(self, &self->applied, number, why);
    pthread_mutex_unlock(&self->lock);
    return err;
}

enum err applier_wait_all(struct applier *self, struct fault *why)
{
    pthread_mutex_lock(&self->lock);
    enum err err = wait_for(self, &self->applied, self->newest, why);
    pthread_mutex_unlock(&self->lock);
    return err;
}

void applier_want_kept(struct applier *self, uint64_t number)
{
    pthread_mutex_lock(&self->lock);
    if (number > self->keep)
        self->keep = number;
    pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
}

enum err applier_wait_kept(struct applier *self, uint64_t number, struct fault *why)
{
    applier_want_kept(self, number);
    pthread_mutex_lock(&self->lock);
    enum err err = wait_for(self, &self->kept, number, why);
    pthread_mutex_unlock(&self->lock);
    return err;
}

enum err applier_ready(struct applier *self, struct fault *why)
{
    pthread_mutex_lock(&self->lock);
    uint64_t tried = self->attempts + 1;
    while (self->trouble != ERR_OK && !self->broken && self->attempts <= tried) {
        self->waiting++;
        pthread_cond_signal(&self->work);
        pthread_cond_wait(&self->done, &self->lock);
        self->waiting--;
    }
    enum err err = self->trouble;
    if (err != ERR_OK && why)
        *why = self->trouble_why;
    pthread_mutex_unlock(&self->lock);
    return err;
}

enum err applier_run(struct applier *self, enum err (*run)(struct writer *writer, void *context, struct fault *why),
                     void *context, struct fault *why)
{
    pthread_mutex_lock(&self->lock);
    self->order = (struct order){.run = run, .context = context, .why = why};
    self->ordered = true;
    pthread_cond_signal(&self->work);
    while (!self->order.done)
        pthread_cond_wait(&self->done, &self->lock);
    enum err err = self->order.err;
    pthread_mutex_unlock(&self->lock);
    return err;
}
