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
        cmocka_unit_test(two_objects_never_share_a_key),
        cmocka_unit_test(an_abandoned_object_leaves_nothing),
        cmocka_unit_test(removing_twice_is_fine),
        cmocka_unit_test(keys_that_lead_elsewhere_are_refused),
        cmocka_unit_test(links_and_pipes_are_not_followed),
        cmocka_unit_test(folders_that_vanish_are_made_again),
        cmocka_unit_test(a_root_that_is_a_file_is_refused),
        cmocka_unit_test(folders_above_are_made),
    };
    return cmocka_run_group_tests(tests, open_root, close_root);
}
