#include "live/hub.h"

#include "strmap.h"

#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX (ID_CHAT_MAX + 256) /* chat, NUL, and the broker's key of a step */

enum session_state { SESSION_IDLE, SESSION_DUE, SESSION_ATTACHING, SESSION_REPLAYING, SESSION_LIVE };

/* One chat followed by one socket. The first of a socket stands for it; the others hang on that one. */
struct session {
    void *socket;
    struct session *more; /* further chats of the same socket */
    enum session_state state;
    char chat[ID_CHAT_MAX + 1]; /* "" = none */
    uint64_t attach;            /* of the present following; never used twice */
    bool told;                  /* this following was answered `connected` */
    bool has_since;             /* cursor and epoch are something to resume from */
    uint64_t cursor;
    char epoch[EPOCH_MAX];
    struct session *room_prev, *room_next; /* of the same chat */
    struct session *due_prev, *due_next;   /* to be attached, oldest first */
};

struct room {
    struct session *sessions;
    bool reserved; /* somebody is about to enter: not freed while empty */
};

/* A following that ended while its link was open: the broker is to be told. */
struct farewell {
    struct farewell *next;
    uint64_t attach;
};

struct session_list {
    struct session *first, *last;
};

struct hub {
    const struct hub_output *output;
    int64_t wall_us;
    uint64_t link; /* 0 = none */
    uint64_t last_attach;
    struct strmap *rooms;    /* chat id -> struct room */
    struct strmap *attaches; /* attach id -> struct session; all sessions with a chat */
    size_t sessions;
    struct session_list due;
    struct farewell *farewells; /* of this link alone; a lost link forgets them */
};

enum err hub_new(struct hub **out, const struct hub_output *output)
{
    *out = NULL;
    struct hub *self = calloc(1, sizeof *self);
    if (!self)
        return ERR_MEMORY;
    self->output = output;
    enum err err = strmap_new(&self->rooms);
    if (err == ERR_OK)
        err = strmap_new(&self->attaches);
    if (err == ERR_OK)
        *out = self;
    else
        hub_destroy(&self);
    return err;
}

static void forget_farewells(struct hub *self)
{
    while (self->farewells) {
        struct farewell *next = self->farewells->next;
        free(self->farewells);
        self->farewells = next;
    }
}

void hub_destroy(struct hub **self_p)
{
    struct hub *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    strmap_destroy(&self->attaches);
    strmap_destroy(&self->rooms);
    forget_farewells(self);
    free(self);
}

void hub_set_time(struct hub *self, int64_t wall_us)
{
    self->wall_us = wall_us;
}

size_t hub_sessions(const struct hub *self)
{
    return self->sessions;
}

uint64_t hub_cursor(const struct session *session)
{
    return session->cursor;
}

static void put_due(struct hub *self, struct session *session)
{
    session->state = SESSION_DUE;
    session->due_next = NULL;
    session->due_prev = self->due.last;
    if (self->due.last)
        self->due.last->due_next = session;
    else
        self->due.first = session;
    self->due.last = session;
}

static void take_due(struct hub *self, struct session *session)
{
    if (session->state != SESSION_DUE)
        return;
    if (session->due_prev)
        session->due_prev->due_next = session->due_next;
    else
        self->due.first = session->due_next;
    if (session->due_next)
        session->due_next->due_prev = session->due_prev;
    else
        self->due.last = session->due_prev;
    session->due_prev = session->due_next = NULL;
}

static struct room *room_of(const struct hub *self, struct bytes chat)
{
    return strmap_get(self->rooms, chat.at, chat.len);
}

static struct room *room_for(struct hub *self, const char *chat)
{
    struct room *room = room_of(self, (struct bytes){chat, strlen(chat)});
    if (room)
        return room;
    room = calloc(1, sizeof *room);
    if (room && strmap_put(self->rooms, chat, strlen(chat), room, NULL) != ERR_OK) {
        free(room);
        room = NULL;
    }
    return room;
}

static void free_if_empty(struct hub *self, struct room *room, const char *chat)
{
    if (!room->sessions && !room->reserved)
        free(strmap_take(self->rooms, chat, strlen(chat)));
}

static void leave_room(struct hub *self, struct session *session)
{
    struct room *room = room_of(self, (struct bytes){session->chat, strlen(session->chat)});
    if (session->room_prev)
        session->room_prev->room_next = session->room_next;
    else
        room->sessions = session->room_next;
    if (session->room_next)
        session->room_next->room_prev = session->room_prev;
    session->room_prev = session->room_next = NULL;
    free_if_empty(self, room, session->chat);
}

static void enter_room(struct room *room, struct session *session)
{
    room->reserved = false;
    session->room_next = room->sessions;
    if (room->sessions)
        room->sessions->room_prev = session;
    room->sessions = session;
}

static void send_to(const struct hub *self, const struct session *session, struct frame *frame, enum out_kind kind,
                    struct bytes key)
{
    self->output->send(self->output->ctx, session->socket, frame, kind, key);
}

static void send_connected(const struct hub *self, const struct session *session, const struct connected *what)
{
    struct frame *frame;
    if (frames_connected(&frame, what) != ERR_OK)
        return; /* no memory: the client waits, and comes again */
    send_to(self, session, frame, OUT_DURABLE, (struct bytes){"", 0});
    frame_unref(&frame);
}

static void tell_idle(const struct hub *self, const struct session *session)
{
    send_connected(self, session, &(struct connected){.wall_us = self->wall_us});
}

/* The broker must know of no following that nobody has. Lost with the link, like the followings themselves. */
static void say_farewell(struct hub *self, uint64_t attach)
{
    struct farewell *farewell = malloc(sizeof *farewell);
    if (!farewell)
        return; /* the broker goes on for an attach nobody has; what it sends for it is dropped here */
    *farewell = (struct farewell){self->farewells, attach};
    self->farewells = farewell;
}

static void stop_following(struct hub *self, struct session *session)
{
    if (session->state == SESSION_IDLE)
        return;
    take_due(self, session);
    if (session->state != SESSION_DUE)
        say_farewell(self, session->attach);
    strmap_take(self->attaches, &session->attach, sizeof session->attach);
    leave_room(self, session);
    session->state = SESSION_IDLE;
    session->chat[0] = '\0';
}

/* Everything that can fail, before the old chat is left: a failure leaves the session as it was. */
static enum err reserve(struct hub *self, struct session *session, const char *chat, struct room **room)
{
    uint64_t attach = ++self->last_attach;
    *room = room_for(self, chat);
    if (!*room)
        return ERR_MEMORY;
    enum err err = strmap_put(self->attaches, &attach, sizeof attach, session, NULL);
    (*room)->reserved = err == ERR_OK;
    free_if_empty(self, *room, chat);
    return err;
}

static void start_following(struct hub *self, struct session *session, struct room *room, const struct hub_want *want)
{
    session->attach = self->last_attach;
    memcpy(session->chat, want->chat, strlen(want->chat) + 1);
    const char *epoch = want->epoch ? want->epoch : "";
    session->has_since = want->has_since && epoch[0]; /* a position of an unknown epoch is none */
    session->cursor = session->has_since ? want->since : 0;
    memcpy(session->epoch, epoch, strlen(epoch) + 1);
    session->told = false;
    enter_room(room, session);
    put_due(self, session);
}

static enum err check_want(const struct hub_want *want)
{
    bool fits = strlen(want->chat) <= ID_CHAT_MAX && (!want->epoch || strlen(want->epoch) < EPOCH_MAX);
    return fits ? ERR_OK : ERR_INVALID;
}

static enum err follow(struct hub *self, struct session *session, const struct hub_want *want)
{
    struct room *room;
    if (!want->chat || !want->chat[0]) {
        stop_following(self, session);
        tell_idle(self, session);
        hub_pump(self);
        return ERR_OK;
    }
    enum err err = check_want(want);
    if (err == ERR_OK)
        err = reserve(self, session, want->chat, &room);
    if (err != ERR_OK)
        return err;
    stop_following(self, session);
    start_following(self, session, room, want);
    hub_pump(self);
    return ERR_OK;
}

enum err hub_open(struct hub *self, struct session **out, void *socket, const struct hub_want *want)
{
    *out = NULL;
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return ERR_MEMORY;
    session->socket = socket;
    enum err err = follow(self, session, want);
    if (err != ERR_OK) {
        free(session);
        return err;
    }
    self->sessions++;
    *out = session;
    return ERR_OK;
}

static void leave_more(struct hub *self, struct session *session)
{
    while (session->more) {
        struct session *one = session->more;
        session->more = one->more;
        stop_following(self, one);
        free(one);
    }
}

enum err hub_subscribe(struct hub *self, struct session *session, const struct hub_want *want)
{
    enum err err = follow(self, session, want);
    if (err != ERR_OK)
        return err;
    leave_more(self, session);
    hub_pump(self);
    return ERR_OK;
}

static struct session *following(struct session *session, const char *chat)
{
    while (session && strcmp(session->chat, chat) != 0)
        session = session->more;
    return session;
}

static size_t count_chats(const struct session *session)
{
    size_t count = 0;
    for (; session; session = session->more)
        count += session->state != SESSION_IDLE;
    return count;
}

static enum err follow_more(struct hub *self, struct session *session, const struct hub_want *want)
{
    struct session *one = calloc(1, sizeof *one);
    if (!one)
        return ERR_MEMORY;
    one->socket = session->socket;
    enum err err = follow(self, one, want);
    if (err != ERR_OK) {
        free(one);
        return err;
    }
    one->more = session->more;
    session->more = one;
    return ERR_OK;
}

enum err hub_add(struct hub *self, struct session *session, const struct hub_want *want)
{
    struct session *same = following(session, want->chat);
    if (same)
        return follow(self, same, want);
    if (count_chats(session) >= HUB_CHATS_MAX)
        return ERR_FULL;
    return session->state == SESSION_IDLE ? follow(self, session, want) : follow_more(self, session, want);
}

void hub_unsubscribe(struct hub *self, struct session *session, const char *chat)
{
    struct session *one = following(session, chat);
    if (!one)
        return;
    stop_following(self, one);
    for (struct session *before = session; before && one != session; before = before->more) {
        if (before->more != one)
            continue;
        before->more = one->more;
        free(one);
        break;
    }
    hub_pump(self);
}

bool hub_follows(const struct session *session, const char *chat)
{
    while (session && (session->state == SESSION_IDLE || strcmp(session->chat, chat) != 0))
        session = session->more;
    return session != NULL;
}

void hub_close(struct hub *self, struct session **session_p)
{
    struct session *session = *session_p;
    *session_p = NULL;
    if (!session)
        return;
    leave_more(self, session);
    stop_following(self, session);
    free(session);
    self->sessions--;
    hub_pump(self);
}

static enum err send_attach(struct hub *self, const struct session *session)
{
    bool told_of_none = session->told && !session->epoch[0]; /* everything since is new to the client */
    return self->output->attach(self->output->ctx,
                                &(struct uplink_attach){.link = self->link,
                                                        .attach = session->attach,
                                                        .chat = session->chat,
                                                        .has_since = session->has_since || told_of_none,
                                                        .since = session->cursor,
                                                        .epoch = session->epoch});
}

bool hub_pump(struct hub *self)
{
    if (self->link == 0)
        return false;
    while (self->farewells) {
        struct farewell *farewell = self->farewells;
        if (self->output->detach(self->output->ctx, self->link, farewell->attach) != ERR_OK)
            return true;
        self->farewells = farewell->next;
        free(farewell);
    }
    while (self->due.first) {
        struct session *session = self->due.first;
        if (send_attach(self, session) != ERR_OK)
            return true;
        take_due(self, session);
        session->state = SESSION_ATTACHING;
    }
    return false;
}

void hub_link(struct hub *self, uint64_t link)
{
    if (link == self->link)
        return;
    self->link = link;
    forget_farewells(self);
    size_t cursor = 0;
    void *value;
    while (strmap_next(self->attaches, &cursor, NULL, NULL, &value)) {
        take_due(self, value);
        put_due(self, value);
    }
    hub_pump(self);
}

static struct session *session_of(const struct hub *self, const struct feed_record *record)
{
    return strmap_get(self->attaches, &record->attach, sizeof record->attach);
}

static void set_place(struct session *session, const struct feed_record *record)
{
    memcpy(session->epoch, record->epoch.at, record->epoch.len);
    session->epoch[record->epoch.len] = '\0';
    session->cursor = record->seq;
    session->has_since = record->epoch.len > 0;
}

/* Whether the client sees nothing of a change of link: it was told before, and what it holds is what it would be told.
 */
static bool is_seamless(const struct session *session, const struct feed_record *record)
{
    bool no_record_still = !session->epoch[0] && record->epoch.len == 0;
    return session->told && (record->resume == FEED_RESUMED || no_record_still);
}

static void on_attached(struct hub *self, const struct feed_record *record)
{
    struct session *session = session_of(self, record);
    if (!session || (session->state != SESSION_ATTACHING && session->state != SESSION_REPLAYING))
        return;
    bool seamless = is_seamless(session, record);
    set_place(session, record);
    session->state = SESSION_REPLAYING;
    session->told = true;
    if (seamless)
        return;
    send_connected(self, session,
                   &(struct connected){.chat = session->chat,
                                       .wall_us = self->wall_us,
                                       .epoch = record->epoch,
                                       .resume = record->resume,
                                       .seq = record->seq,
                                       .head = record->head,
                                       .snapshot = record->body});
}

static void deliver(const struct hub *self, struct session *session, struct frame *frame, uint64_t seq)
{
    if (seq <= session->cursor)
        return;
    session->cursor = seq;
    send_to(self, session, frame, OUT_DURABLE, (struct bytes){"", 0});
}

static enum err on_replay(struct hub *self, const struct feed_record *record)
{
    struct session *session = session_of(self, record);
    struct frame *frame;
    if (!session || session->state != SESSION_REPLAYING || record->seq <= session->cursor)
        return ERR_OK;
    enum err err = frame_new(&frame, record->body.at, record->body.len);
    if (err != ERR_OK)
        return err;
    deliver(self, session, frame, record->seq);
    frame_unref(&frame);
    return ERR_OK;
}

static void on_live(struct hub *self, const struct feed_record *record)
{
    struct session *session = session_of(self, record);
    if (session && session->state == SESSION_REPLAYING)
        session->state = SESSION_LIVE;
}

static enum err on_event(struct hub *self, const struct feed_record *record)
{
    const struct room *room = room_of(self, record->chat);
    struct frame *frame;
    if (!room)
        return ERR_OK;
    enum err err = frame_new(&frame, record->body.at, record->body.len);
    if (err != ERR_OK)
        return err;
    for (struct session *session = room->sessions; session; session = session->room_next)
        if (session->state == SESSION_LIVE)
            deliver(self, session, frame, record->seq);
    frame_unref(&frame);
    return ERR_OK;
}

/* Chat and key as one key: a socket may have changed its chat while progress of the old one waits. Empty when the key
 * is too long to be compared. */
static struct bytes join_key(const struct feed_record *record, char out[KEY_BYTES_MAX])
{
    size_t len = record->chat.len + 1 + record->key.len;
    if (len > KEY_BYTES_MAX)
        return (struct bytes){"", 0};
    memcpy(out, record->chat.at, record->chat.len);
    out[record->chat.len] = '\0';
    memcpy(out + record->chat.len + 1, record->key.at, record->key.len);
    return (struct bytes){out, len};
}

static enum out_kind kind_of(const struct feed_record *record, struct bytes key)
{
    if (key.len == 0)
        return OUT_DURABLE; /* outside programs choose their step ids: a key nobody compares is not conflated */
    return record->closing ? OUT_CLOSING : OUT_PROGRESS;
}

static enum err on_progress(struct hub *self, const struct feed_record *record)
{
    const struct room *room = room_of(self, record->chat);
    struct frame *frame;
    char joined[KEY_BYTES_MAX];
    if (!room)
        return ERR_OK;
    enum err err = frame_new(&frame, record->body.at, record->body.len);
    if (err != ERR_OK)
        return err;
    struct bytes key = join_key(record, joined);
    enum out_kind kind = kind_of(record, key);
    for (const struct session *session = room->sessions; session; session = session->room_next)
        if (session->state == SESSION_LIVE)
            send_to(self, session, frame, kind, key);
    frame_unref(&frame);
    return ERR_OK;
}

/* The history was replaced, or begins with a first record. Who is not LIVE yet is answered ATTACHED (again) instead. */
static void on_reset(struct hub *self, const struct feed_record *record)
{
    const struct room *room = room_of(self, record->chat);
    for (struct session *session = room ? room->sessions : NULL; session; session = session->room_next) {
        if (session->state != SESSION_LIVE)
            continue;
        bool had_history = session->epoch[0];
        set_place(session, record);
        send_connected(self, session,
                       &(struct connected){.chat = session->chat,
                                           .wall_us = self->wall_us,
                                           .epoch = record->epoch,
                                           .resume = had_history ? FEED_RESET_HISTORY : FEED_SNAPSHOT,
                                           .seq = record->seq,
                                           .head = record->head,
                                           .snapshot = record->body});
    }
}

static enum err take_record(struct hub *self, const struct feed_record *record)
{
    switch (record->kind) {
    case FEED_ATTACHED: on_attached(self, record); return ERR_OK;
    case FEED_REPLAY: return on_replay(self, record);
    case FEED_LIVE: on_live(self, record); return ERR_OK;
    case FEED_EVENT: return on_event(self, record);
    case FEED_PROGRESS: return on_progress(self, record);
    case FEED_RESET: on_reset(self, record); return ERR_OK;
    }
    return ERR_PROTOCOL;
}

enum err hub_batch(struct hub *self, uint64_t link, const void *bytes, size_t len)
{
    struct feed_batch batch;
    struct unpack rest;
    if (link != self->link)
        return ERR_OK;
    enum err err = feed_batch_read(&batch, &rest, bytes, len);
    for (uint32_t i = 0; err == ERR_OK && i < batch.count; i++) {
        struct feed_record record;
        err = feed_record_read(&record, &rest);
        if (err == ERR_OK)
            err = take_record(self, &record);
    }
    return err == ERR_OK && !unpack_done(&rest) ? ERR_PROTOCOL : err;
}
