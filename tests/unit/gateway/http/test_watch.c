#include "http/watch.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEAD_MS 1000

struct scene {
    struct watch watch;
    struct watched *connection;
    int server; /* our end */
    int client;
};

static void scene_begin(struct scene *self)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    self->server = pair[0];
    self->client = pair[1];
    watch_init(&self->watch, 1, HEAD_MS);
    self->connection = watch_open(&self->watch, self->server, 0);
    assert_non_null(self->connection);
}

static void scene_end(struct scene *self)
{
    watch_close(&self->watch, self->connection, 0);
    watch_fini(&self->watch);
    close(self->server);
    close(self->client);
}

/* Whether the client sees the end of the connection. */
static bool is_shut(const struct scene *self)
{
    char byte;
    return recv(self->client, &byte, 1, MSG_DONTWAIT) == 0;
}

static void late_headers_are_shut(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    watch_sweep(&scene.watch, HEAD_MS, 0);
    assert_false(is_shut(&scene));
    watch_sweep(&scene.watch, HEAD_MS + 1, 0);
    assert_true(is_shut(&scene));
    scene_end(&scene);
}

static void our_own_work_takes_as_long_as_it_takes(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    watch_enter(&scene.watch, scene.connection, WATCH_BUSY, 10);
    watch_sweep(&scene.watch, 100 * HEAD_MS, 0);
    assert_false(is_shut(&scene));
    watch_enter(&scene.watch, scene.connection, WATCH_HEAD, 100 * HEAD_MS);
    watch_sweep(&scene.watch, 101 * HEAD_MS, 0);
    assert_false(is_shut(&scene));
    watch_sweep(&scene.watch, 101 * HEAD_MS + 1, 0);
    assert_true(is_shut(&scene));
    scene_end(&scene);
}

static void bodies_must_keep_a_rate(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    watch_enter(&scene.watch, scene.connection, WATCH_BODY, 0);
    watch_sweep(&scene.watch, HEAD_MS, 0);
    assert_false(is_shut(&scene));
    watch_bytes(&scene.watch, scene.connection, (size_t)10 * WATCH_BODY_RATE_MIN);
    watch_sweep(&scene.watch, 10 * 1000, 0);
    assert_false(is_shut(&scene));
    watch_sweep(&scene.watch, 11 * 1000, 0);
    assert_true(is_shut(&scene));
    scene_end(&scene);
}

static void connections_beyond_the_places_are_marked(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    assert_false(scene.connection->excess);
    struct watched *second = watch_open(&scene.watch, scene.server, 0);
    assert_true(second->excess);
    watch_close(&scene.watch, scene.connection, 0);
    scene.connection = watch_open(&scene.watch, scene.server, 0);
    assert_true(scene.connection->excess);
    watch_close(&scene.watch, scene.connection, 0);
    watch_close(&scene.watch, second, 0);
    scene.connection = watch_open(&scene.watch, scene.server, 0);
    assert_false(scene.connection->excess);
    scene_end(&scene);
}

static void idle_connections_are_shut_apart(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    watch_enter(&scene.watch, scene.connection, WATCH_BUSY, 0);
    watch_shut_idle(&scene.watch);
    assert_false(is_shut(&scene));
    watch_shut_all(&scene.watch);
    assert_true(is_shut(&scene));
    scene_end(&scene);
}

/* Sends as much as goes without blocking; false once the other end is closed. */
static bool send_some(const struct scene *scene)
{
    static const char bytes[4096];
    return send(scene->client, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 || errno == EAGAIN;
}

static void lingering_swallows_what_comes_and_ends(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    watch_linger(&scene.watch, scene.connection);
    watch_close(&scene.watch, scene.connection, 0);
    scene.connection = NULL;
    close(scene.server); /* as the library does */
    scene.server = -1;
    assert_true(is_shut(&scene)); /* our side has said its last word */
    for (int i = 0; i < 1000; i++) {
        assert_true(send_some(&scene));
        watch_sweep(&scene.watch, 1, 0);
    }
    watch_sweep(&scene.watch, WATCH_LINGER_MS, 0);
    assert_int_equal(scene.watch.lingering_count, 0);
    assert_false(send_some(&scene));
    scene_end(&scene);
}

static void lingering_ends_with_the_client(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    watch_linger(&scene.watch, scene.connection);
    watch_close(&scene.watch, scene.connection, 0);
    scene.connection = NULL;
    assert_int_equal(scene.watch.lingering_count, 1);
    shutdown(scene.client, SHUT_WR);
    watch_sweep(&scene.watch, 1, 0);
    assert_int_equal(scene.watch.lingering_count, 0);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_headers_are_shut),           cmocka_unit_test(our_own_work_takes_as_long_as_it_takes),
        cmocka_unit_test(bodies_must_keep_a_rate),         cmocka_unit_test(connections_beyond_the_places_are_marked),
        cmocka_unit_test(idle_connections_are_shut_apart), cmocka_unit_test(lingering_swallows_what_comes_and_ends),
        cmocka_unit_test(lingering_ends_with_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
