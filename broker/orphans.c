#include "orphans.h"

#include "log.h"
#include "strmap.h"

#include <string.h>

/* Keys are YYYY/MM/chat/kind/name; the chat is the third part. */
#define PARTS_BEFORE_CHAT 2

static bool chat_of(const char *key, char out[ID_CHAT_MAX + 1])
{
    for (int i = 0; key && i < PARTS_BEFORE_CHAT; i++) {
        key = strchr(key, '/');
        key = key ? key + 1 : NULL;
    }
    const char *end = key ? strchr(key, '/') : NULL;
    if (!end || !id_chat_valid(key, (size_t)(end - key)))
        return false;
    memcpy(out, key, (size_t)(end - key));
    out[end - key] = '\0';
    return true;
}

static void forget_names(struct orphans *self)
{
    self->chat[0] = '\0';
    strmap_destroy(&self->named);
}

static enum err keep_name(void *context, const char *key)
{
    struct orphans *self = context;
    return strmap_put(self->named, key, strlen(key), self, NULL);
}

static enum err read_names(struct orphans *self, const char *chat, struct fault *why)
{
    if (strcmp(self->chat, chat) == 0)
        return ERR_OK;
    forget_names(self);
    enum err err = strmap_new(&self->named);
    if (err == ERR_OK)
        err = store_read_keys(self->store, chat, &self->busy, keep_name, self, why);
    if (err == ERR_OK)
        memcpy(self->chat, chat, sizeof self->chat);
    return err;
}

static enum err look_at(struct orphans *self, const struct files_found *file, struct fault *why)
{
    char chat[ID_CHAT_MAX + 1] = "";
    if (!chat_of(file->key, chat))
        return ERR_OK;
    enum err err = read_names(self, chat, why);
    if (err != ERR_OK || self->busy || strmap_get(self->named, file->key, strlen(file->key)))
        return err;
    err = files_remove(self->files, file->key, why);
    self->removed += err == ERR_OK;
    return err;
}

static enum err look_at_some(struct orphans *self, int64_t wall_us, uint32_t max, struct fault *why)
{
    struct files_found file;
    int64_t born_us = 0;
    enum err err = store_read_born(self->store, &born_us, why);
    if (err == ERR_OK && !self->walk)
        err = files_walk_open(self->files, &self->walk, why);
    forget_names(self); /* what was read for the piece before is history */
    for (uint32_t i = 0; err == ERR_OK && i < max; i++) {
        err = files_walk_next(self->walk, &file, why);
        if (err == ERR_OK && file.written_us > born_us && file.written_us < wall_us - self->age_us)
            err = look_at(self, &file, why);
    }
    return err;
}

bool orphans_look(struct orphans *self, int64_t wall_us, uint32_t max)
{
    struct fault why = {.text = "out of memory"};
    enum err err = look_at_some(self, wall_us, max, &why);
    if (err == ERR_OK)
        return false;
    if (err != ERR_END)
        log_warning("not all files looked at", "error", why.text, NULL);
    if (self->removed > 0)
        log_info("files removed that nothing names", "files", LOG_NUMBER((long long)self->removed), NULL);
    self->removed = 0;
    forget_names(self);
    files_walk_close(&self->walk);
    return true;
}

void orphans_init(struct orphans *self, struct store_reader *store, struct files *files, int64_t age_us)
{
    *self = (struct orphans){.store = store, .files = files, .age_us = age_us};
}

void orphans_fini(struct orphans *self)
{
    forget_names(self);
    files_walk_close(&self->walk);
}
