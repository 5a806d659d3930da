#include "live/client_message.h"

#include "json_scan.h"

#include <stdlib.h>
#include <string.h>

#define TYPE_MAX 32

static void wrong(struct client_message *out, const char *problem)
{
    out->kind = CLIENT_WRONG;
    fault_set(&out->problem, ERR_INVALID, "%s", problem);
}

bool client_since_read(const char *text, bool *has_since, uint64_t *since, struct fault *why)
{
    *has_since = text && text[0];
    *since = 0;
    for (const char *at = text; *has_since && *at; at++) {
        if (*at < '0' || *at > '9' || *since > (INT64_MAX - 9) / 10) {
            fault_set(why, ERR_INVALID, "since must be a whole number, the seq of the last event received");
            return false;
        }
        *since = *since * 10 + (uint64_t)(*at - '0');
    }
    return true;
}

bool client_epoch_read(const char *text, char out[EPOCH_MAX], struct fault *why)
{
    size_t len = text ? strlen(text) : 0;
    bool valid = len < EPOCH_MAX && (len == 0 || id_chat_valid(text, len));
    if (!valid) {
        fault_set(why, ERR_INVALID, "epoch must be the one that came with the last event received");
        return false;
    }
    memcpy(out, len ? text : "", len + 1);
    return true;
}

static bool is_absent(const struct json_member *member)
{
    return !member || member->kind == JSON_KIND_NULL;
}

/* "-" stands for what is no number, so that one problem text covers texts, fractions and negative numbers. */
static bool read_since(const struct json_member *member, struct client_message *out)
{
    if (is_absent(member))
        return true;
    char digits[24];
    bool plain = member->kind == JSON_KIND_NUMBER && member->value.len < sizeof digits;
    size_t len = plain ? member->value.len : 0;
    memcpy(digits, plain ? member->value.at : "", len);
    digits[len] = '\0';
    return client_since_read(plain ? digits : "-", &out->has_since, &out->since, &out->problem);
}

static bool read_epoch(const struct json_member *member, struct client_message *out)
{
    if (is_absent(member))
        return true;
    char text[EPOCH_MAX];
    bool plain = json_member_plain_text(member, text, sizeof text);
    return client_epoch_read(plain ? text : "?", out->epoch, &out->problem);
}

static void on_ping(const struct json_members *members, struct client_message *out)
{
    (void)members;
    out->kind = CLIENT_PING;
}

/* false: *out says what is wrong. */
static bool read_chat(const struct json_member *chat, struct client_message *out)
{
    if (json_member_plain_text(chat, out->chat, sizeof out->chat) && id_chat_valid(out->chat, strlen(out->chat)))
        return true;
    int shown = chat->value.len > 80 ? 80 : (int)chat->value.len;
    out->kind = CLIENT_WRONG;
    fault_set(&out->problem, ERR_INVALID, "Invalid chat_id %.*s: 1 to %d of letters, digits and . _ ~ : - are allowed",
              shown, chat->value.at, ID_CHAT_MAX);
    return false;
}

static bool read_add(const struct json_member *member, struct client_message *out)
{
    out->add = member && member->kind == JSON_KIND_TRUTH && member->value.at[0] == 't';
    if (is_absent(member) || member->kind == JSON_KIND_TRUTH)
        return true;
    fault_set(&out->problem, ERR_INVALID, "add must be true or false");
    return false;
}

static void on_subscribe(const struct json_members *members, struct client_message *out)
{
    const struct json_member *chat = json_members_find(members, "chat_id");
    if (is_absent(chat)) {
        out->kind = CLIENT_NOTHING;
        return;
    }
    if (!read_chat(chat, out))
        return;
    bool good = read_since(json_members_find(members, "since"), out) &&
                read_epoch(json_members_find(members, "epoch"), out) &&
                read_add(json_members_find(members, "add"), out);
    out->kind = good ? CLIENT_SUBSCRIBE : CLIENT_WRONG;
}

static void on_unsubscribe(const struct json_members *members, struct client_message *out)
{
    const struct json_member *chat = json_members_find(members, "chat_id");
    if (is_absent(chat))
        wrong(out, "unsubscribe needs a chat_id");
    else if (read_chat(chat, out))
        out->kind = CLIENT_UNSUBSCRIBE;
}

/* The chat of a job begins its id, as the broker makes them: CHAT_workflow_MS_HEX. A chat id may hold the same word. */
static bool chat_of_job(const char *job, char out[ID_CHAT_MAX + 1])
{
    static const char word[] = "_workflow_";
    const char *end = NULL;
    for (const char *at = strstr(job, word); at; at = strstr(at + 1, word))
        end = at;
    size_t len = end ? (size_t)(end - job) : 0;
    if (!id_chat_valid(job, len))
        return false;
    memcpy(out, job, len);
    out[len] = '\0';
    return true;
}

static void on_cancel(const struct json_members *members, struct client_message *out)
{
    const struct json_member *job = json_members_find(members, "job_id");
    if (!json_member_plain_text(job, out->job, sizeof out->job) || !out->job[0])
        wrong(out, "cancel needs a job_id");
    else if (!chat_of_job(out->job, out->chat))
        wrong(out, "Job not found");
    else
        out->kind = CLIENT_CANCEL;
}

static const struct {
    const char *type;
    void (*read)(const struct json_members *members, struct client_message *out);
} messages[] = {
    {"ping", on_ping},
    {"subscribe", on_subscribe},
    {"unsubscribe", on_unsubscribe},
    {"cancel", on_cancel},
};

static void read_object(const struct json_members *members, struct client_message *out)
{
    char type[TYPE_MAX];
    out->kind = CLIENT_OTHER;
    if (!json_member_plain_text(json_members_find(members, "type"), type, sizeof type))
        return;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        if (strcmp(type, messages[i].type) == 0)
            messages[i].read(members, out);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct bytes trim(const char *bytes, size_t len)
{
    while (len > 0 && is_blank(*bytes)) {
        bytes++;
        len--;
    }
    while (len > 0 && is_blank(bytes[len - 1]))
        len--;
    return (struct bytes){bytes, len};
}

/* Not an object: is it JSON at all? As the only member of an object the same scan can tell. */
static enum err read_other(struct bytes text, struct client_message *out)
{
    static const char before[] = "{\"v\":";
    const size_t head = sizeof before - 1;
    char *wrapped = malloc(head + text.len + 1);
    if (!wrapped)
        return ERR_MEMORY;
    memcpy(wrapped, before, head);
    if (text.len > 0)
        memcpy(wrapped + head, text.at, text.len);
    wrapped[head + text.len] = '}';
    struct json_members members;
    enum err err = json_scan_object(wrapped, head + text.len + 1, &members, NULL);
    if (err == ERR_OK && members.count == 1 && members.member[0].value.len == text.len)
        wrong(out, "A message must be a JSON object, for example {\"type\":\"ping\"}");
    else
        wrong(out, "Invalid JSON");
    free(wrapped);
    return ERR_OK;
}

enum err client_message_read(struct client_message *out, const char *bytes, size_t len)
{
    memset(out, 0, sizeof *out);
    struct bytes text = trim(bytes, len);
    out->original = text;
    if (text.len == 4 && memcmp(text.at, "ping", 4) == 0) { /* a heartbeat that existing clients send */
        out->kind = CLIENT_PING;
        return ERR_OK;
    }
    if (text.len == 0 || text.at[0] != '{')
        return read_other(text, out);
    struct json_members members;
    switch (json_scan_object(text.at, text.len, &members, NULL)) {
    case ERR_OK: read_object(&members, out); break;
    case ERR_TOO_LARGE: wrong(out, "A message may have 64 members and 64 levels at most"); break;
    default: wrong(out, "Invalid JSON"); break;
    }
    return ERR_OK;
}
