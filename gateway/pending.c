#include "pending.h"

#include "strmap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum call_state { CALL_WAITING, CALL_SENT };

struct uplink_call {
    atomic_int references;
    pthread_mutex_t lock; /* recursive: guards `forgotten` and is held while a callback runs */
    bool forgotten;
    /* Constant after call_new(). */
    unsigned char id[REQUEST_ID_LEN];
    enum call call;
    char chat[ID_CHAT_MAX + 1];
    char trace[ID_HEX_LEN + 1];
    bool keyed;
    struct idempotency key;
    char *body;
    size_t len;
    int64_t send_deadline_ms, deadline_ms;
    uplink_on_answer *on_answer;
    uplink_on_accepted *on_accepted;
    void *ctx;
    /* The uplink's thread only. */
    enum call_state state;
    bool due; /* to be sent on the link that is open or comes next */
};

struct pending {
    struct strmap *calls; /* id -> struct uplink_call */
    bool due;             /* some call is due */
};

static enum err copy_text(char *out, size_t size, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len >= size)
        return ERR_INVALID;
    memcpy(out, len ? text : "", len + 1);
    return ERR_OK;
}

enum err call_new(struct uplink_call **out, const struct uplink_request *request, int64_t now_ms)
{
    *out = NULL;
    struct uplink_call *self = calloc(1, sizeof *self);
    if (!self)
        return ERR_MEMORY;
    self->body = malloc(request->len + 1);
    enum err err = self->body ? copy_text(self->chat, sizeof self->chat, request->chat) : ERR_MEMORY;
    if (err == ERR_OK)
        err = copy_text(self->trace, sizeof self->trace, request->trace);
    if (err != ERR_OK) {
        free(self->body);
        free(self);
        return err;
    }
    if (request->len)
        memcpy(self->body, request->body, request->len);
    self->len = request->len;
    id_sortable(self->id);
    self->call = request->call;
    self->keyed = request->key != NULL;
    if (request->key)
        self->key = *request->key;
    self->deadline_ms = now_ms + request->deadline_ms;
    self->send_deadline_ms = now_ms + (request->deadline_ms < UPLINK_SEND_MS ? request->deadline_ms : UPLINK_SEND_MS);
    self->on_answer = request->on_answer;
    self->on_accepted = request->on_accepted;
    self->ctx = request->ctx;
    self->due = true;
    atomic_init(&self->references, 2);
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&self->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    *out = self;
    return ERR_OK;
}

void call_release(void *call)
{
    struct uplink_call *self = call;
    if (atomic_fetch_sub(&self->references, 1) > 1)
        return;
    pthread_mutex_destroy(&self->lock);
    free(self->body);
    free(self);
}

void call_forget(struct uplink_call **call_p)
{
    struct uplink_call *self = *call_p;
    *call_p = NULL;
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->forgotten = true;
    pthread_mutex_unlock(&self->lock);
    call_release(self);
}

static bool is_forgotten(struct uplink_call *call)
{
    pthread_mutex_lock(&call->lock);
    bool forgotten = call->forgotten;
    pthread_mutex_unlock(&call->lock);
    return forgotten;
}

/* The callback may forget the call; the table's own reference keeps it alive until the lock is free again. */
static void answer(struct uplink_call *call, const struct uplink_answer *answer)
{
    pthread_mutex_lock(&call->lock);
    if (!call->forgotten)
        call->on_answer(call->ctx, answer);
    pthread_mutex_unlock(&call->lock);
}

static void refuse(struct uplink_call *call)
{
    static const char never[] = "The workflow service is not available at the moment; nothing was changed";
    static const char unknown[] = "The workflow service did not answer in time; the request may have been accepted";
    bool sent = call->state == CALL_SENT;
    struct bytes text = sent ? (struct bytes){unknown, sizeof unknown - 1} : (struct bytes){never, sizeof never - 1};
    answer(call, &(struct uplink_answer){
                     .status = sent ? 504 : 503, .own = true, .sent = sent, .message = text, .body = {"", 0}});
}

static void accepted(struct uplink_call *call, struct bytes job_id)
{
    char text[ID_JOB_MAX + 1];
    if (!call->on_accepted || job_id.len >= sizeof text)
        return;
    memcpy(text, job_id.at, job_id.len);
    text[job_id.len] = '\0';
    pthread_mutex_lock(&call->lock);
    if (!call->forgotten)
        call->on_accepted(call->ctx, text);
    pthread_mutex_unlock(&call->lock);
}

enum err pending_new(struct pending **out)
{
    *out = NULL;
    struct pending *self = calloc(1, sizeof *self);
    if (!self)
        return ERR_MEMORY;
    enum err err = strmap_new(&self->calls);
    if (err != ERR_OK)
        free(self);
    else
        *out = self;
    return err;
}

void pending_destroy(struct pending **self_p)
{
    struct pending *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    size_t cursor = 0;
    void *call;
    while (strmap_next(self->calls, &cursor, NULL, NULL, &call))
        call_release(call);
    strmap_destroy(&self->calls);
    free(self);
}

void pending_add(struct pending *self, struct uplink_call *call)
{
    enum err err = strmap_count(self->calls) < UPLINK_CALLS_MAX ? ERR_OK : ERR_FULL;
    if (err == ERR_OK)
        err = strmap_put(self->calls, call->id, sizeof call->id, call, NULL);
    if (err != ERR_OK) {
        refuse(call);
        call_release(call);
        return;
    }
    self->due = true;
}

size_t pending_count(const struct pending *self)
{
    return strmap_count(self->calls);
}

static struct request_frame frame_of(const struct uplink_call *call, uint64_t link)
{
    struct request_frame frame = {.kind = REQUEST_CALL,
                                  .link = link,
                                  .again = call->state == CALL_SENT,
                                  .call = call->call,
                                  .body = {call->body, call->len}};
    memcpy(frame.id, call->id, sizeof frame.id);
    memcpy(frame.chat, call->chat, sizeof frame.chat);
    memcpy(frame.trace, call->trace, sizeof frame.trace);
    frame.keyed = call->keyed;
    frame.fingerprint = call->key.fingerprint;
    memcpy(frame.key, call->key.key, sizeof frame.key);
    return frame;
}

bool pending_send(struct pending *self, uint64_t link, pending_sender *send, void *ctx)
{
    if (!self->due)
        return false;
    self->due = false;
    size_t cursor = 0;
    void *value;
    while (strmap_next(self->calls, &cursor, NULL, NULL, &value)) {
        struct uplink_call *call = value;
        if (!call->due || is_forgotten(call))
            continue;
        struct request_frame frame = frame_of(call, link);
        if (send(ctx, &frame) != ERR_OK) {
            self->due = true;
            break;
        }
        call->due = false;
        call->state = CALL_SENT;
    }
    return self->due;
}

void pending_link_lost(struct pending *self)
{
    size_t cursor = 0;
    void *value;
    while (strmap_next(self->calls, &cursor, NULL, NULL, &value)) {
        struct uplink_call *call = value;
        call->due = true;
        self->due = true;
    }
}

static void remove_call(struct pending *self, struct uplink_call *call)
{
    strmap_take(self->calls, call->id, sizeof call->id);
    call_release(call);
}

bool pending_answer(struct pending *self, const struct request_frame *frame)
{
    struct uplink_call *call = strmap_get(self->calls, frame->id, sizeof frame->id);
    if (!call)
        return false;
    if (frame->kind == REQUEST_ACCEPTED) {
        accepted(call, frame->body);
        return true;
    }
    answer(call, &(struct uplink_answer){
                     .status = frame->status, .sent = true, .message = frame->message, .body = frame->body});
    remove_call(self, call);
    return true;
}

static void tell_forgotten(const struct uplink_call *call, pending_sender *send, void *ctx)
{
    if (!send || call->state != CALL_SENT)
        return;
    struct request_frame frame = {.kind = REQUEST_FORGET};
    memcpy(frame.id, call->id, sizeof frame.id);
    enum err err = send(ctx, &frame);
    (void)err; /* a broker that does not hear this answers into the void: no harm */
}

static bool is_late(const struct uplink_call *call, int64_t now_ms)
{
    return now_ms >= (call->state == CALL_SENT ? call->deadline_ms : call->send_deadline_ms);
}

void pending_sweep(struct pending *self, int64_t now_ms, pending_sender *send, void *ctx)
{
    size_t cursor = 0;
    void *value;
    while (strmap_next(self->calls, &cursor, NULL, NULL, &value)) {
        struct uplink_call *call = value;
        bool forgotten = is_forgotten(call);
        if (!forgotten && !is_late(call, now_ms))
            continue;
        if (!forgotten)
            refuse(call);
        tell_forgotten(call, send, ctx);
        remove_call(self, call);
    }
}

void pending_refuse_all(struct pending *self)
{
    size_t cursor = 0;
    void *value;
    while (strmap_next(self->calls, &cursor, NULL, NULL, &value)) {
        refuse(value);
        remove_call(self, value);
    }
}
