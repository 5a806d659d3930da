#include "core/stamp.h"

#include "clock.h"
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_PLAIN 32 /* longer than any name of ours */

static const char *const stamped[] = {"type",   "chat_id", "seq",    "epoch", "timestamp",
                                      "job_id", "attempt", "source", NULL};

/* The character an escape at `at` stands for, if it is ASCII; *step = its length. 0 = something else. */
static char escaped_ascii(const char *at, size_t left, size_t *step)
{
    *step = 2;
    if (left < 2)
        return 0;
    if (at[1] != 'u')
        return at[1]; /* only the quotes and slashes matter here: no name of ours holds a control character */
    if (left < 6)
        return 0;
    *step = 6;
    char hex[5] = {at[2], at[3], at[4], at[5], '\0'};
    unsigned long code = strtoul(hex, NULL, 16);
    return code < 0x80 ? (char)code : 0;
}

/* A member's name with its escapes resolved, as far as it could be one of ours; "" otherwise. */
static void plain_name(const struct json_span *key, char out[NAME_MAX_PLAIN])
{
    size_t len = 0;
    for (size_t i = 0; i < key->len && len < NAME_MAX_PLAIN; len++) {
        size_t step = 1;
        out[len] = key->at[i] == '\\' ? escaped_ascii(key->at + i, key->len - i, &step) : key->at[i];
        if (out[len] == '\0')
            len = NAME_MAX_PLAIN - 1;
        i += step;
    }
    out[len < NAME_MAX_PLAIN ? len : 0] = '\0';
}

static bool listed(const char *name, const char *const *list)
{
    for (; list && *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

static enum err splice(struct buf *out, const struct json_members *members, const char *const *dropped)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < members->count && err == ERR_OK; i++) {
        const struct json_member *member = &members->member[i];
        char name[NAME_MAX_PLAIN];
        plain_name(&member->key, name);
        if (name[0] && (listed(name, stamped) || listed(name, dropped)))
            continue;
        err = buf_add(out, ",\"", 2);
        if (err == ERR_OK)
            err = buf_add(out, member->key.at, member->key.len);
        if (err == ERR_OK)
            err = buf_add(out, "\":", 2);
        if (err == ERR_OK)
            err = buf_add(out, member->value.at, member->value.len);
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
    char text[CLOCK_TEXT_MAX];
    clock_rfc3339(stamp->wall_us, text);
    if (err == ERR_OK)
        err = json_text_member(out, "timestamp", text);
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
