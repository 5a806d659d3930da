#include "live/cancels.h"

#include "json_text.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cancel {
    struct cancel *next;
    struct cancels *all;
    void *socket;
    struct uplink_call *call;
    atomic_bool answered; /* set last by the uplink's thread: what follows is then the loop's */
    uint16_t status;
    char problem[FAULT_TEXT_MAX];
};

struct cancels {
    struct uplink *uplink;
    void (*wake)(void *ctx);
    void *ctx;
    struct cancel *first;
};

enum err cancels_new(struct cancels **out, struct uplink *uplink, void (*wake)(void *ctx), void *ctx)
{
    struct cancels *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    *self = (struct cancels){.uplink = uplink, .wake = wake, .ctx = ctx};
    return ERR_OK;
}

/* Takes one out of the list; when its call is forgotten, no answer of it runs any more. */
static void end(struct cancel **at)
{
    struct cancel *one = *at;
    *at = one->next;
    uplink_forget(&one->call);
    free(one);
}

void cancels_destroy(struct cancels **self_p)
{
    struct cancels *self = *self_p;
    *self_p = NULL;
    while (self && self->first)
        end(&self->first);
    free(self);
}

static void on_answer(void *ctx, const struct uplink_answer *answer)
{
    struct cancel *one = ctx;
    one->status = answer->status;
    struct fault text; /* cuts at a character's boundary */
    fault_set(&text, ERR_INVALID, "%.*s", (int)answer->message.len, answer->message.at ? answer->message.at : "");
    memcpy(one->problem, text.text, sizeof one->problem);
    atomic_store(&one->answered, true);
    one->all->wake(one->all->ctx);
}

static size_t count_of(const struct cancels *self, const void *socket)
{
    size_t count = 0;
    for (const struct cancel *one = self->first; one; one = one->next)
        count += one->socket == socket;
    return count;
}

static enum err send(struct cancel *one, const char *chat, const char *job)
{
    struct buf body = BUF_INIT(4096);
    enum err err = buf_add_byte(&body, '{');
    if (err == ERR_OK)
        err = json_text_member(&body, "job_id", job);
    if (err == ERR_OK)
        err = buf_add_byte(&body, '}');
    if (err == ERR_OK)
        err = uplink_call(one->all->uplink,
                          &(struct uplink_request){.call = CALL_CANCEL_JOB,
                                                   .chat = chat,
                                                   .body = body.data,
                                                   .len = body.len,
                                                   .deadline_ms = CANCELS_DEADLINE_MS,
                                                   .on_answer = on_answer,
                                                   .ctx = one},
                          &one->call);
    buf_fini(&body);
    return err;
}

enum err cancels_ask(struct cancels *self, void *socket, const char *chat, const char *job)
{
    if (count_of(self, socket) >= CANCELS_PER_SOCKET)
        return ERR_FULL;
    struct cancel *one = calloc(1, sizeof *one);
    if (!one)
        return ERR_FULL;
    *one = (struct cancel){.next = self->first, .all = self, .socket = socket};
    enum err err = send(one, chat, job);
    if (err != ERR_OK) {
        free(one);
        return ERR_FULL;
    }
    self->first = one;
    return ERR_OK;
}

void cancels_drop(struct cancels *self, const void *socket)
{
    for (struct cancel **at = self ? &self->first : NULL; at && *at;) {
        if ((*at)->socket == socket)
            end(at);
        else
            at = &(*at)->next;
    }
}

void cancels_take(struct cancels *self, void (*refused)(void *socket, const char *problem))
{
    for (struct cancel **at = &self->first; *at;) {
        struct cancel *one = *at;
        if (!atomic_load(&one->answered)) {
            at = &one->next;
            continue;
        }
        if (one->status >= 400)
            refused(one->socket, one->problem);
        end(at);
    }
}
