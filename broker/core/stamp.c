#include "core/stamp.h"

#include "json_text.h"

#include <string.h>

static const char *const stamped[] = {"type",   "chat_id", "seq",    "epoch", "timestamp",
                                      "job_id", "attempt", "source", NULL};

/* However it is escaped. Most keys differ in their first character. */
static bool listed(const struct json_span *key, const char *const *list)
{
    for (; list && *list; list++)
        if ((key->at[0] == (*list)[0] || key->at[0] == '\\') && json_key_is(key, *list))
            return true;
    return false;
}

static char *put(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

static enum err add_member(struct buf *out, const struct json_member *member)
{
    char *at;
    enum err err = buf_extend(out, 2 + member->key.len + 2 + member->value.len, &at);
    if (err != ERR_OK)
        return err;
    at = put(at, ",\"", 2);
    at = put(at, member->key.at, member->key.len);
    at = put(at, "\":", 2);
    put(at, member->value.at, member->value.len);
    return ERR_OK;
}

static enum err splice(struct buf *out, const struct json_members *members, const char *const *dropped)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < members->count && err == ERR_OK; i++) {
        const struct json_member *member = &members->member[i];
        if (!listed(&member->key, stamped) && !listed(&member->key, dropped))
            err = add_member(out, member);
    }
    return err;
}

static enum err write_head(struct buf *out, const struct stamp *stamp)
{
    enum err err = buf_add_byte(out, '{');
    if (err == ERR_OK)
        err = json_text_member(out, "type", stamp->type);
    if (err == ERR_OK)
        err = json_text_member(out, "chat_id", stamp->chat_id);
    if (err == ERR_OK && stamp->seq > 0)
        err = json_text_member_int(out, "seq", (int64_t)stamp->seq);
    if (err == ERR_OK && stamp->seq > 0)
        err = json_text_member(out, "epoch", stamp->epoch);
    if (err == ERR_OK)
        err = json_text_member(out, "timestamp", stamp->timestamp);
    if (err == ERR_OK && stamp->outside)
        err = json_text_member(out, "source", "outside");
    if (err == ERR_OK && stamp->job_id)
        err = json_text_member(out, "job_id", stamp->job_id);
    if (err == ERR_OK && stamp->job_id && stamp->attempt > 0)
        err = json_text_member_int(out, "attempt", stamp->attempt);
    return err;
}

enum err stamp_write(struct buf *out, const struct stamp *stamp, const char *extra, const struct json_members *members,
                     const char *const *dropped)
{
    enum err err = write_head(out, stamp);
    if (err == ERR_OK && extra && extra[0]) {
        err = buf_add_byte(out, ',');
        if (err == ERR_OK)
            err = buf_add_text(out, extra);
    }
    if (err == ERR_OK && members)
        err = splice(out, members, dropped);
    return err == ERR_OK ? buf_add_byte(out, '}') : err;
}
