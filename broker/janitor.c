#include "janitor.h"

#include "clock.h"
#include "files/files.h"
#include "log.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_EVERY_MS 60000
#define SWEEP_AGAIN_MS 1000 /* after one that left something */
#define STOP_MS        2000

struct janitor {
    struct files *files;
    struct mailbox *replies;
};

enum order { ORDER_REMOVE, ORDER_REPORT };

/* The loop never has more than JANITOR_KEYS_MAX keys and one report under way, and its box has room for them. */
static void reply(const struct janitor *self, enum reply_kind kind, void *body)
{
    if (mailbox_put(self->replies, &(struct mail){.kind = (int)kind, .body = body}) != ERR_OK)
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
    reply(self, REPLY_REMOVED, mail->body);
    mail->body = NULL;
}

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
        case ORDER_REPORT: reply(self, REPLY_SWEPT, NULL); break;
        }
        mail_fini(&mail);
    }
}

enum err janitor_start(struct broker *self, struct fault *why)
{
    self->janitor_state = calloc(1, sizeof *self->janitor_state);
    if (!self->janitor_state)
        return fault_set(why, ERR_MEMORY, "janitor: out of memory");
    self->janitor_state->replies = self->replies;
    enum err err =
        files_open_folder(&self->janitor_state->files, self->settings->chat_workflows.storage.workflows_path, why);
    self->sweep_due = true;
    return err == ERR_OK
               ? actor_start(&self->janitor, "janitor", JANITOR_KEYS_MAX + 1, janitor_body, self->janitor_state, why)
               : err;
}

void janitor_stop(struct broker *self)
{
    if (self->janitor)
        actor_stop(&self->janitor, STOP_MS);
    if (self->janitor_state)
        files_close(&self->janitor_state->files);
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

void janitor_poll(struct broker *self)
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

void janitor_take(struct broker *self, const struct mail *mail)
{
    struct fault why;
    if (mail->kind == REPLY_SWEPT) {
        self->sweeping = false;
        return;
    }
    if (store_garbage_done(self->store, mail->body, &why) != ERR_OK)
        log_warning("to-delete entry not forgotten", "error", why.text, NULL);
    self->sweep_due = true; /* there may be more than one handful */
    self->sweep_ms = self->now.mono_ms + (self->sweeping ? 0 : SWEEP_AGAIN_MS);
}
