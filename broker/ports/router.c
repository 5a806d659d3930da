#include "ports/router.h"

#include "clock.h"
#include "endpoint.h"
#include "log.h"
#include "ports/listener.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Of one call that finds no whole message: whoever sends for ever without one waits for the next turn. */
#define VISITS_MAX 1024
#define BYTES_MOST ((size_t)256 << 10)

#define EVENTS_ONCE  64
#define ACCEPTS_ONCE 64
#define HANDSHAKE_MS 30000
#define TICK_MS      500        /* between two looks at handshakes */
#define LISTENER_KEY UINT64_MAX /* no peer's: its slot would be the last of 2^32 */

/* The lines connections stand in, first come, first served. */
enum line {
    LINE_TAKE, /* may have a message */
    LINE_SEND, /* has something to send */
    LINES
};

struct member {
    struct connection connection;
    uint32_t slot, serial; /* its id */
    int64_t since_ms;
    bool readable; /* its socket may have bytes */
    bool blocked;  /* watched for room to send */
    bool waits[LINES];
    struct member *next[LINES];
};

struct router {
    const char *name;
    char address[ENDPOINT_TEXT_MAX];
    struct connection_limits limits;
    uint32_t peers_max;
    int epoll, listener;
    bool paused; /* no descriptors left: no new peers until the next tick */
    int64_t tick_ms;
    struct member **slots;
    uint32_t slot_count, count, serial;
    uint32_t shaking; /* connections whose handshake is not over, at most */
    struct {
        struct member *first, **end;
        uint32_t count;
    } lines[LINES];
    uint32_t round;       /* visits until the sockets are looked at again */
    uint32_t turned_away; /* since the last tick, */
    char reason[96];      /* the newest of them for this */
};

/* ---- ids ---- */

static uint64_t key_of(const struct member *member)
{
    return (uint64_t)member->slot << 32 | member->serial;
}

static struct member *find_key(const struct router *self, uint64_t key)
{
    uint32_t slot = (uint32_t)(key >> 32);
    struct member *member = slot < self->slot_count ? self->slots[slot] : NULL;
    return member && member->serial == (uint32_t)key ? member : NULL;
}

static struct member *find_peer(const struct router *self, const void *peer, size_t len)
{
    uint64_t key;
    if (len != sizeof key)
        return NULL;
    memcpy(&key, peer, sizeof key);
    return find_key(self, key);
}

/* ---- lines ---- */

static void line_up(struct router *self, enum line line, struct member *member)
{
    if (member->waits[line])
        return;
    member->waits[line] = true;
    member->next[line] = NULL;
    *self->lines[line].end = member;
    self->lines[line].end = &member->next[line];
    self->lines[line].count++;
}

/* The first one, taken out; NULL: nobody waits. */
static struct member *next_in(struct router *self, enum line line)
{
    struct member *member = self->lines[line].first;
    if (!member)
        return NULL;
    self->lines[line].first = member->next[line];
    if (!self->lines[line].first)
        self->lines[line].end = &self->lines[line].first;
    self->lines[line].count--;
    member->waits[line] = false;
    return member;
}

static void leave(struct router *self, enum line line, struct member *member)
{
    struct member **at = &self->lines[line].first;
    if (!member->waits[line])
        return;
    while (*at != member)
        at = &(*at)->next[line];
    *at = member->next[line];
    if (!*at)
        self->lines[line].end = at;
    self->lines[line].count--;
    member->waits[line] = false;
}

/* ---- connections ---- */

static bool watch(struct router *self, int how, int fd, uint32_t events, uint64_t key)
{
    struct epoll_event event = {.events = events, .data.u64 = key};
    return epoll_ctl(self->epoll, how, fd, &event) == 0;
}

/* Closing the socket takes it out of epoll. */
static void end(struct router *self, struct member *member)
{
    for (int line = 0; line < LINES; line++)
        leave(self, (enum line)line, member);
    self->slots[member->slot] = NULL;
    self->count--;
    connection_fini(&member->connection);
    free(member);
}

/* They may be many: the log hears of them at the next tick. */
static void note(struct router *self, const char *reason)
{
    self->turned_away++;
    snprintf(self->reason, sizeof self->reason, "%.*s", (int)sizeof self->reason - 1, reason);
}

static void end_with(struct router *self, struct member *member, const char *reason)
{
    note(self, reason);
    end(self, member);
}

/* There is one: see grow(). */
static uint32_t free_slot(const struct router *self)
{
    uint32_t slot = 0;
    while (self->slots[slot])
        slot++;
    return slot;
}

static bool grow(struct router *self)
{
    uint32_t more = self->slot_count ? 2 * self->slot_count : 64;
    struct member **slots = realloc(self->slots, more * sizeof *slots);
    if (!slots)
        return false;
    memset(slots + self->slot_count, 0, (more - self->slot_count) * sizeof *slots);
    self->slots = slots;
    self->slot_count = more;
    return true;
}

static bool admit(struct router *self, int fd)
{
    struct member *member = NULL;
    if (self->count == self->peers_max) {
        note(self, "too many peers");
        return false;
    }
    if ((self->count == self->slot_count && !grow(self)) || !(member = calloc(1, sizeof *member)))
        return false;
    member->slot = free_slot(self);
    member->serial = ++self->serial;
    member->since_ms = clock_monotonic_ms();
    if (connection_init(&member->connection, fd, &self->limits) != ERR_OK ||
        !watch(self, EPOLL_CTL_ADD, fd, EPOLLIN, key_of(member))) {
        buf_fini(&member->connection.out);
        free(member);
        return false;
    }
    self->slots[member->slot] = member;
    self->count++;
    self->shaking++;
    line_up(self, LINE_SEND, member);
    return true;
}

static void accept_peers(struct router *self)
{
    for (int i = 0; i < ACCEPTS_ONCE; i++) {
        int fd = listener_accept(self->listener);
        if (fd >= 0) {
            if (!admit(self, fd))
                close(fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_warning("no new peers for a moment", "socket", self->name, "error", strerror(errno), NULL);
            self->paused = epoll_ctl(self->epoll, EPOLL_CTL_DEL, self->listener, NULL) == 0;
        }
        return;
    }
}

/* ---- taking ---- */

static void see(struct router *self, const struct epoll_event *event)
{
    if (event->data.u64 == LISTENER_KEY) {
        accept_peers(self);
        return;
    }
    struct member *member = find_key(self, event->data.u64);
    if (!member)
        return;
    if (event->events & EPOLLOUT)
        line_up(self, LINE_SEND, member);
    if (event->events & ~(uint32_t)EPOLLOUT) {
        member->readable = true;
        line_up(self, LINE_TAKE, member);
    }
}

static void look(struct router *self)
{
    struct epoll_event events[EVENTS_ONCE];
    int count = epoll_wait(self->epoll, events, EVENTS_ONCE, 0);
    for (int i = 0; i < count; i++)
        see(self, &events[i]);
    router_flush(self);
    uint32_t waiting = self->lines[LINE_TAKE].count;
    self->round = waiting > ROUTER_ROUND ? waiting : ROUTER_ROUND;
}

/* NULL: nobody has news. Even if the line never empties a look comes before each round, or one that never leaves it
 * would keep the others from being seen. */
static struct member *next_in_turn(struct router *self)
{
    if (self->round == 0 || !self->lines[LINE_TAKE].first)
        look(self);
    if (self->round > 0)
        self->round--;
    return next_in(self, LINE_TAKE);
}

/* A message of the peer: what is here already, or what one read brings. ERR_END: none. */
static enum err next_of(struct router *self, struct member *member, struct connection_message *out, size_t *bytes,
                        struct fault *why)
{
    struct connection *connection = &member->connection;
    enum err err = connection_next(connection, &self->limits, out, why);
    if (err == ERR_END && member->readable) {
        size_t got;
        bool drained;
        err = connection_receive(connection, &got, &drained);
        *bytes += got;
        member->readable = err == ERR_OK && !drained;
        if (err == ERR_OK)
            err = connection_next(connection, &self->limits, out, why);
    }
    if (connection->out.len > 0)
        line_up(self, LINE_SEND, member);
    return err;
}

/* After a visit to a peer without a whole message. */
static void put_back(struct router *self, struct member *member, enum err err, const struct fault *why)
{
    if (err == ERR_UNAVAILABLE)
        end(self, member);
    else if (err != ERR_END)
        end_with(self, member, err == ERR_PROTOCOL || err == ERR_TOO_LARGE ? why->text : err_name(err));
    else if (member->readable)
        line_up(self, LINE_TAKE, member);
    else
        connection_rest(&member->connection);
}

bool router_take(struct router *self, struct router_message *out)
{
    struct member *member;
    struct fault why;
    size_t bytes = 0;
    for (int visits = 0; visits < VISITS_MAX && bytes < BYTES_MOST && (member = next_in_turn(self)); visits++) {
        enum err err = next_of(self, member, &out->of, &bytes, &why);
        if (err == ERR_OK) {
            uint64_t key = key_of(member);
            memcpy(out->peer, &key, sizeof key);
            line_up(self, LINE_TAKE, member);
            return true;
        }
        put_back(self, member, err, &why);
    }
    return false;
}

bool router_waits(const struct router *self)
{
    return self->lines[LINE_TAKE].first != NULL;
}

/* ---- sending ---- */

enum err router_send(struct router *self, const void *peer, size_t peer_len, struct bytes frame)
{
    struct member *member = find_peer(self, peer, peer_len);
    if (!member)
        return ERR_NOT_FOUND;
    enum err err = connection_put(&member->connection, frame);
    if (err == ERR_OK && !member->blocked)
        line_up(self, LINE_SEND, member);
    return err == ERR_UNAVAILABLE ? ERR_NOT_FOUND : err;
}

/* Who cannot be sent to any more is read to its end: what it sent before it went counts. */
static void flush_one(struct router *self, struct member *member)
{
    enum err err = connection_flush(&member->connection);
    bool blocked = err == ERR_END;
    if (err == ERR_UNAVAILABLE) {
        member->readable = true;
        line_up(self, LINE_TAKE, member);
    }
    if (!blocked)
        connection_rest(&member->connection);
    if (blocked != member->blocked)
        watch(self, EPOLL_CTL_MOD, member->connection.fd, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, key_of(member));
    member->blocked = blocked;
}

void router_flush(struct router *self)
{
    for (struct member *member; (member = next_in(self, LINE_SEND));)
        flush_one(self, member);
}

/* ---- life ---- */

void router_tick(struct router *self, int64_t now_ms)
{
    if (now_ms - self->tick_ms < TICK_MS)
        return;
    self->tick_ms = now_ms;
    if (self->turned_away > 0)
        log_warning("peers disconnected", "socket", self->name, "count", LOG_NUMBER((long long)self->turned_away),
                    "newest", self->reason, NULL);
    self->turned_away = 0;
    if (self->paused)
        self->paused = !watch(self, EPOLL_CTL_ADD, self->listener, EPOLLIN, LISTENER_KEY);
    uint32_t shaking = 0;
    for (uint32_t i = 0; i < self->slot_count && self->shaking > 0; i++) {
        struct member *member = self->slots[i];
        if (!member || member->connection.state == CONNECTION_OPEN)
            continue;
        if (now_ms - member->since_ms > HANDSHAKE_MS)
            end_with(self, member, "its handshake took too long");
        else
            shaking++;
    }
    self->shaking = shaking;
}

enum err router_open(struct router **out, const struct router_settings *settings, struct fault *why)
{
    struct router *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return fault_set(why, ERR_MEMORY, "out of memory");
    self->name = settings->name;
    self->peers_max = settings->peers_max;
    self->limits = settings->limits;
    for (int line = 0; line < LINES; line++)
        self->lines[line].end = &self->lines[line].first;
    self->listener = -1;
    snprintf(self->address, sizeof self->address, "%s", settings->address);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    enum err err = self->epoll < 0 ? fault_errno(why, "epoll") : listener_open(&self->listener, self->address, why);
    if (err == ERR_OK && !watch(self, EPOLL_CTL_ADD, self->listener, EPOLLIN, LISTENER_KEY))
        err = fault_errno(why, "epoll");
    if (err != ERR_OK)
        router_close(&self, 0);
    *out = self;
    return err;
}

/* Waits for room to send at any of those that had none; false: none came in time. */
static bool wait_for_room(struct router *self, struct pollfd *rooms, int64_t until)
{
    nfds_t count = 0;
    for (uint32_t i = 0; i < self->slot_count; i++)
        if (self->slots[i] && self->slots[i]->blocked)
            rooms[count++] = (struct pollfd){.fd = self->slots[i]->connection.fd, .events = POLLOUT};
    int64_t left = until - clock_monotonic_ms();
    return count > 0 && left > 0 && poll(rooms, count, (int)left) > 0;
}

static void linger(struct router *self, int linger_ms)
{
    int64_t until = clock_monotonic_ms() + linger_ms;
    struct pollfd *rooms = calloc(self->slot_count + 1, sizeof *rooms);
    router_flush(self);
    while (rooms && wait_for_room(self, rooms, until))
        for (uint32_t i = 0; i < self->slot_count; i++)
            if (self->slots[i] && self->slots[i]->blocked)
                flush_one(self, self->slots[i]);
    free(rooms);
}

void router_close(struct router **self_p, int linger_ms)
{
    struct router *self = *self_p;
    if (!self)
        return;
    if (self->epoll >= 0)
        linger(self, linger_ms);
    for (uint32_t i = 0; i < self->slot_count; i++)
        if (self->slots[i])
            end(self, self->slots[i]);
    free(self->slots);
    listener_close(self->listener, self->address);
    if (self->epoll >= 0)
        close(self->epoll);
    free(self);
    *self_p = NULL;
}

int router_fd(const struct router *self)
{
    return self->epoll;
}
