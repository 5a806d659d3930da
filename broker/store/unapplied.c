#include "store/unapplied.h"

#include "strmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum about { ABOUT_CHAT = 'c', ABOUT_ANSWER = 'a', ABOUT_EVENT_ID = 'e' };

#define KEY_MAX (1 + 2 * (ID_CHAT_MAX + 1)) /* what it is about, a chat, a blank, an event id */

/* One thing a batch touches. Entries lie in the order of their batches; the map knows the newest of each thing. */
struct entry {
    struct entry *next;
    uint64_t number;
    size_t len;
    char key[];
};

struct unapplied {
    struct strmap *map;
    struct entry *first, **end;
    uint64_t newest;     /* batch that was noted */
    uint64_t deleting;   /* newest batch that deletes a chat, */
    uint64_t garbage;    /* that makes to-delete entries, */
    uint64_t everything; /* of which it is not known what it touches */
};

struct key {
    size_t len;
    char bytes[KEY_MAX];
};

enum err unapplied_new(struct unapplied **out)
{
    struct unapplied *self = calloc(1, sizeof *self);
    enum err err = self ? strmap_new(&self->map) : ERR_MEMORY;
    if (err != ERR_OK) {
        free(self);
        self = NULL;
    } else {
        self->end = &self->first;
    }
    *out = self;
    return err;
}

void unapplied_destroy(struct unapplied **self_p)
{
    struct unapplied *self = *self_p;
    if (!self)
        return;
    unapplied_drop(self, UINT64_MAX);
    strmap_destroy(&self->map);
    free(self);
    *self_p = NULL;
}

static struct key key_of(enum about about, const void *bytes, size_t len)
{
    struct key key = {.len = 1 + (len < KEY_MAX ? len : KEY_MAX - 1)};
    key.bytes[0] = (char)about;
    memcpy(key.bytes + 1, bytes, key.len - 1);
    return key;
}

static struct key event_key(const char *chat_id, const char *event_id)
{
    struct key key = {.bytes = {ABOUT_EVENT_ID}};
    int len = snprintf(key.bytes + 1, sizeof key.bytes - 1, "%s %s", chat_id, event_id);
    key.len = 1 + ((size_t)len < sizeof key.bytes - 1 ? (size_t)len : sizeof key.bytes - 2);
    return key;
}

static uint64_t newest_of(const struct unapplied *self, const struct key *key)
{
    const struct entry *entry = strmap_get(self->map, key->bytes, key->len);
    return entry ? entry->number : 0;
}

static struct entry *add_entry(struct unapplied *self, const struct key *key)
{
    struct entry *entry = malloc(sizeof *entry + key->len);
    if (!entry)
        return NULL;
    *entry = (struct entry){.number = self->newest, .len = key->len};
    memcpy(entry->key, key->bytes, key->len);
    *self->end = entry;
    self->end = &entry->next;
    return entry;
}

static void touch(struct unapplied *self, const struct key *key)
{
    void **place = NULL;
    enum err err = strmap_place(self->map, key->bytes, key->len, &place);
    const struct entry *newest = err == ERR_OK ? *place : NULL;
    if (newest && newest->number == self->newest)
        return;
    struct entry *entry = err == ERR_OK ? add_entry(self, key) : NULL;
    if (entry) {
        *place = entry;
        return;
    }
    strmap_drop(self->map, key->bytes, key->len, NULL);
    self->everything = self->newest;
}

static void touch_chat(struct unapplied *self, const char *chat_id, const char **last)
{
    if (*last && strcmp(*last, chat_id) == 0)
        return;
    struct key key = key_of(ABOUT_CHAT, chat_id, strlen(chat_id));
    touch(self, &key);
    *last = chat_id;
}

static void touch_event(struct unapplied *self, const struct event_row *row, const char **last)
{
    touch_chat(self, row->chat_id, last);
    if (!row->event_id[0])
        return;
    struct key key = event_key(row->chat_id, row->event_id);
    touch(self, &key);
}

static void touch_answer(struct unapplied *self, const struct answer_row *row)
{
    struct key key = key_of(ABOUT_ANSWER, row->request_id, REQUEST_ID_LEN);
    touch(self, &key);
}

static void note_change(struct unapplied *self, const struct change *change, const char **last)
{
    switch (change->kind) {
    case CHANGE_CHAT_DELETE: self->deleting = self->garbage = self->newest; /* fall through */
    case CHANGE_CHAT_PUT: touch_chat(self, change->of.chat.chat_id, last); break;
    case CHANGE_MESSAGE_ADD: touch_chat(self, change->of.message.chat_id, last); break;
    case CHANGE_FILE_ADD: touch_chat(self, change->of.file.chat_id, last); break;
    case CHANGE_JOB_PUT: touch_chat(self, change->of.job.chat_id, last); break;
    case CHANGE_STEP_PUT: touch_chat(self, change->of.step.chat_id, last); break;
    case CHANGE_EVENT_ADD: touch_event(self, &change->of.event, last); break;
    case CHANGE_ANSWER_PUT: touch_answer(self, &change->of.answer); break;
    case CHANGE_GARBAGE_ADD: self->garbage = self->newest; break;
    }
}

void unapplied_note(struct unapplied *self, const struct changes *batch, uint64_t number)
{
    const char *last = NULL;
    self->newest = number;
    for (size_t i = 0; i < changes_count(batch); i++)
        note_change(self, changes_at(batch, i), &last);
}

static void drop_first(struct unapplied *self)
{
    struct entry *entry = self->first;
    self->first = entry->next;
    if (!self->first)
        self->end = &self->first;
    strmap_drop(self->map, entry->key, entry->len, entry);
    free(entry);
}

void unapplied_drop(struct unapplied *self, uint64_t applied)
{
    while (self->first && self->first->number <= applied)
        drop_first(self);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t unapplied_chat(const struct unapplied *self, const char *chat_id)
{
    struct key key = key_of(ABOUT_CHAT, chat_id, strlen(chat_id));
    return later(newest_of(self, &key), self->everything);
}

/* A chat that goes takes the answers kept for its keys with it, and its event ids. */
uint64_t unapplied_answer(const struct unapplied *self, const unsigned char id[REQUEST_ID_LEN])
{
    struct key key = key_of(ABOUT_ANSWER, id, REQUEST_ID_LEN);
    return later(later(newest_of(self, &key), self->deleting), self->everything);
}

uint64_t unapplied_event_id(const struct unapplied *self, const char *chat_id, const char *event_id)
{
    struct key key = event_key(chat_id, event_id);
    return later(later(newest_of(self, &key), self->deleting), self->everything);
}

uint64_t unapplied_garbage(const struct unapplied *self)
{
    return later(self->garbage, self->everything);
}
