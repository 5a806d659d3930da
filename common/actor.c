#include "actor.h"

#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_SIZE 16 /* what the kernel takes for a thread's name */

enum actor_state { ACTOR_STARTING, ACTOR_READY, ACTOR_ENDED };

struct actor {
    char name[NAME_SIZE];
    struct mailbox *box;
    actor_body *body;
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the fields below; `changed` is signalled with every change */
    pthread_cond_t changed;
    enum actor_state state;
    enum err start_err;
    struct fault start_fault;
};

static void *run(void *arg)
{
    struct actor *self = arg;
    pthread_setname_np(pthread_self(), self->name);
    self->body(self, self->box, self->arg);
    pthread_mutex_lock(&self->lock);
    if (self->state == ACTOR_STARTING)
        self->start_err = fault_set(&self->start_fault, ERR_INTERNAL, "%s ended before it was ready", self->name);
    self->state = ACTOR_ENDED;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void destroy(struct actor *self)
{
    mailbox_destroy(&self->box);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static enum err create(struct actor **out, const char *name, size_t letters_max, actor_body *body, void *arg)
{
    struct actor *self = calloc(1, sizeof *self);
    if (!self)
        return ERR_MEMORY;
    snprintf(self->name, sizeof self->name, "%s", name);
    self->body = body;
    self->arg = arg;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    enum err err = mailbox_new(&self->box, letters_max);
    if (err != ERR_OK)
        destroy(self);
    else
        *out = self;
    return err;
}

static enum err wait_ready(struct actor *self, struct fault *why)
{
    pthread_mutex_lock(&self->lock);
    while (self->state == ACTOR_STARTING)
        pthread_cond_wait(&self->changed, &self->lock);
    enum err err = self->start_err;
    if (err != ERR_OK && why)
        *why = self->start_fault;
    pthread_mutex_unlock(&self->lock);
    return err;
}

enum err actor_start(struct actor **out, const char *name, size_t letters_max, actor_body *body, void *arg,
                     struct fault *why)
{
    *out = NULL;
    struct actor *self;
    enum err err = create(&self, name, letters_max, body, arg);
    if (err != ERR_OK)
        return fault_set(why, err, "%s: %s", name, err_name(err));
    int refused = pthread_create(&self->thread, NULL, run, self);
    if (refused) {
        destroy(self);
        return fault_set(why, err_from_errno(refused), "%s: cannot start a thread: %s", name, strerror(refused));
    }
    err = wait_ready(self, why);
    if (err == ERR_OK) {
        *out = self;
        return ERR_OK;
    }
    pthread_join(self->thread, NULL);
    destroy(self);
    return err;
}

void actor_ready(struct actor *self, enum err err, const struct fault *why)
{
    pthread_mutex_lock(&self->lock);
    self->state = ACTOR_READY;
    self->start_err = err;
    if (err != ERR_OK) {
        if (why)
            self->start_fault = *why;
        else
            fault_set(&self->start_fault, err, "%s: %s", self->name, err_name(err));
    }
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

enum err actor_tell(struct actor *self, const struct mail *letter)
{
    return mailbox_put(self->box, letter);
}

static struct timespec deadline_in(int ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

static bool wait_ended(struct actor *self, int deadline_ms)
{
    struct timespec until = deadline_in(deadline_ms);
    pthread_mutex_lock(&self->lock);
    int waited = 0;
    while (self->state != ACTOR_ENDED && waited == 0)
        waited = pthread_cond_timedwait(&self->changed, &self->lock, &until);
    bool ended = self->state == ACTOR_ENDED;
    pthread_mutex_unlock(&self->lock);
    return ended;
}

void actor_stop(struct actor **self_p, int deadline_ms)
{
    struct actor *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    enum err err = mailbox_put(self->box, &(struct mail){.kind = MAIL_STOP});
    if (err != ERR_OK || !wait_ended(self, deadline_ms)) {
        log_error("a thread does not stop", "thread", self->name, "deadline_ms", LOG_NUMBER(deadline_ms), NULL);
        abort();
    }
    pthread_join(self->thread, NULL);
    destroy(self);
}
