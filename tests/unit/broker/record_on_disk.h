/* record_on_disk - a real record and real files in a folder of their own. Included by tests of this folder. */
#ifndef RECORD_ON_DISK_H
#define RECORD_ON_DISK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files/files.h"
#include "store/store.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define T0     INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */
#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

struct record {
    char folder[64], path[96], files_path[96];
    struct store *store;
    struct store_reader *reader;
    struct files *files;
    struct changes *changes;
    uint64_t term;
    struct fault why;
};

/* SQL into the file, as nobody else would write it. The record is closed meanwhile. */
static UNUSED void record_rewrite(struct record *self, const char *sql)
{
    sqlite3 *db = NULL;
    char *text = NULL;
    store_reader_close(&self->reader);
    store_close(&self->store);
    assert_int_equal(sqlite3_open(self->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s", text);
    sqlite3_close(db);
}

static UNUSED void record_open(struct record *self)
{
    if (store_open(&self->store, self->path, &self->term, &self->why) != ERR_OK ||
        store_reader_open(&self->reader, self->store, &self->why) != ERR_OK)
        fail_msg("%s", self->why.text);
}

static UNUSED int record_setup(void **state)
{
    struct record *self = calloc(1, sizeof *self);
    strcpy(self->folder, "/tmp/sheetwire-record-XXXXXX");
    if (!mkdtemp(self->folder))
        return -1;
    snprintf(self->path, sizeof self->path, "%s/chat.db", self->folder);
    snprintf(self->files_path, sizeof self->files_path, "%s/workflows", self->folder);
    *state = self;
    if (changes_new(&self->changes) != ERR_OK ||
        files_open_folder(&self->files, self->files_path, &self->why) != ERR_OK)
        return -1;
    record_open(self);
    return 0;
}

static UNUSED int record_teardown(void **state)
{
    struct record *self = *state;
    char command[128];
    store_reader_close(&self->reader);
    store_close(&self->store);
    files_close(&self->files);
    changes_destroy(&self->changes);
    snprintf(command, sizeof command, "rm -rf %s", self->folder);
    int failed = system(command);
    free(self);
    return failed;
}

static UNUSED void record_add(struct record *self, const struct change *change)
{
    assert_int_equal(changes_add(self->changes, change), ERR_OK);
}

static UNUSED void record_commit(struct record *self)
{
    if (store_commit(self->store, self->changes, &self->why) != ERR_OK)
        fail_msg("%s", self->why.text);
    changes_clear(self->changes);
}

static UNUSED void record_add_chat(struct record *self, const char *id, bool room, int64_t created_us)
{
    record_add(self, &(struct change){.kind = CHANGE_CHAT_PUT,
                                      .of.chat = {.chat_id = id,
                                                  .room = room,
                                                  .participant_name = "Orca-1234",
                                                  .partition_key = "2023/11",
                                                  .metadata = "{}",
                                                  .epoch = "e1",
                                                  .created_us = created_us,
                                                  .updated_us = created_us}});
}

static UNUSED void record_add_event(struct record *self, const char *chat, uint64_t seq, int64_t created_us)
{
    record_add(self, &(struct change){.kind = CHANGE_EVENT_ADD,
                                      .of.event = {.chat_id = chat,
                                                   .type = "note",
                                                   .job_id = "",
                                                   .seq = seq,
                                                   .event_id = "",
                                                   .body = "{}",
                                                   .body_len = 2,
                                                   .created_us = created_us}});
}

static UNUSED void record_add_file(struct record *self, const char *chat, const char *name, const char *key)
{
    record_add(self, &(struct change){.kind = CHANGE_FILE_ADD,
                                      .of.file = {.file_id = name,
                                                  .chat_id = chat,
                                                  .name = name,
                                                  .key = key,
                                                  .bytes = 7,
                                                  .created_us = T0,
                                                  .job_id = ""}});
}

static UNUSED void record_put_job(struct record *self, const char *chat, const char *job, enum job_status status,
                                  const char *input_key)
{
    record_add(self, &(struct change){.kind = CHANGE_JOB_PUT,
                                      .of.job = {.job_id = job,
                                                 .chat_id = chat,
                                                 .status = status,
                                                 .input_name = "in.csv",
                                                 .input_key = input_key,
                                                 .trace = "",
                                                 .error = "",
                                                 .retry_of = "",
                                                 .total_steps = 1,
                                                 .submitted_us = T0}});
}

static UNUSED void record_put_spool(struct record *self, const char *chat, const char *job, const char *spool_key)
{
    record_add(self, &(struct change){.kind = CHANGE_STEP_PUT,
                                      .of.step = {.step_id = "s",
                                                  .chat_id = chat,
                                                  .job_id = job,
                                                  .operation = "csv/search",
                                                  .arguments = "{}",
                                                  .input_file = "in.csv",
                                                  .output_file = "",
                                                  .spool_key = spool_key,
                                                  .result = "",
                                                  .error_message = ""}});
}

/* A committed file that was written then; its key goes to *key. */
static UNUSED void record_make_file(struct record *self, const char *prefix, int64_t written_us,
                                    char key[FILES_KEY_MAX])
{
    struct files_new_object object;
    char path[512];
    if (files_create(self->files, prefix, &object, &self->why) != ERR_OK)
        fail_msg("%s", self->why.text);
    memcpy(key, object.key, FILES_KEY_MAX);
    assert_int_equal(files_commit(self->files, &object, NULL, &self->why), ERR_OK);
    struct timespec times[2] = {{.tv_sec = written_us / SECOND}, {.tv_sec = written_us / SECOND}};
    snprintf(path, sizeof path, "%s/%s", self->files_path, key);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static UNUSED bool record_has_file(const struct record *self, const char *key)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", self->files_path, key);
    return access(path, F_OK) == 0;
}

#define ON_DISK(name) cmocka_unit_test_setup_teardown(name, record_setup, record_teardown)

#endif
