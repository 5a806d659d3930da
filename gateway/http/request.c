#include "http/request.h"

#include "clock.h"
#include "http/held.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX                                                                                               \
    ((size_t)1 << 30) /* JSON answers are bounded where they are made; this only ends a runaway                        \
                       */

struct request *request_new(const char *uri)
{
    struct request *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->uri = strdup(uri);
    if (!self->uri) {
        free(self);
        return NULL;
    }
    self->fd = -1;
    self->answer.fd = -1;
    self->answer.body = BUF_INIT(ANSWER_BYTES_MAX);
    self->started_ms = clock_monotonic_ms();
    id_hex(self->id, ID_HEX_LEN);
    return self;
}

void request_destroy(struct request **self_p)
{
    struct request *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->free_pending)
        self->free_pending(self->pending);
    if (self->free_state)
        self->free_state(self->state);
    if (self->answer.fd >= 0)
        close(self->answer.fd);
    for (size_t i = 0; i < self->answer.field_count; i++)
        free(self->answer.field[i].value);
    splices_fini(&self->answer.splices);
    buf_fini(&self->answer.body);
    buf_fini(&self->body);
    fields_fini(&self->fields);
    target_fini(&self->target);
    free(self->uri);
    free(self);
}

void request_wait(struct request *self, unsigned ends, int64_t deadline_ms, request_step *then)
{
    self->wait_ends = ends;
    self->deadline_ms = deadline_ms;
    self->then = then;
}

void request_wake(struct request *self)
{
    held_wake(self->held, self, WAKE_READY);
}

const char *request_field(const struct request *self, const char *name)
{
    return fields_find(&self->fields, name);
}

const char *request_parameter(const struct request *self, const char *name)
{
    const char *value = route_parameter(&self->match, name);
    return value ? value : "";
}
