#include "janitor.h"

#include "clock.h"
#include "expiry.h"
#include "files/files.h"
#include "json_text.h"
#include "log.h"
#include "query.h"
#include "snapshots.h"
#include "turn.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_EVERY_MS 60000
#define SWEEP_AGAIN_MS 1000 /* after one that left something */
#define STOP_MS        2000

#define ROOMS_AFTER_BEATS 10   /* of a start: by then gateways have said which chats somebody reads */
#define SNAPSHOT_CHECK_MS 5000 /* is a scheduled one due? */
#define DAY_US            (INT64_C(86400) * 1000000)

struct janitor {
    struct files *files;
    struct mailbox *replies;
    struct expiry expiry;
    struct snapshots snapshots;
    atomic_bool end; /* set by the loop: give up what takes long */
};

/* How often what is looked through. Events give up a bounded number a pass, and while there are any, the next pass
 * begins at once; everything else is found whole. */
static const struct pace {
    int64_t piece_ms, pass_ms; /* from one piece, and from one pass, to the next */
} paces[PASS_KINDS] = {
    [PASS_EVENTS] = {100, 10000},   [PASS_ROOMS] = {100, 60000},    [PASS_ANSWERS] = {100, 600000},
    [PASS_FILES] = {1000, 3600000}, [PASS_DUMPS] = {1000, 3600000},
};

enum order { ORDER_REMOVE, ORDER_REPORT, ORDER_LOOK, ORDER_SNAPSHOT, ORDER_BACKUP };

/* What can be under way at a time: keys and a report, a piece of every pass, one to look at the clock, backups. */
#define ORDERS_MAX (JANITOR_KEYS_MAX + 2 + PASS_KINDS + JANITOR_BACKUPS_MAX)

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

/* ---- what may go ---- */

static void look(struct janitor *self, enum pass_kind pass)
{
    bool last = expiry_look(&self->expiry, pass, clock_wall_us());
    reply(self, last ? REPLY_PASSED : REPLY_LOOKED, pass, NULL);
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
        case ORDER_LOOK: look(self, (enum pass_kind)mail.number); break;
        case ORDER_SNAPSHOT: snapshots_tick(&self->snapshots, clock_wall_us()); break;
        case ORDER_BACKUP: back_up(self, mail.body); break;
        }
        mail_fini(&mail);
    }
}

static void set_up(struct janitor *self, const struct settings *settings, const struct store *record)
{
    self->snapshots =
        (struct snapshots){.record = record,
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
    set_up(self->janitor_state, self->settings, self->store);
    self->janitor_state->replies = self->replies;
    enum err err =
        files_open_folder(&self->janitor_state->files, self->settings->chat_workflows.storage.workflows_path, why);
    if (err == ERR_OK)
        err = expiry_open(&self->janitor_state->expiry, self->settings, self->store, self->janitor_state->files,
                          self->replies, why);
    self->sweep_due = true;
    self->passes[PASS_ROOMS].due_ms = self->now.mono_ms + ROOMS_AFTER_BEATS * self->settings->wire.beat_ms;
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
        expiry_close(&self->janitor_state->expiry);
        files_close(&self->janitor_state->files);
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

static void poll_pass(struct broker *self, enum pass_kind kind)
{
    struct pass *pass = &self->passes[kind];
    if (pass->looking || self->now.mono_ms < pass->due_ms || !expiry_wanted(self->settings, kind))
        return;
    pass->looking = actor_tell(self->janitor, &(struct mail){.kind = ORDER_LOOK, .number = kind}) == ERR_OK;
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
    for (int kind = 0; kind < PASS_KINDS; kind++)
        poll_pass(self, (enum pass_kind)kind);
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

static void take_trim(struct broker *self, const struct found_chat *found)
{
    struct fault why;
    uint32_t rows = 0;
    if (store_trim_events(self->store, &(struct store_old_events){found->chat, found->epoch, found->seq}, &rows,
                          &why) != ERR_OK)
        log_warning("old events not forgotten", "chat", found->chat, "error", why.text, NULL);
    self->passes[PASS_EVENTS].found_some |= rows > 0;
}

/* The core knows whether somebody is attached, and whether the room is still as it was found. */
static void take_room(struct broker *self, const struct found_chat *found)
{
    turn_input(self, &(struct input){.kind = INPUT_ROOM_OLD, .of.room = {.chat = found->chat, .head = found->seq}});
}

static void take_answers(struct broker *self, const struct store_answer_range *range)
{
    struct fault why;
    if (store_forget_answers(self->store, range, &why) != ERR_OK)
        log_warning("old answers not forgotten", "error", why.text, NULL);
}

static void take_looked(struct broker *self, enum pass_kind kind, bool last)
{
    struct pass *pass = &self->passes[kind];
    bool soon = !last || pass->found_some;
    pass->looking = false;
    pass->due_ms = self->now.mono_ms + (soon ? paces[kind].piece_ms : paces[kind].pass_ms);
    if (last)
        pass->found_some = false;
}

void janitor_take(struct broker *self, const struct mail *mail)
{
    switch (mail->kind) {
    case REPLY_REMOVED: take_removed(self, mail); break;
    case REPLY_SWEPT: self->sweeping = false; break;
    case REPLY_TRIM: take_trim(self, mail->body); break;
    case REPLY_ROOM: take_room(self, mail->body); break;
    case REPLY_ANSWERS: take_answers(self, mail->body); break;
    case REPLY_LOOKED: take_looked(self, (enum pass_kind)mail->number, false); break;
    case REPLY_PASSED: take_looked(self, (enum pass_kind)mail->number, true); break;
    }
}
