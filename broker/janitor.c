#include "janitor.h"

#include "clock.h"
#include "files/files.h"
#include "json_text.h"
#include "log.h"
#include "query.h"
#include "snapshots.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_EVERY_MS 60000
#define SWEEP_AGAIN_MS 1000 /* after one that left something */
#define STOP_MS        2000

#define TRIM_CHATS        256   /* looked at for one order */
#define TRIM_NEXT_MS      100   /* from one order to the next */
#define TRIM_PASS_MS      10000 /* from one pass over all chats to the next */
#define SNAPSHOT_CHECK_MS 5000  /* is a scheduled one due? */
#define DAY_US            (INT64_C(86400) * 1000000)

struct janitor {
    struct files *files;
    struct mailbox *replies;
    struct store_reader *store; /* NULL when nothing is ever trimmed */
    const char *sqlite_path;
    int64_t events_age_us; /* 0 = for ever */
    uint64_t events_max;
    char after[ID_CHAT_MAX + 1]; /* the last chat looked at for old events */
    uint32_t looked_at, found;   /* of the running order */
    struct snapshots snapshots;
    atomic_bool end; /* set by the loop: give up what takes long */
};

struct trim_reply {
    char chat[ID_CHAT_MAX + 1];
    uint64_t upto;
};

enum order { ORDER_REMOVE, ORDER_REPORT, ORDER_TRIM, ORDER_SNAPSHOT, ORDER_BACKUP };

/* What can be under way at a time: keys and a report, one order to trim, one to look at the clock, backups. */
#define ORDERS_MAX (JANITOR_KEYS_MAX + 3 + JANITOR_BACKUPS_MAX)

/* The loop never has more than that under way, and its box has room for the answers. */
static void reply(const struct janitor *self, enum reply_kind kind, uint64_t number, void *body)
{
    if (mailbox_put(self->replies, &(struct mail){.kind = (int)kind, .number = number, .body = body}) != ERR_OK)
        free(body);
}

static void remove_file(struct janitor *self, struct mail *mail)
{
    struct fault why;
    enum err err = files_remove(self->files, mail->body, &why);
    if (err != ERR_OK && err != ERR_INVALID) {
        log_warning("file not removed", "key", mail->body, "error", why.text, NULL);
        return; /* the entry stays and is tried again */
    }
    if (err == ERR_INVALID)
        log_warning("to-delete entry names no file", "key", mail->body, NULL);
    reply(self, REPLY_REMOVED, 0, mail->body);
    mail->body = NULL;
}

/* ---- retention ---- */

static enum err offer_trim(void *context, const char *chat_id, uint64_t upto)
{
    struct janitor *self = context;
    snprintf(self->after, sizeof self->after, "%s", chat_id);
    self->looked_at++;
    if (upto == 0)
        return ERR_OK;
    struct trim_reply *found = calloc(1, sizeof *found);
    if (!found)
        return ERR_MEMORY;
    memcpy(found->chat, self->after, sizeof found->chat);
    found->upto = upto;
    reply(self, REPLY_TRIM, 0, found);
    return ++self->found < JANITOR_TRIMS_MAX ? ERR_OK : ERR_FULL; /* the next order goes on behind this one */
}

static void look_for_old_events(struct janitor *self)
{
    struct fault why = {.text = "out of memory"};
    struct store_retention keep = {.events_max = self->events_max};
    if (self->events_age_us > 0)
        keep.older_than_us = clock_wall_us() - self->events_age_us;
    self->looked_at = self->found = 0;
    enum err err = store_read_old_events(self->store, self->after, &keep, TRIM_CHATS, offer_trim, self, &why);
    if (err != ERR_OK && err != ERR_FULL)
        log_warning("old events not found", "error", why.text, NULL);
    bool last = err != ERR_FULL && self->looked_at < TRIM_CHATS;
    if (last)
        self->after[0] = '\0';
    reply(self, REPLY_TRIMMED, last, NULL);
}

/* ---- snapshots ---- */

static enum err write_backup(const struct janitor *self, const char *name, struct buf *json)
{
    char path[4352];
    snprintf(path, sizeof path, "%s/%s", self->snapshots.folder, name);
    enum err err = buf_add_text(json, "{");
    if (err == ERR_OK)
        err = json_text_member(json, "backup_file", name);
    if (err == ERR_OK)
        err = json_text_member(json, "path", path);
    return err == ERR_OK ? buf_add_text(json, "}") : err;
}

static void back_up(struct janitor *self, const struct query *query)
{
    struct fault why = {.text = "out of memory"};
    struct buf json = BUF_INIT(16384);
    char name[SNAPSHOT_NAME_MAX];
    enum err err = snapshots_take(&self->snapshots, clock_wall_us(), name, &why);
    if (err == ERR_OK)
        err = write_backup(self, name, &json);
    if (err == ERR_OK) {
        query_answer(self->replies, query, 200, "Database backup created successfully", &json);
    } else {
        log_error("backup failed", "error", why.text, NULL);
        query_answer(self->replies, query, err == ERR_NO_SPACE ? 507 : 500, "The backup could not be written", NULL);
    }
    buf_fini(&json);
}

/* ---- the actor ---- */

static void janitor_body(struct actor *actor, struct mailbox *box, void *arg)
{
    struct janitor *self = arg;
    actor_ready(actor, ERR_OK, NULL);
    bool running = true;
    while (running) {
        struct mail mail;
        if (!mailbox_take(box, &mail)) {
            struct pollfd item = {.fd = mailbox_fd(box), .events = POLLIN};
            poll(&item, 1, -1);
            continue;
        }
        switch (mail.kind) {
        case MAIL_STOP: running = false; break;
        case ORDER_REMOVE: remove_file(self, &mail); break;
        case ORDER_REPORT: reply(self, REPLY_SWEPT, 0, NULL); break;
        case ORDER_TRIM: look_for_old_events(self); break;
        case ORDER_SNAPSHOT: snapshots_tick(&self->snapshots, clock_wall_us()); break;
        case ORDER_BACKUP: back_up(self, mail.body); break;
        }
        mail_fini(&mail);
    }
}

static bool trims(const struct settings *settings)
{
    return settings->broker.retention_days > 0 || settings->broker.retention_events_max > 0;
}

static void set_up(struct janitor *self, const struct settings *settings)
{
    self->sqlite_path = settings->chat_workflows.storage.sqlite_path;
    self->events_age_us = settings->broker.retention_days * DAY_US;
    self->events_max = settings->broker.retention_events_max;
    self->snapshots =
        (struct snapshots){.record = self->sqlite_path,
                           .folder = settings->chat_workflows.backup.snapshot_path,
                           .scheduled = settings->chat_workflows.backup.enabled,
                           .interval_us = settings->chat_workflows.backup.interval_minutes * INT64_C(60000000),
                           .retention_us = settings->chat_workflows.backup.retention_days * DAY_US,
                           .end = &self->end};
}

enum err janitor_start(struct broker *self, struct fault *why)
{
    self->janitor_state = calloc(1, sizeof *self->janitor_state);
    if (!self->janitor_state)
        return fault_set(why, ERR_MEMORY, "janitor: out of memory");
    set_up(self->janitor_state, self->settings);
    self->janitor_state->replies = self->replies;
    enum err err =
        files_open_folder(&self->janitor_state->files, self->settings->chat_workflows.storage.workflows_path, why);
    if (err == ERR_OK && trims(self->settings))
        err = store_reader_open(&self->janitor_state->store, self->janitor_state->sqlite_path, why);
    self->sweep_due = true;
    return err == ERR_OK ? actor_start(&self->janitor, "janitor", ORDERS_MAX, janitor_body, self->janitor_state, why)
                         : err;
}

void janitor_stop(struct broker *self)
{
    if (self->janitor_state)
        atomic_store(&self->janitor_state->end, true);
    if (self->janitor)
        actor_stop(&self->janitor, STOP_MS);
    if (self->janitor_state) {
        files_close(&self->janitor_state->files);
        store_reader_close(&self->janitor_state->store);
    }
    free(self->janitor_state);
    self->janitor_state = NULL;
}

static enum err order_remove(void *context, const char *key)
{
    struct broker *self = context;
    char *copy = strdup(key);
    if (!copy)
        return ERR_MEMORY;
    enum err err = actor_tell(self->janitor, &(struct mail){.kind = ORDER_REMOVE, .body = copy, .len = strlen(copy)});
    if (err != ERR_OK)
        free(copy);
    return err;
}

static void poll_garbage(struct broker *self)
{
    bool due =
        self->sweep_due ? self->now.mono_ms >= self->sweep_ms : self->now.mono_ms - self->sweep_ms >= SWEEP_EVERY_MS;
    if (!due || self->sweeping)
        return;
    self->sweep_due = false;
    self->sweep_ms = self->now.mono_ms;
    struct fault why = {.text = "too many orders"};
    enum err err = store_garbage(self->store, JANITOR_KEYS_MAX, order_remove, self, &why);
    if (err != ERR_OK)
        log_warning("to-delete entries not read", "error", why.text, NULL);
    self->sweeping = actor_tell(self->janitor, &(struct mail){.kind = ORDER_REPORT}) == ERR_OK;
}

static void poll_old_events(struct broker *self)
{
    if (self->trimming || self->now.mono_ms < self->trim_ms || !trims(self->settings))
        return;
    self->trimming = actor_tell(self->janitor, &(struct mail){.kind = ORDER_TRIM}) == ERR_OK;
}

/* An order the janitor has no time for is no loss: the next one does the same. */
static void poll_snapshot(struct broker *self)
{
    if (!self->settings->chat_workflows.backup.enabled || self->now.mono_ms < self->snapshot_ms)
        return;
    self->snapshot_ms = self->now.mono_ms + SNAPSHOT_CHECK_MS;
    if (actor_tell(self->janitor, &(struct mail){.kind = ORDER_SNAPSHOT}) != ERR_OK)
        log_debug("the janitor is busy: no look at snapshots", NULL);
}

void janitor_poll(struct broker *self)
{
    poll_garbage(self);
    poll_old_events(self);
    poll_snapshot(self);
}

enum err janitor_backup(struct broker *self, struct query *query)
{
    return actor_tell(self->janitor, &(struct mail){.kind = ORDER_BACKUP, .body = query});
}

static void take_removed(struct broker *self, const struct mail *mail)
{
    struct fault why;
    if (store_garbage_done(self->store, mail->body, &why) != ERR_OK)
        log_warning("to-delete entry not forgotten", "error", why.text, NULL);
    self->sweep_due = true; /* there may be more than one handful */
    self->sweep_ms = self->now.mono_ms + (self->sweeping ? 0 : SWEEP_AGAIN_MS);
}

static void take_trim(struct broker *self, const struct trim_reply *found)
{
    struct fault why;
    uint32_t rows = 0;
    if (store_trim_events(self->store, found->chat, found->upto, &rows, &why) != ERR_OK)
        log_warning("old events not forgotten", "chat", found->chat, "error", why.text, NULL);
    self->trimmed_some |= rows > 0;
}

/* A chat gives up a bounded number of events a pass: while there were any, the next pass begins at once. */
static void take_trimmed(struct broker *self, bool last)
{
    bool soon = !last || self->trimmed_some;
    self->trimming = false;
    self->trim_ms = self->now.mono_ms + (soon ? TRIM_NEXT_MS : TRIM_PASS_MS);
    if (last)
        self->trimmed_some = false;
}

void janitor_take(struct broker *self, const struct mail *mail)
{
    switch (mail->kind) {
    case REPLY_REMOVED: take_removed(self, mail); break;
    case REPLY_SWEPT: self->sweeping = false; break;
    case REPLY_TRIM: take_trim(self, mail->body); break;
    case REPLY_TRIMMED: take_trimmed(self, mail->number != 0); break;
    }
}
