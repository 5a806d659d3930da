#include "config.h"
#include "endpoint.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

static char folder[] = "/tmp/sheetwire-endpoint-XXXXXX";
static struct config *config;
static struct settings settings;
static struct fault why;
static void *context;

static void in_folder(const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", folder, name);
}

static void only_ipc_and_loopback_are_safe(void **state)
{
    (void)state;
    static const char *const safe[] = {"ipc:///run/x/y",       "ipc://./automation/run/feed",
                                       "tcp://127.0.0.1:5560", "tcp://127.9.8.7:1",
                                       "tcp://localhost:5560", "tcp://[::1]:5560",
                                       "tcp://lo:5560",        "tcp://127.0.0.1:*"};
    static const char *const beyond[] = {
        "tcp://0.0.0.0:5560", "tcp://*:5560",    "tcp://10.0.0.1:5560", "tcp://broker:5560",
        "tcp://[::]:5560",    "tcp://eth0:5560", "tcp://128.0.0.1:1",   "tcp://127.0.0.1.evil.org:1"};
    static const char *const wrong[] = {"",         "5560",   "udp://127.0.0.1:1", "inproc://x",
                                        "ipc://@x", "ipc://", "tcp://127.0.0.1",   "pgm://x:1"};
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        assert_int_equal(endpoint_check(safe[i], false, &why), ERR_OK);
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        assert_int_equal(endpoint_check(beyond[i], false, &why), ERR_DENIED);
        assert_non_null(strstr(why.text, "wire.insecure"));
        assert_int_equal(endpoint_check(beyond[i], true, &why), ERR_OK);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(endpoint_check(wrong[i], true, &why), ERR_INVALID);
}

static void a_path_too_long_for_a_socket_is_named(void **state)
{
    (void)state;
    char address[ENDPOINT_TEXT_MAX] = "ipc:///";
    memset(address + 7, 'x', ENDPOINT_IPC_MAX - 1);
    assert_int_equal(endpoint_check(address, false, &why), ERR_OK);
    address[7 + ENDPOINT_IPC_MAX - 1] = 'x';
    assert_int_equal(endpoint_check(address, false, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "wire.run_dir"));
}

static void a_request_travels_through_the_run_folder(void **state)
{
    (void)state;
    char run_dir[256];
    in_folder("a/run", run_dir);
    settings.wire.run_dir = run_dir;
    void *dealer, *router;
    assert_int_equal(endpoint_connect(&dealer, context, &settings, ENDPOINT_REQUESTS, &why), ERR_OK);
    if (endpoint_bind(&router, context, &settings, ENDPOINT_REQUESTS, &why) != ERR_OK)
        fail_msg("%s", why.text);
    struct stat found;
    assert_int_equal(stat(run_dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    int wait_ms = 5000;
    zmq_setsockopt(dealer, ZMQ_SNDTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(router, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    assert_int_equal(zmq_send(dealer, "hello", 5, 0), 5);
    char id[64], text[16];
    assert_true(zmq_recv(router, id, sizeof id, 0) > 0);
    assert_int_equal(zmq_recv(router, text, sizeof text, 0), 5);
    zmq_close(dealer);
    zmq_close(router);
}

static void nothing_is_queued_for_a_peer_that_is_not_there(void **state)
{
    (void)state;
    char run_dir[256];
    in_folder("b", run_dir);
    settings.wire.run_dir = run_dir;
    void *dealer;
    assert_int_equal(endpoint_connect(&dealer, context, &settings, ENDPOINT_REQUESTS, &why), ERR_OK);
    assert_int_equal(zmq_send(dealer, "x", 1, ZMQ_DONTWAIT), -1);
    assert_int_equal(zmq_errno(), EAGAIN);
    zmq_close(dealer);
}

static void a_run_folder_that_lets_others_in_is_refused(void **state)
{
    (void)state;
    char run_dir[256];
    in_folder("open", run_dir);
    settings.wire.run_dir = run_dir;
    assert_int_equal(mkdir(run_dir, 0700), 0);
    assert_int_equal(chmod(run_dir, 0750), 0);
    void *socket;
    assert_int_equal(endpoint_bind(&socket, context, &settings, ENDPOINT_WORK, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "0750"));
    assert_int_equal(endpoint_connect(&socket, context, &settings, ENDPOINT_WORK, &why), ERR_DENIED);
    if (geteuid() == 0) {
        assert_int_equal(chmod(run_dir, 0700), 0);
        assert_int_equal(chown(run_dir, 12345, 12345), 0);
        assert_int_equal(endpoint_bind(&socket, context, &settings, ENDPOINT_WORK, &why), ERR_DENIED);
        assert_non_null(strstr(why.text, "12345"));
    }
    assert_null(socket);
}

static void a_file_in_the_way_is_kept_and_a_dead_socket_replaced(void **state)
{
    (void)state;
    char run_dir[256], path[300];
    in_folder("way", run_dir);
    settings.wire.run_dir = run_dir;
    assert_int_equal(mkdir(run_dir, 0700), 0);
    snprintf(path, sizeof path, "%s/feed", run_dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    void *socket;
    assert_int_equal(endpoint_bind(&socket, context, &settings, ENDPOINT_FEED, &why), ERR_EXISTS);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
    assert_int_equal(endpoint_bind(&socket, context, &settings, ENDPOINT_FEED, &why), ERR_OK);
    zmq_close(socket);
}

static void an_endpoint_that_is_off_opens_nothing(void **state)
{
    (void)state;
    void *socket = &settings;
    settings.wire.tap = "off";
    assert_int_equal(endpoint_bind(&socket, context, &settings, ENDPOINT_TAP, &why), ERR_OK);
    assert_null(socket);
    settings.wire.work = "off";
    assert_int_equal(endpoint_bind(&socket, context, &settings, ENDPOINT_WORK, &why), ERR_INVALID);
    settings.wire.work = "";
}

static void a_taken_port_is_named(void **state)
{
    (void)state;
    void *first, *second;
    char address[ENDPOINT_TEXT_MAX];
    size_t len = sizeof address;
    settings.wire.publish = "tcp://127.0.0.1:*";
    assert_int_equal(endpoint_bind(&first, context, &settings, ENDPOINT_PUBLISH, &why), ERR_OK);
    assert_int_equal(zmq_getsockopt(first, ZMQ_LAST_ENDPOINT, address, &len), 0);
    settings.wire.publish = address;
    assert_int_equal(endpoint_bind(&second, context, &settings, ENDPOINT_PUBLISH, &why), ERR_EXISTS);
    assert_non_null(strstr(why.text, address));
    zmq_close(first);
}

static int open_all(void **state)
{
    (void)state;
    context = zmq_ctx_new();
    return mkdtemp(folder) && config_from_bytes(&config, NULL, NULL, 0, NULL, &why) == ERR_OK ? 0 : -1;
}

static int fresh_settings(void **state)
{
    (void)state;
    settings = *config_settings(config);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    char command[300];
    zmq_ctx_term(context);
    config_destroy(&config);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ipc_and_loopback_are_safe),
        cmocka_unit_test(a_path_too_long_for_a_socket_is_named),
        cmocka_unit_test_setup(a_request_travels_through_the_run_folder, fresh_settings),
        cmocka_unit_test_setup(nothing_is_queued_for_a_peer_that_is_not_there, fresh_settings),
        cmocka_unit_test_setup(a_run_folder_that_lets_others_in_is_refused, fresh_settings),
        cmocka_unit_test_setup(a_file_in_the_way_is_kept_and_a_dead_socket_replaced, fresh_settings),
        cmocka_unit_test_setup(an_endpoint_that_is_off_opens_nothing, fresh_settings),
        cmocka_unit_test_setup(a_taken_port_is_named, fresh_settings),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
