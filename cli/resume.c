#include "resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_token(const char *text)
{
    size_t len = strlen(text);
    return len < RESUME_EPOCH_MAX &&
           strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._~-") == len;
}

static void hold(struct resume *self, const char *epoch, uint64_t seq)
{
    bool usable = epoch && is_token(epoch);
    snprintf(self->epoch, sizeof self->epoch, "%s", usable ? epoch : "");
    self->seq = usable ? seq : 0;
}

void resume_init(struct resume *self, const char *epoch, uint64_t seq)
{
    hold(self, epoch, seq);
    self->attached = false;
}

void resume_lost(struct resume *self)
{
    self->attached = false;
}

enum resume_start resume_connected(struct resume *self, const char *how, const char *epoch, uint64_t seq)
{
    bool same = epoch && self->epoch[0] && strcmp(epoch, self->epoch) == 0;
    bool resumed = how && strcmp(how, "resumed") == 0;
    self->attached = true;
    /* "resumed" at another position than ours would hide a hole; it is then taken as a new start. */
    if (resumed && same && seq == self->seq)
        return RESUME_CONTINUE;
    hold(self, epoch, seq);
    return RESUME_REBUILD;
}

enum resume_verdict resume_event(struct resume *self, bool has_seq, uint64_t seq, const char *epoch)
{
    if (!self->attached)
        return RESUME_IGNORE;
    if (!has_seq)
        return RESUME_APPLY;
    if (!epoch || strcmp(epoch, self->epoch) != 0)
        return RESUME_AGAIN;
    if (seq <= self->seq)
        return RESUME_IGNORE;
    if (seq != self->seq + 1)
        return RESUME_AGAIN;
    self->seq = seq;
    return RESUME_APPLY;
}

void resume_query(const struct resume *self, char out[RESUME_QUERY_MAX])
{
    out[0] = '\0';
    if (self->epoch[0])
        snprintf(out, RESUME_QUERY_MAX, "?since=%" PRIu64 "&epoch=%s", self->seq, self->epoch);
}
