#include "http/held.h"

#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int suspended, resumed;

static void count_suspend(struct request *request)
{
    (void)request;
    suspended++;
}

static void count_resume(struct request *request)
{
    (void)request;
    resumed++;
}

static void step(struct request *request)
{
    (void)request;
}

struct scene {
    struct held held;
    struct request *request;
    int client;
};

static void scene_begin(struct scene *self, unsigned ends, int64_t deadline_ms)
{
    int pair[2];
    suspended = resumed = 0;
    held_init(&self->held, count_suspend, count_resume);
    self->request = request_new("/x");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    self->request->held = &self->held;
    self->request->fd = pair[0];
    self->client = pair[1];
    request_wait(self->request, ends, deadline_ms, step);
}

static void scene_end(struct scene *self, enum wake why)
{
    assert_int_equal(suspended, resumed);
    assert_true(held_empty(&self->held));
    held_leave(&self->held, self->request);
    assert_int_equal(self->request->wake, why);
    close(self->request->fd);
    if (self->client >= 0)
        close(self->client);
    request_destroy(&self->request);
    held_fini(&self->held);
}

static void a_wake_that_comes_first_is_not_lost(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, 0, 0);
    request_wake(scene.request);
    assert_false(held_enter(&scene.held, scene.request));
    assert_int_equal(suspended, 0);
    scene_end(&scene, WAKE_READY);
}

static void a_wake_resumes_once(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, WAIT_ENDS_GONE, 0);
    assert_true(held_enter(&scene.held, scene.request));
    held_sweep(&scene.held, 1000000);
    assert_false(held_empty(&scene.held));
    request_wake(scene.request);
    held_wake(&scene.held, scene.request, WAKE_GONE);
    scene_end(&scene, WAKE_READY);
}

static void deadlines_end_waits(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, WAIT_ENDS_GONE, 500);
    assert_true(held_enter(&scene.held, scene.request));
    held_sweep(&scene.held, 499);
    assert_int_equal(resumed, 0);
    held_sweep(&scene.held, 500);
    scene_end(&scene, WAKE_DEADLINE);
}

static void a_client_that_hangs_up_is_seen(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, WAIT_ENDS_GONE, 0);
    assert_true(held_enter(&scene.held, scene.request));
    close(scene.client);
    scene.client = -1;
    held_sweep(&scene.held, 0);
    scene_end(&scene, WAKE_GONE);
}

static void some_waits_only_their_owner_ends(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, 0, 0);
    assert_true(held_enter(&scene.held, scene.request));
    close(scene.client);
    scene.client = -1;
    held_sweep(&scene.held, 1000000);
    held_drain(&scene.held);
    held_give_up(&scene.held);
    assert_int_equal(resumed, 0);
    request_wake(scene.request);
    scene_end(&scene, WAKE_READY);
}

static void a_drain_ends_what_it_may_and_giving_up_the_rest(void **state)
{
    (void)state;
    struct scene run;
    scene_begin(&run, WAIT_ENDS_GONE | WAIT_ENDS_DRAINING, 0);
    assert_true(held_enter(&run.held, run.request));
    held_drain(&run.held);
    scene_end(&run, WAKE_DRAIN);
    struct scene question;
    scene_begin(&question, WAIT_ENDS_GONE, 0);
    assert_true(held_enter(&question.held, question.request));
    held_drain(&question.held);
    assert_int_equal(resumed, 0);
    held_give_up(&question.held);
    scene_end(&question, WAKE_DEADLINE);
}

static void waits_that_begin_after_the_end_do_not_begin(void **state)
{
    (void)state;
    struct scene run;
    scene_begin(&run, WAIT_ENDS_GONE | WAIT_ENDS_DRAINING, 0);
    held_drain(&run.held);
    assert_false(held_enter(&run.held, run.request));
    scene_end(&run, WAKE_DRAIN);
    struct scene question;
    scene_begin(&question, WAIT_ENDS_GONE, 0);
    held_give_up(&question.held);
    assert_false(held_enter(&question.held, question.request));
    scene_end(&question, WAKE_DEADLINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wake_that_comes_first_is_not_lost),
        cmocka_unit_test(a_wake_resumes_once),
        cmocka_unit_test(deadlines_end_waits),
        cmocka_unit_test(a_client_that_hangs_up_is_seen),
        cmocka_unit_test(some_waits_only_their_owner_ends),
        cmocka_unit_test(a_drain_ends_what_it_may_and_giving_up_the_rest),
        cmocka_unit_test(waits_that_begin_after_the_end_do_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
