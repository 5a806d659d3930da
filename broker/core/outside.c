/* Events of outside programs. They never change the state of a job; their own numbers, epochs and job ids are taken
 * off. */
#include "core/chat.h"
#include "core/compose.h"
#include "core/follow.h"
#include "core/handlers.h"
#include "core/note.h"
#include "core/record.h"
#include "event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_MAX       65 /* 64 bytes and a NUL */
#define EVENT_ID_ROOM  (EVENT_ID_MAX + 1)
#define PUBLISHER_MAX  PUBLISHER_NAME_MAX
#define NOTE_EVERY_MS  1000 /* of what got lost */
#define PUBLISHERS_MAX 1024 /* whose numbers are watched; further ones are not */

struct told {
    struct json_members members;
    char type[TYPE_MAX], event_id[EVENT_ID_ROOM], step_id[EVENT_ID_ROOM];
    const struct event_type *known; /* NULL: a type of their own */
};

bool outside_chat(const struct input *input, char out[ID_CHAT_MAX + 1])
{
    struct bytes chat = input->of.outside.chat;
    if (!id_chat_valid(chat.at, chat.len))
        return false;
    memcpy(out, chat.at, chat.len);
    out[chat.len] = '\0';
    return true;
}

/* Ends the JSON and sends it to whoever wants an answer. */
static void tell_publisher(struct core *core, const struct peer *peer, struct compose *json)
{
    struct effect *effect = core_effect(core, EFFECT_PUBLISHED);
    compose_plain(json, "}");
    if (!effect) {
        compose_fini(json);
        return;
    }
    effect->peer = *peer;
    enum err err = compose_give(json, &effect->bytes);
    if (err != ERR_OK)
        core_fail(core, err);
}

/* Names the event, so that a publisher that sent one twice can tell two answers from each other. event_id "" = none. */
static void answer(struct core *core, const struct peer *peer, uint64_t seq, const char *event_id)
{
    if (peer->len == 0)
        return;
    struct compose json = COMPOSE_INIT;
    compose_plain(&json, "{");
    compose_raw(&json, "ok", "true");
    if (seq)
        compose_int(&json, "seq", (int64_t)seq);
    else
        compose_raw(&json, "seq", "null");
    if (event_id[0])
        compose_text(&json, "event_id", event_id);
    tell_publisher(core, peer, &json);
}

static void refuse(struct core *core, const struct peer *peer, const char *reason)
{
    core->frames_refused++;
    if (peer->len == 0)
        return;
    struct compose json = COMPOSE_INIT;
    compose_plain(&json, "{");
    compose_text(&json, "error", reason);
    tell_publisher(core, peer, &json);
}

/* false: `why` says what is wrong. */
static bool read_told(const struct core *core, struct bytes json, struct told *out, struct fault *why)
{
    if (json.len > core->settings.event_bytes_max)
        return fault_set(why, ERR_TOO_LARGE, "The event is larger than %" PRIu32 " bytes",
                         core->settings.event_bytes_max) == ERR_OK;
    if (json_scan_object(json.at, json.len, &out->members, why) != ERR_OK)
        return false;
    const struct json_member *id = json_members_find(&out->members, "event_id");
    if (!json_member_plain_text(json_members_find(&out->members, "type"), out->type, sizeof out->type) || !out->type[0])
        return fault_set(why, ERR_INVALID, "'type' must be a text of 1 to 64 bytes") == ERR_OK;
    out->event_id[0] = '\0';
    if (id && !json_member_plain_text(id, out->event_id, sizeof out->event_id))
        return fault_set(why, ERR_INVALID, "'event_id' must be a text of at most 128 bytes") == ERR_OK;
    if (!json_member_plain_text(json_members_find(&out->members, "step_id"), out->step_id, sizeof out->step_id))
        out->step_id[0] = '\0';
    out->known = event_type_find(out->type, strlen(out->type));
    if (out->known && !out->known->outside)
        return fault_set(why, ERR_DENIED, "'%s' is the broker's own word", out->type) == ERR_OK;
    if (event_is_gateway_word(out->type))
        return fault_set(why, ERR_DENIED, "'%s' is the gateway's own word", out->type) == ERR_OK;
    return true;
}

/* Numbers of a publisher that counts tell what got lost on the way. */
static void watch_publisher(struct core *core, const struct told *told)
{
    char name[PUBLISHER_MAX];
    int64_t number;
    if (!json_member_plain_text(json_members_find(&told->members, "publisher"), name, sizeof name) ||
        !json_member_int(json_members_find(&told->members, "pub_seq"), &number) || number < 1)
        return;
    uint64_t *last = strmap_get(core->publishers, name, strlen(name));
    if (!last && strmap_count(core->publishers) < PUBLISHERS_MAX) {
        last = core_alloc(core, sizeof *last);
        enum err err = last ? strmap_put(core->publishers, name, strlen(name), last, NULL) : ERR_OK;
        if (err != ERR_OK) {
            core_fail(core, err);
            free(last);
            return;
        }
        if (last && number > 1)
            *last = (uint64_t)number - 1; /* we may have started later than it */
    }
    if (!last)
        return;
    if ((uint64_t)number > *last + 1) {
        core->publish_lost += (uint64_t)number - *last - 1;
        memcpy(core->lossy_publisher, name, sizeof core->lossy_publisher);
    }
    if ((uint64_t)number > *last || number == 1) /* 1: it has started anew; others that are not newer are sent again */
        *last = (uint64_t)number;
}

void outside_tick(struct core *core)
{
    if (core->publish_lost == core->publish_noted || core->now.mono_ms - core->publish_noted_ms < NOTE_EVERY_MS)
        return;
    char detail[200];
    snprintf(detail, sizeof detail, "%" PRIu64 " since the start, the newest of publisher %s", core->publish_lost,
             core->lossy_publisher);
    core->publish_noted = core->publish_lost;
    core->publish_noted_ms = core->now.mono_ms;
    note_write(core, true, "events of outside programs were lost on their way", NULL, NULL, detail);
}

/* ---- event ids: an id counts as long as the chat's history does, so the key begins with its epoch ---- */

#define DEDUPE_KEY_MAX (EPOCH_MAX + EVENT_ID_ROOM)

static size_t dedupe_key(const struct chat *chat, const char *event_id, char out[DEDUPE_KEY_MAX])
{
    return (size_t)snprintf(out, DEDUPE_KEY_MAX, "%s/%s", chat->epoch, event_id);
}

static uint64_t known_seq(const struct core *core, const struct chat *chat, const char *event_id, uint64_t prior)
{
    char key[DEDUPE_KEY_MAX];
    size_t len = dedupe_key(chat, event_id, key);
    const uint64_t *seq = dedupe_get(core->events, key, len);
    return seq ? *seq : chat_cleared_now(core, chat) ? 0 : prior;
}

void outside_remember(struct core *core, const struct chat *chat, const char *event_id, uint64_t seq)
{
    char key[DEDUPE_KEY_MAX];
    size_t len = dedupe_key(chat, event_id, key);
    uint64_t *kept = core_alloc(core, sizeof *kept);
    if (!kept)
        return;
    *kept = seq;
    void *value = kept;
    enum err err = dedupe_put(core->events, key, len, &value);
    if (err != ERR_OK)
        core_fail(core, err);
}

/* ---- the event itself ---- */

static void outside_key(const struct told *told, char out[EVENT_ID_ROOM + 10])
{
    size_t len = strlen(told->step_id);
    memcpy(out, "outside/", 8);
    memcpy(out + 8, told->step_id, len + 1);
}

/* State: nothing is written. A step that says it is over leaves nothing behind. */
static void take_progress(struct core *core, struct chat *chat, const struct told *told)
{
    char key[EVENT_ID_ROOM + 10], status[16];
    outside_key(told, key);
    struct draft draft = {.type = told->type, .members = &told->members};
    record_progress(core, chat, &draft, key, false);
    bool over = json_member_plain_text(json_members_find(&told->members, "status"), status, sizeof status) &&
                (strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0);
    if (over)
        chat_progress_drop(chat, key);
}

/* The first event of a chat nothing was written for makes its record. */
static bool ensure_record(struct core *core, struct chat *chat)
{
    if (chat->exists)
        return true;
    if (core->rooms >= core->settings.rooms_max)
        return false;
    chat_found(core, chat, true);
    chat_put(core, chat);
    record_reset(core, chat);
    return true;
}

static void take_record(struct core *core, const struct input *input, struct chat *chat, const struct told *told)
{
    uint64_t seq = told->event_id[0] ? known_seq(core, chat, told->event_id, input->of.outside.prior_seq) : 0;
    if (seq > 0) {
        answer(core, &input->peer, seq, told->event_id);
        return;
    }
    if (!ensure_record(core, chat)) {
        char text[100];
        snprintf(text, sizeof text, "Too many chats without a conversation: at most %" PRIu32 " (broker.rooms_max)",
                 core->settings.rooms_max);
        refuse(core, &input->peer, text);
        return;
    }
    struct draft draft = {.type = told->type, .members = &told->members, .event_id = told->event_id};
    seq = record_event(core, chat, &draft, NULL);
    if (seq == 0) {
        refuse(core, &input->peer, "The event is too large");
        return;
    }
    if (told->step_id[0]) {
        char key[EVENT_ID_ROOM + 10];
        outside_key(told, key);
        chat_progress_drop(chat, key);
    }
    if (told->event_id[0])
        outside_remember(core, chat, told->event_id, seq);
    answer(core, &input->peer, seq, told->event_id);
}

void handle_outside(struct core *core, const struct input *input)
{
    char id[ID_CHAT_MAX + 1];
    struct told told;
    struct fault why;
    if (input->of.outside.misframed) {
        refuse(core, &input->peer, "An event is two frames: chat id and JSON");
        return;
    }
    struct chat *chat = outside_chat(input, id) ? chat_find(core, id) : NULL;
    if (!chat) {
        refuse(core, &input->peer, "Invalid chat id");
        return;
    }
    if (!read_told(core, input->of.outside.json, &told, &why)) {
        refuse(core, &input->peer, why.text);
        return;
    }
    watch_publisher(core, &told);
    if (told.known && told.known->kind == EVENT_STATE) {
        take_progress(core, chat, &told);
        answer(core, &input->peer, 0, told.event_id);
    } else {
        take_record(core, input, chat, &told);
    }
}
