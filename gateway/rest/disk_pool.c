#include "rest/disk_pool.h"

#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct work {
    void (*run)(void *arg);
    void *arg;
};

struct disk_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    size_t first; /* index of the oldest */
    size_t count;
    struct work queue[DISK_POOL_QUEUE_MAX];
    size_t thread_count;
    pthread_t thread[DISK_POOL_THREADS];
};

static bool take(struct disk_pool *self, struct work *out)
{
    pthread_mutex_lock(&self->lock);
    while (self->count == 0 && !self->stopping)
        pthread_cond_wait(&self->changed, &self->lock);
    bool got = self->count > 0;
    if (got) {
        *out = self->queue[self->first];
        self->first = (self->first + 1) % DISK_POOL_QUEUE_MAX;
        self->count--;
    }
    pthread_mutex_unlock(&self->lock);
    return got;
}

static void *serve(void *arg)
{
    struct work work;
    while (take(arg, &work))
        work.run(work.arg);
    return NULL;
}

enum err disk_pool_start(struct disk_pool **out, struct fault *why)
{
    struct disk_pool *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "No memory for the disk threads");
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    while (self->thread_count < DISK_POOL_THREADS &&
           pthread_create(&self->thread[self->thread_count], NULL, serve, self) == 0)
        self->thread_count++;
    if (self->thread_count == 0) {
        disk_pool_stop(&self);
        return fault_set(why, ERR_MEMORY, "cannot start a disk thread");
    }
    *out = self;
    return ERR_OK;
}

void disk_pool_stop(struct disk_pool **self_p)
{
    struct disk_pool *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < self->thread_count; i++)
        pthread_join(self->thread[i], NULL);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

enum err disk_pool_run(struct disk_pool *self, void (*run)(void *arg), void *arg)
{
    pthread_mutex_lock(&self->lock);
    enum err err = self->count < DISK_POOL_QUEUE_MAX ? ERR_OK : ERR_FULL;
    if (err == ERR_OK) {
        self->queue[(self->first + self->count) % DISK_POOL_QUEUE_MAX] = (struct work){run, arg};
        self->count++;
        pthread_cond_signal(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
    return err;
}

struct removal {
    struct files *files;
    char key[FILES_KEY_MAX];
};

static void remove_object(void *arg)
{
    struct removal *self = arg;
    struct fault why = {.text = ""};
    if (files_remove(self->files, self->key, &why) != ERR_OK)
        log_warning("an unwanted file stays", "key", self->key, "reason", why.text, NULL);
    free(self);
}

void disk_pool_remove(struct disk_pool *self, struct files *files, const char *key)
{
    struct removal *removal = malloc(sizeof *removal);
    if (!removal)
        return;
    removal->files = files;
    snprintf(removal->key, sizeof removal->key, "%s", key);
    if (disk_pool_run(self, remove_object, removal) != ERR_OK)
        free(removal);
}
