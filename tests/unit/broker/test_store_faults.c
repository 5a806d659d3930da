/* The real store on a disk and a heap that fail: every write, sync, truncate, open, lock and mapping of a whole life of
 * a record and its journal, and every fifth of SQLite's allocations, fails once, alone and with everything after it;
 * and the process dies at each of them. After each failure: what was acknowledged is there, what was refused is not
 * (neither now nor after a crash at that very moment), the error is the promised one, and the record opens again and
 * goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/sqlite_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define T0 1700000000000000

/* ---- a disk that fails ---- */

enum place {
    DISK_OPEN,
    DISK_READ,
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_LOCK,
    DISK_MAP,
    DISK_MAP_LOCK,
    MEMORY,
    JOURNAL_WRITE,
    JOURNAL_SHORT, /* takes half of what it is given, and says so */
    JOURNAL_CUT,   /* and then no more */
    JOURNAL_LIE,   /* takes all, and says that it failed */
    JOURNAL_READ,
    JOURNAL_SYNC,
    ANY_CHANGE, /* of any file: where a process dies */
};

/* Two threads meet it: the one that commits and the one that applies. */
static struct {
    enum place place;
    _Atomic uint64_t at; /* the number of the operation that fails, from 1; 0 = none */
    bool sticky;         /* and all after it */
    int code;            /* what SQLite is told */
    int errno_then;      /* what it finds in errno */
    _Atomic uint64_t seen;
    _Atomic bool fired;
} plan;

static bool fails(enum place place)
{
    if (plan.at == 0 || plan.place != place)
        return false;
    uint64_t seen = ++plan.seen;
    bool now = plan.sticky ? seen >= plan.at : seen == plan.at;
    if (now)
        plan.fired = true;
    return now;
}

/* Before each change of a file. */
static void may_die(void)
{
    if (fails(ANY_CHANGE))
        _exit(0);
}

/* ---- the journal's calls: of the programs linked here only it uses these ---- */

ssize_t pwrite(int fd, const void *from, size_t len, off_t at);
ssize_t pread(int fd, void *to, size_t len, off_t at);
int fdatasync(int fd);
int fsync(int fd);

static bool is_journal(int fd)
{
    char link[32], name[PATH_MAX] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, name, sizeof name - 1) > 0 && strstr(name, ".journal");
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
    static bool cut; /* the next write goes on where one was cut off */
    may_die();
    if (cut || fails(JOURNAL_WRITE)) {
        cut = false;
        errno = plan.errno_then;
        return -1;
    }
    cut = fails(JOURNAL_CUT);
    if (cut || fails(JOURNAL_SHORT))
        len = (len + 1) / 2;
    ssize_t taken = syscall(SYS_pwrite64, fd, from, len, at);
    if (!fails(JOURNAL_LIE))
        return taken;
    errno = plan.errno_then;
    return -1;
}

ssize_t pread(int fd, void *to, size_t len, off_t at)
{
    if (!fails(JOURNAL_READ))
        return syscall(SYS_pread64, fd, to, len, at);
    errno = plan.errno_then;
    return -1;
}

static int sync_file(long number, int fd)
{
    bool journal = is_journal(fd);
    if (journal)
        may_die();
    if (!journal || !fails(JOURNAL_SYNC))
        return (int)syscall(number, fd);
    errno = plan.errno_then;
    return -1;
}

int fdatasync(int fd)
{
    return sync_file(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return sync_file(SYS_fsync, fd);
}

/* ---- SQLite's ---- */

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct, in the same piece of memory */
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim_file *)(void *)file)->real;
}

static int shim_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int shim_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
    return fails(DISK_READ) ? plan.code : real_of(f)->pMethods->xRead(real_of(f), to, len, at);
}

/* A file that cannot grow takes the first half; what is there already is overwritten or not. */
static int shim_write(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
    sqlite3_int64 size = 0;
    may_die();
    if (!fails(DISK_WRITE))
        return real_of(f)->pMethods->xWrite(real_of(f), from, len, at);
    real_of(f)->pMethods->xFileSize(real_of(f), &size);
    if (at >= size)
        real_of(f)->pMethods->xWrite(real_of(f), from, len / 2, at);
    return plan.code;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    may_die();
    return fails(DISK_TRUNCATE) ? plan.code : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    may_die();
    return fails(DISK_SYNC) ? plan.code : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int shim_lock(sqlite3_file *f, int level)
{
    return fails(DISK_LOCK) ? plan.code : real_of(f)->pMethods->xLock(real_of(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int shim_control(sqlite3_file *f, int order, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), order, arg);
}

static int shim_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int shim_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int shim_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    if (!fails(DISK_MAP))
        return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
    *out = NULL;
    return plan.code;
}

static int shim_map_lock(sqlite3_file *f, int offset, int n, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) && fails(DISK_MAP_LOCK))
        return plan.code;
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void shim_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int shim_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_traits,
    .xShmMap = shim_map,
    .xShmLock = shim_map_lock,
    .xShmBarrier = shim_barrier,
    .xShmUnmap = shim_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    struct shim_file *self = (struct shim_file *)(void *)f;
    self->base.pMethods = NULL;
    self->real = (sqlite3_file *)(void *)(self + 1);
    if (fails(DISK_OPEN))
        return plan.code;
    int code = real_vfs->xOpen(real_vfs, name, self->real, flags, out);
    if (self->real->pMethods)
        self->base.pMethods = &shim_methods;
    return code;
}

static int shim_last_error(sqlite3_vfs *vfs, int len, char *text)
{
    (void)vfs;
    return plan.fired ? plan.errno_then : real_vfs->xGetLastError(real_vfs, len, text);
}

static sqlite3_vfs shim_vfs;

static void disk_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "failing";
    shim_vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
    shim_vfs.xOpen = shim_open;
    shim_vfs.xGetLastError = shim_last_error;
    assert_int_equal(sqlite3_vfs_register(&shim_vfs, 1), SQLITE_OK);
}

/* ---- a heap that fails ---- */

static sqlite3_mem_methods real_memory;

static void *failing_malloc(int bytes)
{
    return fails(MEMORY) ? NULL : real_memory.xMalloc(bytes);
}

static void *failing_realloc(void *old, int bytes)
{
    return fails(MEMORY) ? NULL : real_memory.xRealloc(old, bytes);
}

static void memory_install(void)
{
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    sqlite3_mem_methods methods = real_memory;
    methods.xMalloc = failing_malloc;
    methods.xRealloc = failing_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
}

/* ---- the life of a record ---- */

enum { BATCHES = 6, BIG_BATCH = 2, DELETING_BATCH = 4, DELETED_CHAT = 0, BATCHES_MAX = 60 };
enum fate { ABSENT, MAYBE, PRESENT };

struct life {
    char folder[64], path[128], image[128];
    struct store *store;
    struct changes *changes;
    uint64_t term;
    enum fate fate[BATCHES_MAX];
    struct fault why;
};

/* The first four are what a crash leaves. */
static const char *const endings[] = {"", "-wal", ".journal0", ".journal1", "-shm", ".lock", ".reserve"};
enum { CRASH_FILES = 4 };

static const struct store_sizes sizes = {.segment_bytes = 8 * JOURNAL_BLOCK, .reserve_bytes = 64 << 10};

static void remove_record(const char *path)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

static void heal(void)
{
    plan.at = 0;
}

static int setup(void **state)
{
    struct life *self = calloc(1, sizeof *self);
    strcpy(self->folder, "/dev/shm/sheetwire-faults-XXXXXX"); /* syncs that fail need no disk */
    if (!mkdtemp(self->folder) || changes_new(&self->changes) != ERR_OK)
        return -1;
    snprintf(self->path, sizeof self->path, "%s/chat.db", self->folder);
    snprintf(self->image, sizeof self->image, "%s/image.db", self->folder);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct life *self = *state;
    heal();
    store_close(&self->store);
    changes_destroy(&self->changes);
    remove_record(self->path);
    remove_record(self->image);
    int failed = rmdir(self->folder);
    free(self);
    return failed;
}

static bool is_big(int batch)
{
    return batch == BIG_BATCH || batch >= BATCHES;
}

static uint64_t events_of(int batch)
{
    return is_big(batch) ? 8 : 3;
}

static void add(struct life *self, const struct change *change)
{
    assert_int_equal(changes_add(self->changes, change), ERR_OK);
}

static void add_events(struct life *self, int batch, const char *chat)
{
    static char body[60000];
    size_t len = is_big(batch) ? sizeof body : 100;
    memset(body, 'x', sizeof body);
    for (uint64_t seq = 1; seq <= events_of(batch); seq++)
        add(self, &(struct change){.kind = CHANGE_EVENT_ADD,
                                   .of.event = {.chat_id = chat,
                                                .type = "note",
                                                .job_id = "",
                                                .seq = seq,
                                                .event_id = "",
                                                .body = body,
                                                .body_len = len,
                                                .created_us = T0}});
}

/* A chat, its file and its events; the deleting batch also takes an older chat away. */
static void fill(struct life *self, int batch)
{
    char chat[24], key[16];
    snprintf(chat, sizeof chat, "chat-%d", batch);
    snprintf(key, sizeof key, "key-%d", batch);
    changes_clear(self->changes);
    add(self, &(struct change){.kind = CHANGE_CHAT_PUT,
                               .of.chat = {.chat_id = chat,
                                           .participant_name = "Orca-1234",
                                           .partition_key = "2023/11",
                                           .metadata = "{}",
                                           .epoch = "e1",
                                           .created_us = T0 + batch,
                                           .updated_us = T0}});
    add(self,
        &(struct change){
            .kind = CHANGE_FILE_ADD,
            .of.file = {.file_id = key, .chat_id = chat, .name = "in.csv", .key = key, .bytes = 7, .job_id = ""}});
    add_events(self, batch, chat);
    if (batch == DELETING_BATCH)
        add(self, &(struct change){.kind = CHANGE_CHAT_DELETE, .of.chat = {.chat_id = "chat-0", .updated_us = T0}});
}

struct found {
    uint64_t head, events, files;
};

static enum err on_chat(void *context, const struct chat_row *row)
{
    ((struct found *)context)->head = row->head;
    return ERR_OK;
}

static enum err on_job(void *context, const struct job_row *row)
{
    (void)context;
    (void)row;
    return ERR_OK;
}

static enum err on_step(void *context, const struct step_row *row)
{
    (void)context;
    (void)row;
    return ERR_OK;
}

static enum err on_event(void *context, const struct event_row *row)
{
    struct found *found = context;
    found->events++;
    assert_int_equal(row->seq, found->events);
    return ERR_OK;
}

static enum err on_file(void *context, const struct file_row *row)
{
    (void)row;
    ((struct found *)context)->files++;
    return ERR_OK;
}

static enum err load(struct store *store, int batch, struct found *found, struct fault *why)
{
    char chat[24];
    snprintf(chat, sizeof chat, "chat-%d", batch);
    *found = (struct found){0};
    struct store_load to = {found, on_chat, on_job, on_step, on_event, on_file};
    return store_load_chat(store, chat, 100, &to, why);
}

static enum err find_key(void *context, const char *key)
{
    bool *there = context;
    *there = *there || strcmp(key, "key-0") == 0;
    return ERR_OK;
}

/* All of a batch or nothing of it. */
static bool is_there(struct store *store, int batch)
{
    struct fault why = {.text = ""};
    struct found found;
    enum err err = load(store, batch, &found, &why);
    if (err == ERR_NOT_FOUND)
        return false;
    assert_int_equal(err, ERR_OK);
    assert_int_equal(found.events, events_of(batch));
    assert_int_equal(found.head, events_of(batch));
    assert_int_equal(found.files, 1);
    return true;
}

/* The record against what its callers were told. */
static void check(const struct life *self, struct store *store)
{
    struct fault why = {.text = ""};
    bool garbage = false, deleted = is_there(store, DELETING_BATCH);
    assert_int_equal(store_garbage(store, 10, find_key, &garbage, &why), ERR_OK);
    assert_int_equal(garbage, deleted);
    for (int i = 0; i < BATCHES_MAX; i++) {
        if (i == DELETED_CHAT && deleted)
            assert_false(is_there(store, i));
        else if (self->fate[i] != MAYBE)
            assert_int_equal(is_there(store, i), self->fate[i] == PRESENT);
    }
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(store->loader.db.handle, "PRAGMA quick_check", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal(db_text(statement, 0), "ok");
    sqlite3_finalize(statement);
}

static void copy_file(const char *from, const char *to)
{
    static char block[1 << 20];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (ssize_t len; in >= 0 && (len = read(in, block, sizeof block)) > 0;)
        if (write(out, block, (size_t)len) != len)
            _exit(1);
    _exit(0);
}

/* In a process of its own: closing a file drops the locks its process has on it. */
static void copy_apart(const char *from, const char *to)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        copy_file(from, to);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* What a crash at this very moment would leave. */
static void check_crash(const struct life *self)
{
    char from[160], to[160];
    struct store *store = NULL;
    struct fault why = {.text = ""};
    uint64_t term, at = plan.at;
    remove_record(self->image);
    for (int i = 0; i < CRASH_FILES; i++) {
        snprintf(from, sizeof from, "%s%s", self->path, endings[i]);
        snprintf(to, sizeof to, "%s%s", self->image, endings[i]);
        copy_apart(from, to);
    }
    heal();
    if (store_open_sized(&store, self->image, &sizes, &term, &why) != ERR_OK)
        fail_msg("a crash could not be mended: %s", why.text);
    check(self, store);
    store_close(&store);
    plan.at = at;
}

static bool promised(enum err err)
{
    switch (plan.place) {
    case DISK_SYNC:
    case JOURNAL_SYNC:
    case JOURNAL_LIE: return err == ERR_IO;
    case JOURNAL_CUT: return err == ERR_IO || err == ERR_NO_SPACE;
    case JOURNAL_WRITE: return err == (plan.errno_then == EIO ? ERR_IO : ERR_NO_SPACE);
    case JOURNAL_SHORT: return false;
    case DISK_WRITE: return err == (plan.errno_then == ENOSPC ? ERR_NO_SPACE : ERR_UNAVAILABLE) || err == ERR_IO;
    case MEMORY: return err == ERR_MEMORY || err == ERR_IO;
    case ANY_CHANGE: break;
    case DISK_OPEN:
    case DISK_READ:
    case JOURNAL_READ:
    case DISK_TRUNCATE:
    case DISK_LOCK:
    case DISK_MAP:
    case DISK_MAP_LOCK: return err == ERR_UNAVAILABLE || err == ERR_NO_SPACE || err == ERR_IO;
    }
    return false;
}

/* Small steps between checkpoints, so that they fail too. */
static enum err open_store(struct life *self)
{
    uint64_t term = 0;
    enum err err = store_open_sized(&self->store, self->path, &sizes, &term, &self->why);
    if (err != ERR_OK) {
        assert_null(self->store);
        return err;
    }
    assert_true(term > self->term);
    self->term = term;
    sqlite3_wal_autocheckpoint(self->store->writer.db.handle, 8); /* the applier has nothing to do yet */
    return ERR_OK;
}

/* As a program that is started again: the disk has healed by then. */
static void open_again(struct life *self)
{
    store_close(&self->store);
    heal();
    assert_int_equal(open_store(self), ERR_OK);
    check(self, self->store);
}

static void open_life(struct life *self)
{
    enum err err = open_store(self);
    if (err == ERR_OK)
        return;
    assert_true(plan.fired);
    assert_true(promised(err));
    open_again(self);
}

/* Whatever comes of it, nothing moves on the disk afterwards: what a crash leaves can be copied. */
static void let_apply(struct life *self)
{
    (void)!applier_wait_all(self->store->applier, &self->why);
}

/* As turn_end() does: ERR_IO ends the process, anything else throws the memory away and goes on. */
static void commit_batch(struct life *self, int batch)
{
    fill(self, batch);
    self->fate[batch] = MAYBE;
    enum err err = store_commit(self->store, self->changes, &self->why);
    self->fate[batch] = err == ERR_OK ? PRESENT : err == ERR_IO ? MAYBE : ABSENT;
    let_apply(self);
    if (err == ERR_OK)
        return;
    assert_true(plan.fired);
    if (!promised(err))
        fail_msg("place %d, operation %llu: %s (%s)", (int)plan.place, (unsigned long long)plan.at, err_name(err),
                 self->why.text);
    check_crash(self);
    if (err == ERR_IO)
        open_again(self);
    heal();
    check(self, self->store);
    if (!is_there(self->store, batch)) {
        fill(self, batch);
        assert_int_equal(store_commit(self->store, self->changes, &self->why), ERR_OK);
    }
    self->fate[batch] = PRESENT;
}

/* Reading may fail; it never tells something else than what is there. */
static void read_all(struct life *self)
{
    struct store_reader *reader = NULL;
    struct buf json = BUF_INIT(1 << 20);
    struct found found;
    for (int i = 0; i < BATCHES; i++) {
        enum err err = load(self->store, i, &found, &self->why);
        if (err == ERR_OK)
            assert_int_equal(found.events, events_of(i));
        else
            assert_true(i == DELETED_CHAT ? err == ERR_NOT_FOUND || promised(err) : promised(err));
    }
    enum err err = store_reader_open(&reader, self->store, &self->why);
    if (err == ERR_OK)
        err = store_read_chats(reader, NULL, 100, 0, &json, &self->why);
    if (err == ERR_OK)
        assert_non_null(strstr(buf_text(&json), "\"count\":5"));
    else
        assert_true(plan.fired);
    store_reader_close(&reader);
    buf_fini(&json);
}

/* A whole life; false when no fault was met. */
static bool live(struct life *self)
{
    open_life(self);
    for (int i = 0; i < BATCHES; i++)
        commit_batch(self, i);
    read_all(self);
    store_close(&self->store);
    open_life(self);
    heal();
    check(self, self->store);
    store_close(&self->store);
    return plan.fired;
}

/* Opening needs thousands of allocations, nearly all for its statements, and work a few; so each is failed by itself.
 */
static bool live_to_open(struct life *self)
{
    open_life(self);
    heal();
    store_close(&self->store);
    return plan.fired;
}

static bool live_after_open(struct life *self)
{
    uint64_t at = plan.at;
    heal();
    open_life(self);
    plan.at = at;
    for (int i = 0; i < BATCHES; i++)
        commit_batch(self, i);
    read_all(self);
    heal();
    check(self, self->store);
    store_close(&self->store);
    return plan.fired;
}

static void begin(struct life *self, enum place place, bool sticky, int code, int errno_then)
{
    memset(self->fate, 0, sizeof self->fate);
    self->term = 0;
    plan.place = place;
    plan.sticky = sticky;
    plan.code = code;
    plan.errno_then = errno_then;
    plan.at = 0;
    plan.seen = 0;
    plan.fired = false;
    remove_record(self->path);
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { STRIDE = 7 }; /* sanitized programs are slow, and meet the same code at every seventh */
#else
enum { STRIDE = 1 };
#endif

/* Of the many allocations every fifth; of what the journal writes and syncs, which is little, each. */
static uint64_t stride(enum place place)
{
    if (place >= JOURNAL_WRITE && place <= JOURNAL_SYNC)
        return 1;
    return place == MEMORY ? 5 * STRIDE : STRIDE;
}

/* The number of operations that failed, one a life. */
static uint64_t sweep(struct life *self, bool (*a_life)(struct life *), enum place place, bool sticky, int code,
                      int errno_then)
{
    uint64_t lives = 0;
    do {
        begin(self, place, sticky, code, errno_then);
        plan.at = 1 + stride(place) * lives++;
    } while (a_life(self));
    print_message("%llu operations failed %s\n", (unsigned long long)lives - 1,
                  sticky ? "with all after them" : "alone");
    return lives - 1;
}

/* Each operation alone, then with all that follow; at least `least` of them, or the sweep met nothing. */
static void sweep_both(struct life *self, enum place place, int code, int errno_then, uint64_t least)
{
    assert_true(sweep(self, live, place, false, code, errno_then) >= least / stride(place));
    assert_true(sweep(self, live, place, true, code, errno_then) >= least / stride(place));
}

static void a_full_disk_refuses_and_heals(void **state)
{
    sweep_both(*state, DISK_WRITE, SQLITE_FULL, ENOSPC, 50);
}

static void a_failed_write_refuses_and_heals(void **state)
{
    sweep_both(*state, DISK_WRITE, SQLITE_IOERR_WRITE, EIO, 50);
}

static void a_failed_sync_is_the_end(void **state)
{
    sweep_both(*state, DISK_SYNC, SQLITE_IOERR_FSYNC, EIO, 10);
}

static void a_failed_read_tells_nothing_wrong(void **state)
{
    sweep_both(*state, DISK_READ, SQLITE_IOERR_READ, EIO, 10);
}

static void a_failed_truncate_harms_nothing(void **state)
{
    (void)sweep(*state, live, DISK_TRUNCATE, true, SQLITE_IOERR_TRUNCATE, EIO);
}

static void a_file_that_does_not_open_is_reported(void **state)
{
    sweep_both(*state, DISK_OPEN, SQLITE_CANTOPEN, EMFILE, 3);
}

static void a_failed_lock_refuses_and_heals(void **state)
{
    sweep_both(*state, DISK_LOCK, SQLITE_IOERR_LOCK, EIO, 3);
    sweep_both(*state, DISK_MAP_LOCK, SQLITE_IOERR_SHMLOCK, EIO, 10);
}

static void an_index_that_cannot_grow_refuses_and_heals(void **state)
{
    sweep_both(*state, DISK_MAP, SQLITE_IOERR_SHMSIZE, ENOSPC, 2);
}

static void a_full_disk_under_the_journal_refuses_and_heals(void **state)
{
    sweep_both(*state, JOURNAL_WRITE, 0, ENOSPC, 6);
    sweep_both(*state, JOURNAL_WRITE, 0, EDQUOT, 6);
}

/* A write that is answered with an error may be on disk nevertheless. */
static void a_failed_write_of_the_journal_is_the_end(void **state)
{
    sweep_both(*state, JOURNAL_WRITE, 0, EIO, 6);
    sweep_both(*state, JOURNAL_LIE, 0, EIO, 6);
}

/* EINVAL is what a file system answers that wants larger blocks for O_DIRECT; through its cache it takes any. */
static void a_file_system_that_takes_no_direct_write_is_written_through_its_cache(void **state)
{
    struct life *self = *state;
    begin(self, JOURNAL_WRITE, false, 0, EINVAL);
    assert_int_equal(open_store(self), ERR_OK);
    int fd = open(self->path, O_RDONLY | O_DIRECT);
    if (fd < 0)
        skip(); /* here no write ever is direct */
    close(fd);
    plan.at = 1;
    fill(self, 0);
    assert_int_equal(store_commit(self->store, self->changes, &self->why), ERR_OK);
    assert_true(plan.fired);
    self->fate[0] = PRESENT;
    let_apply(self);
    check_crash(self);
    check(self, self->store);
}

static void a_write_that_takes_half_is_gone_on_with(void **state)
{
    sweep_both(*state, JOURNAL_SHORT, 0, 0, 6);
}

static void a_failed_sync_of_the_journal_is_the_end(void **state)
{
    sweep_both(*state, JOURNAL_SYNC, 0, EIO, 8);
}

static void a_write_of_the_journal_that_fails_half_way_is_the_end(void **state)
{
    sweep_both(*state, JOURNAL_CUT, 0, ENOSPC, 6);
}

static void a_journal_that_cannot_be_read_is_not_taken_for_an_empty_one(void **state)
{
    struct life *self = *state;
    begin(self, DISK_WRITE, true, SQLITE_FULL, ENOSPC);
    assert_int_equal(open_store(self), ERR_OK);
    commit_batch(self, 0);
    plan.at = 1;
    fill(self, 1);
    assert_int_equal(store_commit(self->store, self->changes, &self->why), ERR_OK);
    self->fate[1] = PRESENT;
    store_close(&self->store);
    plan.place = JOURNAL_READ;
    plan.errno_then = EIO;
    assert_int_equal(open_store(self), ERR_UNAVAILABLE);
    heal();
    assert_int_equal(open_store(self), ERR_OK);
    check(self, self->store);
}

/* The index of the log grows every 4,000 pages or so, after the log itself was written and synced. */
static void a_commit_that_may_be_on_disk_is_not_called_refused(void **state)
{
    struct life *self = *state;
    begin(self, DISK_MAP, true, SQLITE_IOERR_SHMSIZE, ENOSPC);
    assert_int_equal(open_store(self), ERR_OK);
    sqlite3_wal_autocheckpoint(self->store->writer.db.handle, 0);
    plan.at = 1;
    for (int i = BATCHES; i < BATCHES_MAX && !plan.fired; i++)
        commit_batch(self, i);
    assert_true(plan.fired);
    check(self, self->store);
}

/* The lost write would be a hole in the log, and a restart reads no further than a hole. */
static void nothing_is_kept_behind_a_write_whose_sync_failed(void **state)
{
    static const enum place places[] = {DISK_SYNC, JOURNAL_SYNC};
    struct life *self = *state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        begin(self, places[i], false, SQLITE_IOERR_FSYNC, EIO);
        assert_int_equal(open_store(self), ERR_OK);
        commit_batch(self, 0);
        plan.at = 1;
        int failing = places[i] == DISK_SYNC ? BIG_BATCH : 1; /* around the journal, and into it */
        fill(self, failing);
        self->fate[failing] = MAYBE;
        assert_int_equal(store_commit(self->store, self->changes, &self->why), ERR_IO);
        fill(self, 3);
        assert_int_equal(store_commit(self->store, self->changes, &self->why), ERR_IO);
        assert_int_equal(store_garbage_done(self->store, "key-0", &self->why), ERR_IO);
        store_close(&self->store);
        assert_int_equal(open_store(self), ERR_OK);
        commit_batch(self, 3);
        check(self, self->store);
        store_close(&self->store);
    }
}

/* The journal has room of its own, so a batch may be accepted that SQLite then finds no room for. */
static void what_was_accepted_before_the_disk_was_full_comes_with_the_space(void **state)
{
    struct life *self = *state;
    struct found found;
    begin(self, DISK_WRITE, true, SQLITE_FULL, ENOSPC);
    assert_int_equal(open_store(self), ERR_OK);
    commit_batch(self, 0);
    plan.at = 1;
    fill(self, 1);
    assert_int_equal(store_commit(self->store, self->changes, &self->why), ERR_OK);
    self->fate[1] = PRESENT;
    assert_int_equal(load(self->store, 1, &found, &self->why), ERR_NO_SPACE);
    assert_int_equal(load(self->store, 0, &found, &self->why), ERR_OK); /* what is not concerned is read */
    fill(self, 3);
    assert_int_equal(store_commit(self->store, self->changes, &self->why), ERR_NO_SPACE);
    check_crash(self);
    plan.at = 1;
    store_close(&self->store); /* without room it stays in the journal */
    heal();
    assert_int_equal(open_store(self), ERR_OK);
    check(self, self->store);
    commit_batch(self, 3);
    plan.at = 1;
    plan.seen = 0;
    fill(self, 5);
    assert_int_equal(store_commit(self->store, self->changes, &self->why), ERR_OK);
    self->fate[5] = PRESENT;
    let_apply(self);
    heal();
    check(self, self->store);
}

/* ---- a process that dies ---- */

static void die_somewhere(struct life *self)
{
    open_life(self);
    for (int i = 0; i < BATCHES; i++)
        commit_batch(self, i);
    store_close(&self->store);
    open_life(self);
    store_close(&self->store);
    _exit(1);
}

/* At every change of a file, in whichever thread: the next process finds all that was acknowledged. */
static void a_death_at_any_moment_loses_nothing(void **state)
{
    struct life *self = *state,
                *shared = mmap(NULL, sizeof *self, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int deaths = 0, status;
    assert_true(shared != MAP_FAILED);
    do {
        begin(self, ANY_CHANGE, false, 0, 0);
        plan.at = 1 + STRIDE * (uint64_t)deaths++;
        *shared = *self;
        pid_t pid = fork();
        if (pid == 0)
            die_somewhere(shared);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        heal();
        memcpy(self->fate, shared->fate, sizeof self->fate);
        assert_int_equal(open_store(self), ERR_OK);
        check(self, self->store);
        store_close(&self->store);
    } while (WEXITSTATUS(status) == 0);
    print_message("%d deaths\n", deaths - 1);
    assert_true(deaths > 200 / STRIDE);
    munmap(shared, sizeof *shared);
}

static void no_memory_refuses_and_heals(void **state)
{
    assert_true(sweep(*state, live_to_open, MEMORY, false, SQLITE_NOMEM, ENOMEM) >= 500 / STRIDE);
    assert_true(sweep(*state, live_after_open, MEMORY, false, SQLITE_NOMEM, ENOMEM) >= 100 / STRIDE);
    assert_true(sweep(*state, live_after_open, MEMORY, true, SQLITE_NOMEM, ENOMEM) >= 100 / STRIDE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_full_disk_refuses_and_heals),
        CASE(a_failed_write_refuses_and_heals),
        CASE(a_failed_sync_is_the_end),
        CASE(a_failed_read_tells_nothing_wrong),
        CASE(a_failed_truncate_harms_nothing),
        CASE(a_file_that_does_not_open_is_reported),
        CASE(a_failed_lock_refuses_and_heals),
        CASE(an_index_that_cannot_grow_refuses_and_heals),
        CASE(a_full_disk_under_the_journal_refuses_and_heals),
        CASE(a_failed_write_of_the_journal_is_the_end),
        CASE(a_file_system_that_takes_no_direct_write_is_written_through_its_cache),
        CASE(a_write_that_takes_half_is_gone_on_with),
        CASE(a_failed_sync_of_the_journal_is_the_end),
        CASE(a_write_of_the_journal_that_fails_half_way_is_the_end),
        CASE(a_journal_that_cannot_be_read_is_not_taken_for_an_empty_one),
        CASE(a_commit_that_may_be_on_disk_is_not_called_refused),
        CASE(nothing_is_kept_behind_a_write_whose_sync_failed),
        CASE(what_was_accepted_before_the_disk_was_full_comes_with_the_space),
        CASE(no_memory_refuses_and_heals),
        CASE(a_death_at_any_moment_loses_nothing),
    };
    memory_install();
    disk_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
