#include "files/files.h"
#include "make_folder.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PREFIX "2026/11/chat-1/uploads"

static char root[] = "/tmp/sheetwire-folder-XXXXXX";
static struct files *files;
static struct fault why;

static void made(const char *prefix, const char *text, struct files_new_object *object)
{
    uint64_t bytes;
    if (files_create(files, prefix, object, &why) != ERR_OK)
        fail_msg("%s", why.text);
    assert_int_equal(write(object->fd, text, strlen(text)), strlen(text));
    assert_int_equal(files_commit(files, object, &bytes, &why), ERR_OK);
    assert_int_equal(bytes, strlen(text));
    assert_int_equal(object->fd, -1);
}

static void what_is_committed_can_be_read(void **state)
{
    (void)state;
    struct files_new_object object;
    made(PREFIX, "a,b\n1,2\n", &object);
    assert_int_equal(strncmp(object.key, PREFIX "/", strlen(PREFIX "/")), 0);
    assert_int_equal(strlen(object.key), strlen(PREFIX "/") + 16);
    int fd;
    uint64_t bytes;
    assert_int_equal(files_open(files, object.key, &fd, &bytes, &why), ERR_OK);
    assert_int_equal(bytes, 8);
    char text[16];
    assert_int_equal(read(fd, text, sizeof text), 8);
    assert_memory_equal(text, "a,b\n1,2\n", 8);
    close(fd);
    assert_int_equal(files_remove(files, object.key, &why), ERR_OK);
}

static void pieces_are_written_one_after_the_other(void **state)
{
    (void)state;
    struct files_new_object object;
    char text[16];
    uint64_t bytes;
    assert_int_equal(files_create(files, PREFIX, &object, &why), ERR_OK);
    assert_int_equal(files_write(&object, "a,b\n", 4, &why), ERR_OK);
    assert_int_equal(files_write(&object, "", 0, &why), ERR_OK);
    assert_int_equal(files_write(&object, "1,2\n", 4, &why), ERR_OK);
    assert_int_equal(pread(object.fd, text, sizeof text, 0), 8);
    assert_memory_equal(text, "a,b\n1,2\n", 8);
    assert_int_equal(files_commit(files, &object, &bytes, &why), ERR_OK);
    assert_int_equal(bytes, 8);
    assert_int_equal(files_remove(files, object.key, &why), ERR_OK);
}

static void a_device_without_room_is_told(void **state)
{
    (void)state;
    struct files_new_object object = {.fd = open("/dev/full", O_WRONLY | O_CLOEXEC)};
    assert_true(object.fd >= 0);
    assert_int_equal(files_write(&object, "a", 1, &why), ERR_NO_SPACE);
    assert_string_equal(why.text, "No space left on device");
    close(object.fd);
}

static void two_objects_never_share_a_key(void **state)
{
    (void)state;
    struct files_new_object a, b;
    made(PREFIX, "a", &a);
    made(PREFIX, "b", &b);
    assert_string_not_equal(a.key, b.key);
    assert_int_equal(files_remove(files, a.key, &why), ERR_OK);
    assert_int_equal(files_remove(files, b.key, &why), ERR_OK);
}

static void an_abandoned_object_leaves_nothing(void **state)
{
    (void)state;
    struct files_new_object object;
    assert_int_equal(files_create(files, PREFIX, &object, &why), ERR_OK);
    files_abandon(files, &object);
    files_abandon(files, &object);
    int fd;
    assert_int_equal(files_open(files, object.key, &fd, NULL, &why), ERR_NOT_FOUND);
    assert_int_equal(rmdir(root), 0); /* the empty folders are gone too */
    assert_int_equal(mkdir(root, 0700), 0);
    files_close(&files);
    assert_int_equal(files_open_folder(&files, root, &why), ERR_OK);
}

static void removing_twice_is_fine(void **state)
{
    (void)state;
    struct files_new_object object;
    made(PREFIX, "x", &object);
    assert_int_equal(files_remove(files, object.key, &why), ERR_OK);
    assert_int_equal(files_remove(files, object.key, &why), ERR_OK);
    int fd;
    assert_int_equal(files_open(files, object.key, &fd, NULL, &why), ERR_NOT_FOUND);
}

static void keys_that_lead_elsewhere_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",     "/etc/passwd", "..",    "../x",    "a/../b",  "a/./b",
                                        "a//b", "a/",          "a b/c", "a\\b",    "a/b\n",   "\xc3\xa4/x",
                                        "a/..", ".",           "a;b",   "a/b/../", "%2e%2e/x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct files_new_object object;
        int fd;
        assert_int_equal(files_open(files, wrong[i], &fd, NULL, &why), ERR_INVALID);
        assert_int_equal(files_remove(files, wrong[i], &why), ERR_INVALID);
        assert_int_equal(files_create(files, wrong[i], &object, &why), ERR_INVALID);
        assert_int_equal(object.fd, -1);
    }
    char long_key[FILES_KEY_MAX + 10];
    memset(long_key, 'a', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    int fd;
    assert_int_equal(files_open(files, long_key, &fd, NULL, &why), ERR_INVALID);
}

static void links_and_pipes_are_not_followed(void **state)
{
    (void)state;
    char path[256];
    int fd;
    struct files_new_object object;
    snprintf(path, sizeof path, "%s/out", root);
    assert_int_equal(symlink("/etc", path), 0);
    assert_int_not_equal(files_open(files, "out/passwd", &fd, NULL, &why), ERR_OK);
    assert_int_not_equal(files_create(files, "out/sub", &object, &why), ERR_OK);
    unlink(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_not_equal(files_open(files, "out", &fd, NULL, &why), ERR_OK);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(files_open(files, "out", &fd, NULL, &why), ERR_NOT_FOUND);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(files_open(files, "out", &fd, NULL, &why), ERR_NOT_FOUND);
    rmdir(path);
}

static void *churn(void *arg)
{
    size_t *failures = arg;
    for (int i = 0; i < 300; i++) {
        struct files_new_object object;
        struct fault mine;
        if (files_create(files, "2026/12/busy/outputs", &object, &mine) != ERR_OK) {
            ++*failures;
            continue;
        }
        files_abandon(files, &object);
    }
    return NULL;
}

/* One thread removes the empty folders that the other is about to use. */
static void folders_that_vanish_are_made_again(void **state)
{
    (void)state;
    size_t failures[2] = {0, 0};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &failures[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures[0] + failures[1], 0);
}

static void a_root_that_is_a_file_is_refused(void **state)
{
    (void)state;
    char path[256];
    struct files *other;
    snprintf(path, sizeof path, "%s/file", root);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_not_equal(files_open_folder(&other, path, &why), ERR_OK);
    assert_null(other);
    assert_non_null(strstr(why.text, path));
    unlink(path);
}

/* All keys the walk meets, but for folders of a test before. */
static size_t walk_all(char keys[][FILES_KEY_MAX], size_t max, int64_t *written_us)
{
    struct files_walk *walk;
    struct files_found found;
    size_t count = 0;
    enum err err = files_walk_open(files, &walk, &why);
    while (err == ERR_OK && (err = files_walk_next(walk, &found, &why)) == ERR_OK) {
        assert_true(count < max);
        memcpy(keys[count++], found.key, sizeof found.key);
        *written_us = found.written_us;
    }
    assert_int_equal(err, ERR_END);
    files_walk_close(&walk);
    return count;
}

static bool met(char keys[][FILES_KEY_MAX], size_t count, const char *key)
{
    size_t times = 0;
    for (size_t i = 0; i < count; i++)
        times += strcmp(keys[i], key) == 0;
    assert_true(times <= 1);
    return times == 1;
}

static void a_walk_meets_every_object_once(void **state)
{
    (void)state;
    static char keys[64][FILES_KEY_MAX];
    struct files_new_object object[5], open_one;
    int64_t written_us = 0;
    made("2026/11/a/uploads", "1", &object[0]);
    made("2026/11/a/uploads", "2", &object[1]);
    made("2026/11/a/outputs", "3", &object[2]);
    made("2026/10/b/uploads", "4", &object[3]);
    made("flat", "5", &object[4]);
    assert_int_equal(files_create(files, "2026/11/a/uploads", &open_one, &why), ERR_OK);
    size_t count = walk_all(keys, 64, &written_us);
    for (int i = 0; i < 5; i++)
        assert_true(met(keys, count, object[i].key));
    assert_true(met(keys, count, open_one.key)); /* one that is still being written, too */
    assert_int_equal(count, 6);
    assert_true(written_us / 1000000 > time(NULL) - 60 && written_us / 1000000 <= time(NULL) + 1);
    files_abandon(files, &open_one);
    for (int i = 0; i < 5; i++)
        assert_int_equal(files_remove(files, object[i].key, &why), ERR_OK);
    assert_int_equal(walk_all(keys, 64, &written_us), 0);
}

static void a_walk_follows_no_link_and_ends_in_any_tree(void **state)
{
    (void)state;
    static char keys[64][FILES_KEY_MAX];
    char command[512];
    int64_t written_us = 0;
    struct files_new_object object;
    made(PREFIX, "x", &object);
    snprintf(command, sizeof command,
             "cd %s && ln -s / top && ln -s .. 2026/up && mkfifo 2026/pipe && touch '2026/a b' && mkdir -p d/$(printf "
             "'%%0200d/%%0200d' 1 2) deep/$(printf 'd/%%.0s' $(seq 30))&& touch deep/$(printf 'd/%%.0s' $(seq 30))x",
             root);
    assert_int_equal(system(command), 0);
    assert_int_equal(walk_all(keys, 64, &written_us), 1);
    assert_string_equal(keys[0], object.key);
    snprintf(command, sizeof command, "cd %s && rm -r top d deep 2026", root);
    assert_int_equal(system(command), 0);
}

/* What is removed while it is walked past must not end the walk. */
static void objects_may_be_removed_while_they_are_walked(void **state)
{
    (void)state;
    struct files_new_object object;
    struct files_walk *walk;
    struct files_found found;
    size_t count = 0;
    for (int i = 0; i < 40; i++)
        made(i % 2 ? "2026/11/a/uploads" : "2026/11/b/outputs", "x", &object);
    assert_int_equal(files_walk_open(files, &walk, &why), ERR_OK);
    while (files_walk_next(walk, &found, &why) == ERR_OK) {
        assert_int_equal(files_remove(files, found.key, &why), ERR_OK);
        count++;
    }
    files_walk_close(&walk);
    files_walk_close(&walk);
    assert_int_equal(count, 40);
}

static void folders_above_are_made(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/a/b/c/x.log", root);
    assert_int_equal(make_folder_of(path, 0700, &why), ERR_OK);
    assert_int_equal(make_folder_of(path, 0700, &why), ERR_OK);
    struct stat found;
    snprintf(path, sizeof path, "%s/a/b/c", root);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    rmdir(path);
    snprintf(path, sizeof path, "%s/a/b", root);
    rmdir(path);
    snprintf(path, sizeof path, "%s/a", root);
    rmdir(path);
    assert_int_equal(make_folder_of("x.log", 0700, &why), ERR_OK);
    assert_int_equal(make_folder("", 0700, &why), ERR_INVALID);
}

static int open_root(void **state)
{
    (void)state;
    return mkdtemp(root) && files_open_folder(&files, root, &why) == ERR_OK ? 0 : -1;
}

static int close_root(void **state)
{
    (void)state;
    files_close(&files);
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_can_be_read),
        cmocka_unit_test(pieces_are_written_one_after_the_other),
        cmocka_unit_test(a_device_without_room_is_told),
        cmocka_unit_test(two_objects_never_share_a_key),
        cmocka_unit_test(an_abandoned_object_leaves_nothing),
        cmocka_unit_test(removing_twice_is_fine),
        cmocka_unit_test(keys_that_lead_elsewhere_are_refused),
        cmocka_unit_test(links_and_pipes_are_not_followed),
        cmocka_unit_test(folders_that_vanish_are_made_again),
        cmocka_unit_test(a_root_that_is_a_file_is_refused),
        cmocka_unit_test(a_walk_meets_every_object_once),
        cmocka_unit_test(a_walk_follows_no_link_and_ends_in_any_tree),
        cmocka_unit_test(objects_may_be_removed_while_they_are_walked),
        cmocka_unit_test(folders_above_are_made),
    };
    return cmocka_run_group_tests(tests, open_root, close_root);
}
