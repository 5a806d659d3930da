/* Records of older versions are brought up to date when they are opened, and lose nothing by it. */
#include "record_on_disk.h"

#include "store/sqlite_schema.h"

/* The tables of version 1, as they were. */
static const char *const version_1 =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS conversations("
    " chat_id TEXT PRIMARY KEY, room INTEGER NOT NULL, participant_name TEXT NOT NULL, status TEXT NOT NULL,"
    " partition_key TEXT NOT NULL, metadata TEXT NOT NULL, epoch TEXT NOT NULL, head INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS conversations_newest ON conversations(room, created_us DESC);"
    "CREATE TABLE IF NOT EXISTS messages("
    " position INTEGER PRIMARY KEY, message_id TEXT NOT NULL,"
    " chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,"
    " message_type TEXT NOT NULL, content TEXT NOT NULL, metadata TEXT NOT NULL, created_us INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS messages_chat ON messages(chat_id, position);"
    "CREATE TABLE IF NOT EXISTS jobs("
    " job_id TEXT NOT NULL, chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,"
    " status TEXT NOT NULL, final INTEGER NOT NULL, attempts INTEGER NOT NULL, token_term INTEGER NOT NULL,"
    " token_counter INTEGER NOT NULL, last_number INTEGER NOT NULL, input_name TEXT NOT NULL, input_key TEXT NOT NULL,"
    " trace TEXT NOT NULL, error TEXT NOT NULL, total_steps INTEGER NOT NULL, submitted_us INTEGER NOT NULL,"
    " started_us INTEGER NOT NULL, completed_us INTEGER NOT NULL, PRIMARY KEY(chat_id, job_id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS jobs_open ON jobs(chat_id, submitted_us) WHERE final = 0;"
    "CREATE TABLE IF NOT EXISTS workflow_steps("
    " step_id TEXT NOT NULL, chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,"
    " job_id TEXT NOT NULL, step_index INTEGER NOT NULL, operation TEXT NOT NULL, arguments TEXT NOT NULL,"
    " input_file TEXT NOT NULL, output_file TEXT NOT NULL, spool_key TEXT NOT NULL, result TEXT NOT NULL,"
    " status TEXT NOT NULL, progress INTEGER NOT NULL, error_message TEXT NOT NULL, started_us INTEGER NOT NULL,"
    " completed_us INTEGER NOT NULL, PRIMARY KEY(chat_id, job_id, step_index)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS files("
    " position INTEGER PRIMARY KEY, file_id TEXT NOT NULL,"
    " chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE, name TEXT NOT NULL, key TEXT NOT NULL,"
    " file_type TEXT NOT NULL, bytes INTEGER NOT NULL, job_id TEXT NOT NULL, created_us INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS files_chat ON files(chat_id, name);"
    "CREATE TABLE IF NOT EXISTS events("
    " chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE, seq INTEGER NOT NULL, type TEXT NOT NULL,"
    " job_id TEXT NOT NULL, event_id TEXT, body TEXT NOT NULL, created_us INTEGER NOT NULL,"
    " PRIMARY KEY(chat_id, seq)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS events_outside ON events(chat_id, event_id) WHERE event_id IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS answers("
    " request_id BLOB PRIMARY KEY, status INTEGER NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL,"
    " job_id TEXT NOT NULL, created_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS garbage(key TEXT PRIMARY KEY, created_us INTEGER NOT NULL) WITHOUT ROWID;";

/* A chat with a finished run, one that runs, a room, answers and a to-delete entry. */
static const char *const life =
    "INSERT INTO meta VALUES('schema_version', 1), ('term', 41);"
    "INSERT INTO conversations VALUES('c', 0, 'Orca-1', 'processing', '2023/11', '{\"a\":1}', 'e1', 3, 100, 200),"
    " ('r', 1, '', 'created', '2023/11', '{}', 'e2', 1, 100, 200);"
    "INSERT INTO messages VALUES(1, 'm1', 'c', 'user', 'hello', '{}', 100);"
    "INSERT INTO jobs VALUES('j1', 'c', 'completed', 1, 2, 40, 7, 9, 'in.csv', 'k-in', 't1', '', 1, 100, 110, 120),"
    " ('j2', 'c', 'running', 0, 1, 41, 8, 3, 'in.csv', 'k-in', 't2', '', 1, 130, 140, 0);"
    "INSERT INTO workflow_steps VALUES"
    "('s1', 'c', 'j1', 0, 'csv/search', '{}', 'in.csv', 'out.csv', '', '{\"rows\":1}', 'completed', 100, '', 1, 2),"
    "('s2', 'c', 'j2', 0, 'csv/search', '{}', 'in.csv', '', 'k-spool', '', 'running', 40, '', 3, 0);"
    "INSERT INTO files VALUES(1, 'f1', 'c', 'in.csv', 'k-in', 'uploaded', 7, '', 100),"
    " (2, 'f2', 'c', 'out.csv', 'k-out', 'output', 8, 'j1', 120);"
    "INSERT INTO events VALUES('c', 1, 'workflow_started', 'j1', NULL, '{\"seq\":1}', 110),"
    " ('c', 2, 'note', '', 'outside-1', '{\"seq\":2}', 115), ('c', 3, 'workflow_completed', 'j1', NULL, '{}', 120),"
    " ('r', 1, 'note', '', NULL, '{}', 100);"
    "INSERT INTO answers VALUES(x'01000000000000000000000000000000', 201, 'made', '{\"chat_id\":\"c\"}', '', 100),"
    " (x'02000000000000000000000000000000', 202, '', '', 'j2', 130);"
    "INSERT INTO garbage VALUES('k-gone', 90);";

/* Another file in the place of the record. */
static void rewrite_as(struct record *self, const char *const *texts)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[128];
    store_reader_close(&self->reader);
    store_close(&self->store);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s%s", self->path, endings[i]);
        unlink(path);
    }
    for (; *texts; texts++)
        record_rewrite(self, *texts);
}

static void open_version_1(struct record *self)
{
    rewrite_as(self, (const char *const[]){version_1, life, NULL});
    record_open(self);
}

/* ---- what the core is given ---- */

struct loaded {
    char text[2048];
};

static void add_line(struct loaded *self, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_line(struct loaded *self, const char *format, ...)
{
    size_t len = strlen(self->text);
    va_list args;
    va_start(args, format);
    vsnprintf(self->text + len, sizeof self->text - len, format, args);
    va_end(args);
}

static enum err on_chat(void *context, const struct chat_row *row)
{
    add_line(context, "chat %s %s %s head=%d\n", row->chat_id, row->participant_name, row->epoch, (int)row->head);
    return ERR_OK;
}

static enum err on_job(void *context, const struct job_row *row)
{
    add_line(context, "job %s %s attempts=%d token=%d/%d number=%d retry_of='%s' set_back=%d spools_gone=%d\n",
             row->job_id, job_status_name(row->status), (int)row->attempts, (int)row->token.term,
             (int)row->token.counter, (int)row->last_number, row->retry_of, (int)row->set_back, row->spools_gone);
    return ERR_OK;
}

static enum err on_step(void *context, const struct step_row *row)
{
    add_line(context, "step %s %d%% spool=%s\n", row->step_id, (int)row->progress, row->spool_key);
    return ERR_OK;
}

static enum err on_event(void *context, const struct event_row *row)
{
    add_line(context, "event %d %s %s\n", (int)row->seq, row->type, row->event_id);
    return ERR_OK;
}

static enum err on_file(void *context, const struct file_row *row)
{
    add_line(context, "file %s %s\n", row->name, row->key);
    return ERR_OK;
}

static void load(struct record *self, struct loaded *out)
{
    struct store_load to = {out, on_chat, on_job, on_step, on_event, on_file};
    out->text[0] = '\0';
    assert_int_equal(store_load_chat(self->store, "c", 10, &to, &self->why), ERR_OK);
}

/* A finished run of version 1 had given up its spools, and one that runs has them still. */
static const char *const loaded_life =
    "chat c Orca-1 e1 head=3\n"
    "job j1 completed attempts=2 token=40/7 number=9 retry_of='' set_back=0 spools_gone=1\n"
    "step s1 100% spool=\n"
    "job j2 running attempts=1 token=41/8 number=3 retry_of='' set_back=0 spools_gone=0\n"
    "step s2 40% spool=k-spool\n"
    "event 1 workflow_started \n"
    "event 2 note outside-1\n"
    "event 3 workflow_completed \n"
    "file in.csv k-in\n"
    "file out.csv k-out\n";

static void a_record_of_version_1_keeps_everything(void **state)
{
    struct record *self = *state;
    struct loaded loaded;
    uint64_t seq = 0, rooms = 0, open_jobs = 0;
    open_version_1(self);
    assert_int_equal(self->term, 42);
    load(self, &loaded);
    assert_string_equal(loaded.text, loaded_life);
    assert_int_equal(store_find_event_id(self->store, "c", "outside-1", &seq, &self->why), ERR_OK);
    assert_int_equal(seq, 2);
    assert_int_equal(store_counts(self->store, &rooms, &open_jobs, &self->why), ERR_OK);
    assert_int_equal(rooms, 1);
    assert_int_equal(open_jobs, 1);
}

static enum err find_answer(struct record *self, unsigned char first, struct answer_row *row, struct buf *space)
{
    unsigned char id[REQUEST_ID_LEN] = {first};
    return store_find_answer(self->store, id, row, space, &self->why);
}

static void its_answers_are_found_and_are_not_keyed(void **state)
{
    struct record *self = *state;
    struct answer_row row;
    struct buf space = BUF_INIT(65536);
    open_version_1(self);
    assert_int_equal(find_answer(self, 1, &row, &space), ERR_OK);
    assert_int_equal(row.status, 201);
    assert_string_equal(row.body, "{\"chat_id\":\"c\"}");
    assert_false(row.keyed);
    assert_int_equal(find_answer(self, 2, &row, &space), ERR_OK);
    assert_string_equal(row.job_id, "j2");
    assert_int_equal(find_answer(self, 3, &row, &space), ERR_NOT_FOUND);
    buf_fini(&space);
}

static void put_keyed_answer(struct record *self)
{
    record_add(self, &(struct change){.kind = CHANGE_ANSWER_PUT,
                                      .of.answer = {.request_id = {9},
                                                    .status = 201,
                                                    .message = "made",
                                                    .body = "{}",
                                                    .job_id = "",
                                                    .created_us = T0,
                                                    .keyed = true,
                                                    .fingerprint = 77,
                                                    .chat_id = "c"}});
}

static void put_retry(struct record *self)
{
    record_add(self, &(struct change){.kind = CHANGE_JOB_PUT,
                                      .of.job = {.job_id = "j3",
                                                 .chat_id = "c",
                                                 .status = JOB_PENDING,
                                                 .input_name = "in.csv",
                                                 .input_key = "k-in",
                                                 .trace = "",
                                                 .error = "",
                                                 .retry_of = "j1",
                                                 .set_back = 2,
                                                 .spools_gone = true,
                                                 .submitted_us = T0}});
}

/* Everything the newer version writes finds its place in the older file. */
static void it_takes_what_the_newer_version_writes(void **state)
{
    struct record *self = *state;
    struct loaded loaded;
    struct answer_row row;
    struct buf space = BUF_INIT(65536);
    open_version_1(self);
    put_retry(self);
    put_keyed_answer(self);
    record_commit(self);
    load(self, &loaded);
    if (!strstr(loaded.text, "job j3 pending attempts=0 token=0/0 number=0 retry_of='j1' set_back=2 spools_gone=1\n"))
        fail_msg("%s", loaded.text);
    assert_int_equal(find_answer(self, 9, &row, &space), ERR_OK);
    assert_true(row.keyed);
    assert_int_equal(row.fingerprint, 77);
    record_add(self, &(struct change){.kind = CHANGE_CHAT_DELETE, .of.chat = {.chat_id = "c", .updated_us = T0}});
    record_commit(self);
    assert_int_equal(find_answer(self, 9, &row, &space), ERR_NOT_FOUND); /* it goes with its chat */
    assert_int_equal(find_answer(self, 1, &row, &space), ERR_OK);
    buf_fini(&space);
}

static void an_upgraded_record_is_upgraded_once(void **state)
{
    struct record *self = *state;
    struct loaded loaded;
    open_version_1(self);
    store_reader_close(&self->reader);
    store_close(&self->store);
    record_open(self); /* adding the columns again would fail */
    assert_int_equal(self->term, 43);
    load(self, &loaded);
    assert_string_equal(loaded.text, loaded_life);
}

/* Half way through an upgrade something fails: the file stays of its version, whole. */
static void an_upgrade_that_fails_changes_nothing(void **state)
{
    struct record *self = *state;
    struct loaded loaded;
    rewrite_as(self, (const char *const[]){version_1, life, "ALTER TABLE answers ADD COLUMN chat_id TEXT;", NULL});
    assert_int_not_equal(store_open(&self->store, self->path, &self->term, &self->why), ERR_OK);
    record_rewrite(self, "ALTER TABLE answers DROP COLUMN chat_id;");
    record_open(self);
    load(self, &loaded);
    assert_string_equal(loaded.text, loaded_life);
}

static void a_record_of_a_newer_version_is_refused(void **state)
{
    struct record *self = *state;
    char sql[128];
    snprintf(sql, sizeof sql, "UPDATE meta SET value = %d WHERE key = 'schema_version'", SCHEMA_VERSION + 1);
    record_rewrite(self, sql);
    assert_int_equal(store_open(&self->store, self->path, &self->term, &self->why), ERR_UNSUPPORTED);
    assert_non_null(strstr(self->why.text, "schema version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(a_record_of_version_1_keeps_everything), ON_DISK(its_answers_are_found_and_are_not_keyed),
        ON_DISK(it_takes_what_the_newer_version_writes), ON_DISK(an_upgraded_record_is_upgraded_once),
        ON_DISK(an_upgrade_that_fails_changes_nothing),  ON_DISK(a_record_of_a_newer_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
