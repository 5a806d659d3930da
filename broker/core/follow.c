#include "core/follow.h"

#include "core/snapshot.h"
#include "event.h"
#include "json_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_EVENTS   256 /* of one read from the record */
#define RANGE_RETRY_MS 500 /* after a read that failed */

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

/* The state of a chat before its first event. */
static struct bytes empty_state(void)
{
    return text_bytes("{\"status\":null,\"job\":null,\"steps\":[]}");
}

static struct feed_record record_for(const struct chat *chat, enum feed_kind kind)
{
    return (struct feed_record){.kind = kind, .chat = text_bytes(chat->id)};
}

/* ---- who belongs where ---- */

static struct follow *follow_of(struct feed_link *link, const struct chat *chat)
{
    struct follow *self = chat->follows;
    while (self && self->link != link)
        self = self->chat_next;
    return self;
}

static struct follow *follow_new(struct core *core, struct feed_link *link, struct chat *chat)
{
    struct follow *self = core_alloc(core, sizeof *self);
    if (!self)
        return NULL;
    self->link = link;
    self->chat = chat;
    self->chat_next = chat->follows;
    if (chat->follows)
        chat->follows->chat_prev = self;
    chat->follows = self;
    self->link_next = link->follows;
    if (link->follows)
        link->follows->link_prev = self;
    link->follows = self;
    return self;
}

static void leave_behind(struct follow *self)
{
    if (!self->behind)
        return;
    struct follow **at = &self->link->behind;
    while (*at != self)
        at = &(*at)->behind_next;
    *at = self->behind_next;
    self->behind = false;
}

static void fall_behind(struct follow *self)
{
    if (self->behind)
        return;
    self->behind = true;
    self->behind_next = self->link->behind;
    self->link->behind = self;
}

static void follow_free(struct core *core, struct follow *self)
{
    leave_behind(self);
    if (self->chat_prev)
        self->chat_prev->chat_next = self->chat_next;
    else
        self->chat->follows = self->chat_next;
    if (self->chat_next)
        self->chat_next->chat_prev = self->chat_prev;
    if (self->link_prev)
        self->link_prev->link_next = self->link_next;
    else
        self->link->follows = self->link_next;
    if (self->link_next)
        self->link_next->link_prev = self->link_prev;
    self->chat->used_ms = core->now.mono_ms;
    free(self);
}

void follow_detach(struct core *core, struct feed_link *link, uint64_t id)
{
    struct attach *attach = strmap_take(link->attaches, &id, sizeof id);
    if (!attach)
        return;
    struct follow *follow = attach->follow;
    if (follow->waiting == attach)
        follow->waiting = attach->next;
    if (attach->prev)
        attach->prev->next = attach->next;
    else
        follow->attaches = attach->next;
    if (attach->next)
        attach->next->prev = attach->prev;
    else
        follow->last = attach->prev;
    if (attach->state == ATTACH_LIVE)
        follow->live--;
    free(attach);
    if (!follow->attaches)
        follow_free(core, follow);
}

void follow_end(struct core *core, struct follow *self)
{
    bool last = false;
    while (!last) {
        last = self->attaches->next == NULL;
        follow_detach(core, self->link, self->attaches->id);
    }
}

static void add_attach(struct core *core, struct follow *follow, const struct request_frame *frame)
{
    struct attach *attach = core_alloc(core, sizeof *attach);
    enum err err =
        attach ? strmap_put(follow->link->attaches, &frame->attach, sizeof frame->attach, attach, NULL) : ERR_MEMORY;
    if (err != ERR_OK) {
        core_fail(core, err);
        free(attach);
        if (!follow->attaches)
            follow_free(core, follow);
        return;
    }
    attach->id = frame->attach;
    attach->follow = follow;
    attach->has_since = frame->has_since;
    attach->since = frame->since;
    memcpy(attach->epoch, frame->epoch, sizeof attach->epoch);
    attach->prev = follow->last;
    if (follow->last)
        follow->last->next = attach;
    else
        follow->attaches = attach;
    follow->last = attach;
    if (!follow->waiting)
        follow->waiting = attach;
    fall_behind(follow);
}

void follow_attach(struct core *core, struct feed_link *link, struct chat *chat, const struct request_frame *frame)
{
    follow_detach(core, link, frame->attach);
    if (strmap_count(link->attaches) >= LINK_ATTACHES) {
        core->frames_refused++;
        return;
    }
    struct follow *follow = follow_of(link, chat);
    if (!follow)
        follow = follow_new(core, link, chat);
    if (follow)
        add_attach(core, follow, frame);
}

/* ---- sending; each false when the window is full ---- */

/* With its closing progress, which would otherwise go out again with each attempt, and for ever in a window of one. */
static bool send_event(struct core *core, struct follow *self, const struct tail_event *event)
{
    struct feed_record closing = record_for(self->chat, FEED_PROGRESS), record = record_for(self->chat, FEED_EVENT);
    record.seq = event->seq;
    record.terminal = event->terminal;
    record.body = (struct bytes){event->body, event->len};
    if (event->closing) {
        closing.key = text_bytes(event->closing_key);
        closing.closing = true;
        closing.body = (struct bytes){event->closing, event->closing_len};
    }
    const struct feed_record both[] = {closing, record};
    if (!feed_link_add(core, self->link, event->closing ? both : &record, event->closing ? 2 : 1))
        return false;
    self->sent = event->seq;
    return true;
}

static bool send_replay(struct core *core, struct attach *attach, uint64_t seq, bool terminal, struct bytes body)
{
    struct feed_record record = record_for(attach->follow->chat, FEED_REPLAY);
    record.attach = attach->id;
    record.seq = seq;
    record.terminal = terminal;
    record.body = body;
    if (!feed_link_add(core, attach->follow->link, &record, 1))
        return false;
    attach->sent = seq;
    return true;
}

/* The newest progress of every unfinished step that the live ones miss. However small the window is, the next call goes
 * on where this one ended. */
static bool send_progress(struct core *core, struct follow *self)
{
    for (uint32_t i = 0; i < self->chat->progress_count; i++) {
        const struct step_progress *progress = &self->chat->progress[i];
        if (progress->number <= self->progress_sent || (progress->job && progress->number <= self->progress_told))
            continue;
        struct feed_record record = record_for(self->chat, FEED_PROGRESS);
        record.key = text_bytes(progress->key);
        record.body = (struct bytes){progress->body, progress->len};
        if (!feed_link_add(core, self->link, &record, 1))
            return false;
        self->progress_sent = progress->number;
    }
    return true;
}

static bool send_snapshot(struct core *core, struct follow *self, struct feed_record *record)
{
    struct compose snapshot = COMPOSE_INIT;
    snapshot_write(core, self->chat, &snapshot);
    if (snapshot.err != ERR_OK)
        core_fail(core, snapshot.err);
    record->epoch = text_bytes(self->chat->epoch);
    record->seq = record->head = self->chat->head;
    record->body = (struct bytes){snapshot.buf.data, snapshot.buf.len};
    bool sent = snapshot.err == ERR_OK && feed_link_add(core, self->link, record, 1);
    compose_fini(&snapshot);
    return sent;
}

/* The window may have been full since the first event: the snapshot of now would leave out what came in between. */
static bool send_first_reset(struct core *core, struct follow *self, struct feed_record *record)
{
    record->epoch = text_bytes(self->chat->epoch);
    record->head = self->chat->head;
    record->body = empty_state();
    return feed_link_add(core, self->link, record, 1);
}

static bool send_reset(struct core *core, struct follow *self)
{
    struct feed_record record = record_for(self->chat, FEED_RESET);
    bool first = self->from_start && self->chat->head > 0;
    if (!(first ? send_first_reset(core, self, &record) : send_snapshot(core, self, &record)))
        return false;
    self->sent = record.seq;
    self->reset = self->from_start = false;
    return true;
}

/* Answers an attach with a snapshot; it then holds everything up to the head. */
static bool send_attached_snapshot(struct core *core, struct attach *attach, enum feed_resume resume)
{
    struct follow *follow = attach->follow;
    struct feed_record record = record_for(follow->chat, FEED_ATTACHED);
    record.attach = attach->id;
    record.resume = resume;
    if (!send_snapshot(core, follow, &record))
        return false;
    attach->sent = follow->chat->head;
    attach->told = follow->chat->progress_newest;
    attach->state = ATTACH_REPLAY;
    if (!follow->chat->epoch[0]) { /* what it holds now, should it be answered again */
        attach->has_since = true;
        attach->since = 0;
        attach->epoch[0] = '\0';
    }
    return true;
}

static bool send_attached_resumed(struct core *core, struct attach *attach)
{
    struct follow *follow = attach->follow;
    struct feed_record record = record_for(follow->chat, FEED_ATTACHED);
    record.attach = attach->id;
    record.resume = attach->epoch[0] ? FEED_RESUMED : FEED_SNAPSHOT; /* of the time before the first event */
    record.body = attach->epoch[0] ? text_bytes("") : empty_state();
    record.epoch = text_bytes(follow->chat->epoch);
    record.seq = attach->since;
    record.head = follow->chat->head;
    if (!feed_link_add(core, follow->link, &record, 1))
        return false;
    attach->sent = attach->since;
    attach->told = 0;
    attach->state = ATTACH_REPLAY;
    return true;
}

/* ---- live ---- */

void follow_event(struct core *core, struct chat *chat)
{
    const struct tail_event *event = chat_tail_find(core, chat, chat->head);
    for (struct follow *self = chat->follows; self && event; self = self->chat_next) {
        bool current = self->live > 0 && !self->reset && self->sent + 1 == event->seq;
        if (!current || !send_event(core, self, event))
            fall_behind(self);
    }
}

void follow_progress(struct core *core, struct chat *chat)
{
    for (struct follow *self = chat->follows; self; self = self->chat_next) {
        bool current = !self->reset && self->sent == chat->head;
        if (self->live > 0 && !(current && send_progress(core, self)))
            fall_behind(self);
    }
}

void follow_reset(struct core *core, struct chat *chat)
{
    for (struct follow *self = chat->follows; self; self = self->chat_next) {
        for (struct attach *attach = self->waiting; attach; attach = attach->next)
            if (attach->state == ATTACH_REPLAY)
                attach->state = ATTACH_NEW; /* what it got so far is void; it is answered again */
        self->reading = false;
        self->reset = self->live > 0;
        self->from_start = chat->epoch[0] && chat->head == 0; /* a restored one is told as it is */
        if (!self->reset || !send_reset(core, self))
            fall_behind(self);
    }
}

/* ---- catching up ---- */

static void ask_range(struct core *core, struct follow *self, uint64_t since)
{
    struct effect *effect = core_effect(core, EFFECT_QUERY);
    struct query *query = effect ? core_alloc(core, sizeof *query) : NULL;
    if (!query)
        return;
    query->kind = QUERY_RANGE;
    memcpy(query->chat, self->chat->id, sizeof query->chat);
    query->since = since;
    query->limit = RANGE_EVENTS;
    query->link = self->link->number;
    query->generation = self->chat->generation;
    effect->query = query;
    self->reading = true;
}

/* The live stream up to the head. */
static bool catch_up_live(struct core *core, struct follow *self)
{
    if (self->live == 0)
        return true;
    if (self->reset && !send_reset(core, self))
        return false;
    while (self->sent < self->chat->head) {
        const struct tail_event *event = chat_tail_find(core, self->chat, self->sent + 1);
        if (!event) {
            ask_range(core, self, self->sent);
            return false;
        }
        if (!send_event(core, self, event))
            return false;
    }
    return send_progress(core, self);
}

static bool can_resume(const struct attach *attach)
{
    const struct chat *chat = attach->follow->chat;
    if (!attach->has_since || !chat->epoch[0] || attach->since > chat->head)
        return false;
    /* Who was told that there is no record misses all of it. An empty record is told as it is. */
    bool was_none = !attach->epoch[0] && attach->since == 0 && chat->head > 0;
    return was_none || strcmp(attach->epoch, chat->epoch) == 0;
}

static bool answer_attach(struct core *core, struct attach *attach)
{
    struct follow *follow = attach->follow;
    struct chat *chat = follow->chat;
    if (!can_resume(attach)) {
        bool other = attach->epoch[0] && strcmp(attach->epoch, chat->epoch) != 0;
        return send_attached_snapshot(core, attach, other ? FEED_RESET_HISTORY : FEED_SNAPSHOT);
    }
    if (attach->since == chat->head || chat_tail_find(core, chat, attach->since + 1))
        return send_attached_resumed(core, attach);
    ask_range(core, follow, attach->since); /* only the record knows whether it reaches back that far */
    return false;
}

static bool replay_attach(struct core *core, struct attach *attach)
{
    struct follow *follow = attach->follow;
    while (attach->sent < follow->chat->head) {
        const struct tail_event *event = chat_tail_find(core, follow->chat, attach->sent + 1);
        if (!event) {
            ask_range(core, follow, attach->sent);
            return false;
        }
        struct bytes body = {event->body, event->len};
        if (!send_replay(core, attach, event->seq, event->terminal, body))
            return false;
    }
    return true;
}

/* The live stream is at the head here, so the newcomer joins it without a seam. */
static bool go_live(struct core *core, struct attach *attach)
{
    struct follow *follow = attach->follow;
    struct feed_record record = record_for(follow->chat, FEED_LIVE);
    record.attach = attach->id;
    if (!feed_link_add(core, follow->link, &record, 1))
        return false;
    attach->state = ATTACH_LIVE;
    follow->waiting = attach->next;
    follow->live++;
    follow->sent = follow->chat->head;
    follow->reset = follow->from_start = false; /* of live ones that are gone */
    follow->progress_sent = 0;                  /* the others may get it once more */
    follow->progress_told = attach->told;
    return send_progress(core, follow);
}

static bool catch_up_attach(struct core *core, struct attach *attach)
{
    if (attach->state == ATTACH_NEW && !answer_attach(core, attach))
        return false;
    return replay_attach(core, attach) && go_live(core, attach);
}

static bool catch_up(struct core *core, struct follow *self)
{
    if (self->reading || core->now.mono_ms < self->retry_ms || !catch_up_live(core, self))
        return false;
    while (self->waiting)
        if (!catch_up_attach(core, self->waiting))
            return false;
    return true;
}

void follow_catch_up(struct core *core, struct feed_link *link)
{
    if (!feed_link_has_room(core, link))
        return;
    struct follow *self = link->behind;
    link->behind = NULL;
    while (self) {
        struct follow *next = self->behind_next;
        self->behind = false;
        if (!catch_up(core, self))
            fall_behind(self);
        self = next;
    }
}

/* ---- events that came from the record ---- */

/* A raw value of the event under the same name; nothing when it is absent. */
static void copy_member(const struct json_members *from, const char *key, struct compose *out)
{
    const struct json_member *member = json_members_find(from, key);
    char *value = member ? strndup(member->value.at, member->value.len) : NULL;
    if (value)
        compose_raw(out, key, value);
    free(value);
}

/* The closing progress is not on record, but a step's result or error says all there is in it. */
static void restore_closing(struct core *core, struct tail_event *event, const struct event_row *row)
{
    static const char *const kept[] = {"chat_id", "timestamp", "job_id", "attempt", "step_id", "operation"};
    bool done = strcmp(row->type, "step_result") == 0, failed = strcmp(row->type, "error") == 0;
    char job[JOB_ID_MAX + 1], step[ID_UUID_LEN + 1], key[JOB_ID_MAX + ID_UUID_LEN + 2];
    struct json_members members;
    if ((!done && !failed) || json_scan_object(row->body, row->body_len, &members, NULL) != ERR_OK ||
        !json_member_plain_text(json_members_find(&members, "job_id"), job, sizeof job) ||
        !json_member_plain_text(json_members_find(&members, "step_id"), step, sizeof step))
        return; /* an outside program's event, or no step's end */
    struct compose body = COMPOSE_INIT;
    compose_plain(&body, "{");
    compose_text(&body, "type", "progress");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        copy_member(&members, kept[i], &body);
    if (done)
        compose_int(&body, "progress", 100);
    else
        copy_member(&members, "progress", &body);
    compose_text(&body, "status", done ? "completed" : "failed");
    if (done)
        compose_text(&body, "message", "Step completed successfully");
    else
        copy_member(&members, "message", &body);
    compose_plain(&body, "}");
    snprintf(key, sizeof key, "%s/%s", job, step);
    if (body.err == ERR_OK) {
        event->closing_key = core_copy_text(core, key);
        event->closing = buf_steal(&body.buf, &event->closing_len);
    } else {
        core_fail(core, body.err);
    }
    compose_fini(&body);
}

static bool live_row(struct core *core, struct follow *self, const struct event_row *row)
{
    struct tail_event *event = tail_event_new(core, row->type, row->seq, row->body, row->body_len);
    if (event)
        restore_closing(core, event, row);
    bool sent = event && send_event(core, self, event);
    tail_event_free(event);
    return sent;
}

static void range_to_live(struct core *core, struct follow *self, const struct range *range)
{
    for (size_t i = 0; i < range->count; i++) {
        const struct event_row *row = &range->rows[i];
        if (row->seq == self->sent + 1 && !live_row(core, self, row))
            return;
    }
}

static void range_to_attach(struct core *core, struct attach *attach, const struct range *range)
{
    for (size_t i = 0; i < range->count; i++) {
        const struct event_row *row = &range->rows[i];
        const struct event_type *type = event_type_find(row->type, strlen(row->type));
        struct bytes body = {row->body, row->body_len};
        if (row->seq == attach->sent + 1 && !send_replay(core, attach, row->seq, type && type->terminal, body))
            return;
    }
}

/* Whether the record goes on where it was asked from. Retention may have taken the next events in the middle of a
 * replay: then there is a gap, and what follows it is a snapshot. */
static bool goes_on(const struct range *range)
{
    return range->count > 0 && range->rows[0].seq == range->since + 1;
}

/* An attach nobody answered yet: the record either goes on right after its `since`, or does not reach back that far. */
static bool range_answers(struct core *core, struct attach *attach, const struct range *range)
{
    return goes_on(range) ? send_attached_resumed(core, attach) : send_attached_snapshot(core, attach, FEED_GAP);
}

static void range_for(struct core *core, struct follow *self, const struct range *range)
{
    if (self->live > 0 && !self->reset && self->sent < self->chat->head) {
        if (self->sent == range->since && !goes_on(range))
            self->reset = true;
        else if (self->sent == range->since)
            range_to_live(core, self, range);
        return;
    }
    for (struct attach *attach = self->waiting; attach; attach = attach->next) {
        bool asked = attach->state == ATTACH_NEW && can_resume(attach) && attach->since == range->since;
        if (asked && !range_answers(core, attach, range))
            return;
        if (attach->state != ATTACH_REPLAY || attach->sent != range->since)
            continue;
        if (goes_on(range))
            range_to_attach(core, attach, range);
        else
            (void)send_attached_snapshot(core, attach, FEED_GAP);
    }
}

void follow_range(struct core *core, const struct range *range)
{
    struct feed_link *link = feed_link_find(core, range->link);
    struct chat *chat = chat_find(core, range->chat);
    struct follow *self = link && chat && chat->generation == range->generation ? follow_of(link, chat) : NULL;
    if (!self || !self->reading)
        return;
    self->reading = false;
    fall_behind(self);
    if (range->failed)
        self->retry_ms = core->now.mono_ms + RANGE_RETRY_MS;
    else
        range_for(core, self, range);
}
