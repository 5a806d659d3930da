#include "expiry.h"

#include "janitor.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHATS_A_PIECE   256
#define ROOMS_A_PIECE   256
#define ANSWERS_A_PIECE 500
#define FILES_A_PIECE   2000
#define HOUR_US         INT64_C(3600000000)
#define DAY_US          (24 * HOUR_US)
#define SECOND_US       INT64_C(1000000)

/* The loop never has more than one piece of each under way, and its box has room for what they may find. */
static void reply(const struct expiry *self, enum reply_kind kind, void *body)
{
    if (mailbox_put(self->replies, &(struct mail){.kind = (int)kind, .body = body}) != ERR_OK)
        free(body);
}

/* ERR_FULL: enough for one piece, the next one goes on behind this chat. */
static enum err found_chat(struct expiry *self, enum reply_kind kind, const char *chat_id, const char *epoch,
                           uint64_t seq)
{
    struct found_chat *found = calloc(1, sizeof *found);
    size_t len = strlen(chat_id);
    if (!found)
        return ERR_MEMORY;
    memcpy(found->chat, chat_id, len <= ID_CHAT_MAX ? len : 0);
    snprintf(found->epoch, sizeof found->epoch, "%s", epoch);
    found->seq = seq;
    reply(self, kind, found);
    return ++self->found < JANITOR_TRIMS_MAX ? ERR_OK : ERR_FULL;
}

/* true: the pass is over. After an error it begins anew, later. */
static bool piece_ended(const struct expiry *self, enum err err, uint32_t piece, const char *what,
                        const struct fault *why)
{
    if (err != ERR_OK && err != ERR_FULL)
        log_warning("not looked for what may go", "what", what, "error", why->text, NULL);
    return err != ERR_FULL && (err != ERR_OK || self->looked_at < piece);
}

/* ---- events ---- */

static enum err offer_trim(void *context, const struct store_old_events *old)
{
    struct expiry *self = context;
    size_t len = strlen(old->chat_id);
    memcpy(self->events_after, old->chat_id, len <= ID_CHAT_MAX ? len + 1 : 0);
    self->looked_at++;
    return old->upto ? found_chat(self, REPLY_TRIM, old->chat_id, old->epoch, old->upto) : ERR_OK;
}

static bool look_at_events(struct expiry *self, int64_t wall_us)
{
    struct fault why = {.text = "out of memory"};
    struct store_retention keep = {.events_max = self->events_max};
    if (self->events_age_us > 0)
        keep.older_than_us = wall_us - self->events_age_us;
    enum err err = store_read_old_events(self->store, self->events_after, &keep, CHATS_A_PIECE, offer_trim, self, &why);
    bool last = piece_ended(self, err, CHATS_A_PIECE, "events", &why);
    if (last)
        self->events_after[0] = '\0';
    return last;
}

/* ---- rooms ---- */

static enum err offer_room(void *context, const char *chat_id, uint64_t head)
{
    return found_chat(context, REPLY_ROOM, chat_id, "", head);
}

static bool look_at_rooms(struct expiry *self, int64_t wall_us)
{
    struct fault why = {.text = "out of memory"};
    enum err err = store_read_old_rooms(self->store, &self->rooms_after, wall_us - self->room_age_us, ROOMS_A_PIECE,
                                        &self->looked_at, offer_room, self, &why);
    bool last = piece_ended(self, err, ROOMS_A_PIECE, "rooms", &why);
    if (last)
        self->rooms_after = (struct store_room_cursor){0};
    return last;
}

/* ---- answers ---- */

static enum err offer_answers(struct expiry *self)
{
    struct store_answer_range *found = malloc(sizeof *found);
    if (!found)
        return ERR_MEMORY;
    *found = self->answers;
    reply(self, REPLY_ANSWERS, found);
    return ERR_OK;
}

static bool look_at_answers(struct expiry *self, int64_t wall_us)
{
    struct fault why = {.text = "out of memory"};
    uint32_t old = 0;
    self->answers.older_than_us = wall_us - EXPIRY_ANSWER_HOURS * HOUR_US;
    enum err err = store_read_old_answers(self->store, &self->answers, ANSWERS_A_PIECE, &self->looked_at, &old, &why);
    if (err == ERR_OK && old > 0)
        err = offer_answers(self);
    memcpy(self->answers.after, self->answers.upto, sizeof self->answers.after);
    bool last = piece_ended(self, err, ANSWERS_A_PIECE, "answers", &why);
    if (last)
        self->answers = (struct store_answer_range){.after = {0}};
    return last;
}

/* ---- files ---- */

static bool look_at_files(struct expiry *self, int64_t wall_us)
{
    return orphans_look(&self->orphans, wall_us, FILES_A_PIECE);
}

static bool look_at_dumps(struct expiry *self, int64_t wall_us)
{
    old_dumps_remove(self->dumps_path, self->dump_age_us, wall_us);
    return true;
}

/* ---- all of them ---- */

static bool (*const looks[PASS_KINDS])(struct expiry *self, int64_t wall_us) = {
    [PASS_EVENTS] = look_at_events, [PASS_ROOMS] = look_at_rooms, [PASS_ANSWERS] = look_at_answers,
    [PASS_FILES] = look_at_files,   [PASS_DUMPS] = look_at_dumps,
};

bool expiry_look(struct expiry *self, enum pass_kind pass, int64_t wall_us)
{
    self->looked_at = self->found = 0;
    return looks[pass](self, wall_us);
}

bool expiry_wanted(const struct settings *settings, enum pass_kind pass)
{
    switch (pass) {
    case PASS_EVENTS: return settings->broker.retention_days > 0 || settings->broker.retention_events_max > 0;
    case PASS_ROOMS: return settings->broker.room_days > 0;
    case PASS_ANSWERS:
    case PASS_FILES:
    case PASS_DUMPS: return true;
    case PASS_KINDS: break;
    }
    return false;
}

enum err expiry_open(struct expiry *self, const struct settings *settings, const struct store *record,
                     struct files *files, struct mailbox *replies, struct fault *why)
{
    *self = (struct expiry){
        .replies = replies,
        .events_age_us = settings->broker.retention_days * DAY_US,
        .events_max = settings->broker.retention_events_max,
        .room_age_us = settings->broker.room_days * DAY_US,
        .dump_age_us = settings->chat_workflows.dump.retention_days * DAY_US,
        .dumps_path = settings->chat_workflows.storage.dumps_path,
    };
    enum err err = store_reader_open(&self->store, record, why);
    orphans_init(&self->orphans, self->store, files,
                 EXPIRY_FILE_HOURS * HOUR_US + settings->http.execute_wait_seconds * SECOND_US);
    return err;
}

void expiry_close(struct expiry *self)
{
    orphans_fini(&self->orphans);
    store_reader_close(&self->store);
}
