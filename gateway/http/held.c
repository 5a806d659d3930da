#include "http/held.h"

#include <poll.h>

#define ROLL_CALL_MAX 256

void held_init(struct held *self, void (*suspend)(struct request *), void (*resume)(struct request *))
{
    *self = (struct held){.first = NULL, .suspend = suspend, .resume = resume};
    pthread_mutex_init(&self->lock, NULL);
}

void held_fini(struct held *self)
{
    pthread_mutex_destroy(&self->lock);
}

static void insert(struct held *self, struct request *request)
{
    request->next_held = self->first;
    request->prev_held = NULL;
    if (self->first)
        self->first->prev_held = request;
    self->first = request;
}

static void take_out(struct held *self, struct request *request)
{
    if (request->next_held)
        request->next_held->prev_held = request->prev_held;
    if (request->prev_held)
        request->prev_held->next_held = request->next_held;
    else
        self->first = request->next_held;
}

/* A wait that begins too late has ended before it began. */
static void end_late_wait(const struct held *self, struct request *request)
{
    bool drained = self->draining && (request->wait_ends & WAIT_ENDS_DRAINING);
    bool given_up = self->given_up && (request->wait_ends & WAIT_ENDS_GONE);
    if (request->woken || (!drained && !given_up))
        return;
    request->woken = true;
    request->why_woken = drained ? WAKE_DRAIN : WAKE_DEADLINE;
}

bool held_enter(struct held *self, struct request *request)
{
    pthread_mutex_lock(&self->lock);
    end_late_wait(self, request);
    bool suspended = !request->woken;
    if (suspended) {
        insert(self, request);
        request->suspended = true;
        self->suspend(request);
    }
    pthread_mutex_unlock(&self->lock);
    return suspended;
}

void held_leave(struct held *self, struct request *request)
{
    pthread_mutex_lock(&self->lock);
    request->wake = request->why_woken;
    request->woken = false;
    pthread_mutex_unlock(&self->lock);
}

/* A first reason stays: a client that hangs up after the answer was there changes nothing. */
static void wake_locked(struct held *self, struct request *request, enum wake why)
{
    if (!request->woken) {
        request->woken = true;
        request->why_woken = why;
    }
    if (request->suspended) {
        request->suspended = false;
        take_out(self, request);
        self->resume(request);
    }
}

void held_wake(struct held *self, struct request *request, enum wake why)
{
    pthread_mutex_lock(&self->lock);
    wake_locked(self, request, why);
    pthread_mutex_unlock(&self->lock);
}

/* Requests whose clients are asked after in one system call. */
struct roll_call {
    size_t count;
    struct pollfd fd[ROLL_CALL_MAX];
    struct request *request[ROLL_CALL_MAX];
};

static void call_roll(struct held *self, struct roll_call *roll)
{
    if (roll->count > 0 && poll(roll->fd, roll->count, 0) > 0)
        for (size_t i = 0; i < roll->count; i++)
            if (roll->fd[i].revents)
                wake_locked(self, roll->request[i], WAKE_GONE);
    roll->count = 0;
}

void held_sweep(struct held *self, int64_t now_ms)
{
    struct roll_call roll;
    roll.count = 0;
    pthread_mutex_lock(&self->lock);
    for (struct request *request = self->first, *next; request; request = next) {
        next = request->next_held;
        if (request->deadline_ms && now_ms >= request->deadline_ms) {
            wake_locked(self, request, WAKE_DEADLINE);
        } else if (request->wait_ends & WAIT_ENDS_GONE) {
            roll.fd[roll.count] = (struct pollfd){.fd = request->fd, .events = POLLRDHUP};
            roll.request[roll.count++] = request;
        }
        if (roll.count == ROLL_CALL_MAX) /* what it wakes lies before `next`, which stays good */
            call_roll(self, &roll);
    }
    call_roll(self, &roll);
    pthread_mutex_unlock(&self->lock);
}

static void wake_all(struct held *self, unsigned ends, enum wake why)
{
    for (struct request *request = self->first, *next; request; request = next) {
        next = request->next_held;
        if (request->wait_ends & ends)
            wake_locked(self, request, why);
    }
}

void held_drain(struct held *self)
{
    pthread_mutex_lock(&self->lock);
    self->draining = true;
    wake_all(self, WAIT_ENDS_DRAINING, WAKE_DRAIN);
    pthread_mutex_unlock(&self->lock);
}

void held_give_up(struct held *self)
{
    pthread_mutex_lock(&self->lock);
    self->given_up = true;
    wake_all(self, WAIT_ENDS_GONE, WAKE_DEADLINE);
    pthread_mutex_unlock(&self->lock);
}

bool held_empty(struct held *self)
{
    pthread_mutex_lock(&self->lock);
    bool empty = !self->first;
    pthread_mutex_unlock(&self->lock);
    return empty;
}
