#include "rest/ask.h"

#include "clock.h"
#include "http/reply.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written by the uplink's thread, read by the HTTP thread. */
struct pending {
    struct request *request;
    ask_then *then;
    struct uplink_call *call;
    pthread_mutex_t lock;
    int status; /* 0 = no answer yet */
    struct buf message;
    struct buf body;
    char job_id[ASK_JOB_MAX + 1];
    bool wake_on_accepted; /* the server stops: to be accepted is all that is waited for */
};

static void free_pending(void *arg)
{
    struct pending *self = arg;
    if (!self)
        return;
    uplink_forget(&self->call); /* from here on no callback uses us or the request */
    pthread_mutex_destroy(&self->lock);
    buf_fini(&self->message);
    buf_fini(&self->body);
    free(self);
}

static void on_answer(void *ctx, const struct uplink_answer *answer)
{
    struct pending *self = ctx;
    pthread_mutex_lock(&self->lock);
    self->status = answer->status;
    if (buf_add(&self->message, answer->message.at, answer->message.len) != ERR_OK ||
        buf_add(&self->body, answer->body.at, answer->body.len) != ERR_OK) {
        self->status = 500;
        buf_clear(&self->body);
    }
    pthread_mutex_unlock(&self->lock);
    request_wake(self->request);
}

static void on_accepted(void *ctx, const char *job_id)
{
    struct pending *self = ctx;
    pthread_mutex_lock(&self->lock);
    snprintf(self->job_id, sizeof self->job_id, "%s", job_id);
    bool wake = self->wake_on_accepted;
    pthread_mutex_unlock(&self->lock);
    if (wake)
        request_wake(self->request);
}

/* The wait has ended without an answer. Without a job id nobody knows whether the question was accepted, so this must
 * not be a 503, which promises that it was not. */
static struct ask_answer no_answer(const struct pending *self)
{
    bool accepted = self->job_id[0];
    return (struct ask_answer){.status = accepted ? 202 : 504,
                               .message = accepted ? "" : "The broker has not answered in time",
                               .job_id = self->job_id};
}

/* A drain ends the wait for a run's end, but not the wait for its acceptance: that takes moments, and only then can the
 * client be told where to look. */
static bool must_wait_for_acceptance(struct pending *self)
{
    self->wake_on_accepted = self->request->wake == WAKE_DRAIN && self->status == 0 && !self->job_id[0];
    return self->wake_on_accepted;
}

static void go_on(struct request *request)
{
    struct pending *self = request->pending;
    pthread_mutex_lock(&self->lock);
    if (must_wait_for_acceptance(self)) {
        pthread_mutex_unlock(&self->lock);
        request_wait(request, WAIT_ENDS_GONE, request->deadline_ms, go_on);
        return;
    }
    const char *message = buf_text(&self->message);
    struct ask_answer answer = {.status = self->status,
                                .message = message ? message : "",
                                .body = self->body.data,
                                .len = self->body.len,
                                .job_id = self->job_id};
    if (self->status == 0)
        answer = no_answer(self);
    pthread_mutex_unlock(&self->lock);
    /* `then` may put the next question, which takes the place of this one: it is kept until `then` has returned. */
    request->pending = NULL;
    request->free_pending = NULL;
    self->then(request, &answer);
    free_pending(self);
}

static struct pending *new_pending(struct request *request, ask_then *then)
{
    struct pending *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->request = request;
    self->then = then;
    self->message = BUF_INIT(FAULT_TEXT_MAX * 4);
    self->body = BUF_INIT(ASK_ANSWER_MAX);
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void ask(struct request *request, const struct ask *question)
{
    struct pending *self = new_pending(request, question->then);
    if (!self) {
        reply_unavailable(request, "No memory for the request");
        return;
    }
    struct uplink_request call = {
        .call = question->call,
        .chat = question->chat,
        .body = question->json,
        .len = question->len,
        .trace = request->id,
        .key = question->key,
        .deadline_ms = (int)question->deadline_ms + ASK_OVERTIME_MS,
        .on_answer = on_answer,
        .on_accepted = question->call == CALL_EXECUTE ? on_accepted : NULL,
        .ctx = self,
    };
    if (uplink_call(rest_of(request)->uplink, &call, &self->call) != ERR_OK) {
        free_pending(self);
        reply_unavailable(request, "Too many requests wait for the broker");
        return;
    }
    request->pending = self;
    request->free_pending = free_pending;
    unsigned ends = WAIT_ENDS_GONE | (question->ends_draining ? WAIT_ENDS_DRAINING : 0u);
    request_wait(request, ends, clock_monotonic_ms() + question->deadline_ms, go_on);
}

void ask_simply(struct request *request, enum call call, const char *chat, const char *json, ask_then *then)
{
    struct ask question = {
        .call = call, .chat = chat, .json = json ? json : "{}", .deadline_ms = ASK_DEADLINE_MS, .then = then};
    question.len = strlen(question.json);
    ask(request, &question);
}

bool ask_succeeded(struct request *request, const struct ask_answer *answer)
{
    if (answer->status < 400)
        return true;
    if (answer->status == 503)
        reply_unavailable(request, answer->message[0] ? answer->message : "The broker is not reachable");
    else
        reply_error(request, answer->status, "%s", answer->message);
    return false;
}
