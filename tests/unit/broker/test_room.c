/* The end of rooms. */
#include "scene.h"

static void say_old(struct scene *scene, const char *chat, uint64_t head)
{
    scene_turn(scene, &(struct input){.kind = INPUT_ROOM_OLD, .of.room = {.chat = chat, .head = head}});
}

static void a_quiet_room_goes_and_its_place_is_free(void **state)
{
    struct scene *scene = *state;
    const char *const rooms[] = {"r1", "r2", "r3", "r4"};
    for (size_t i = 0; i < 4; i++)
        scene_publish(scene, rooms[i], "{\"type\":\"note\"}");
    scene_clear(scene);
    say_old(scene, "r1", 1);
    EXPECT_WRITTEN(scene, "delete r1");
    assert_int_equal(core_count(scene->core).rooms, 3);
    scene_publish(scene, "r5", "{\"type\":\"note\"}");
    EXPECT_SAID(scene, "published {\"ok\":true,\"seq\":1}");
}

static void its_next_event_begins_another_history(void **state)
{
    struct scene *scene = *state;
    char epoch[2][64];
    for (int i = 0; i < 2; i++) {
        scene_publish(scene, "r", "{\"type\":\"note\"}");
        scene_publish(scene, "r", "{\"type\":\"note\"}");
        const char *at = strstr(scene->events[scene->event_count - 1].body, "\"epoch\":\"");
        assert_non_null(at);
        snprintf(epoch[i], sizeof epoch[i], "%.32s", at + 9);
        assert_int_equal(scene->events[scene->event_count - 1].seq, 2);
        say_old(scene, "r", 2);
    }
    assert_string_not_equal(epoch[0], epoch[1]);
}

static void a_room_somebody_needs_stays(void **state)
{
    struct scene *scene = *state;
    scene_publish(scene, "r", "{\"type\":\"note\"}");
    scene_attach(scene, 1, "r", -1, NULL);
    scene_clear(scene);
    say_old(scene, "r", 1);
    assert_string_equal(buf_text(&scene->written), "");
    scene_request(scene, &(struct request_frame){.kind = REQUEST_DETACH, .link = SCENE_LINK, .attach = 1});
    say_old(scene, "r", 1);
    EXPECT_WRITTEN(scene, "delete r");
}

static void a_room_that_has_changed_meanwhile_stays(void **state)
{
    struct scene *scene = *state;
    scene_publish(scene, "r", "{\"type\":\"note\"}");
    scene_publish(scene, "r", "{\"type\":\"note\"}");
    scene_clear(scene);
    say_old(scene, "r", 1);
    scene_call(scene, CALL_CREATE_CHAT, 1, "r", "{}"); /* a conversation now */
    scene_clear(scene);
    say_old(scene, "r", 2);
    say_old(scene, "nobody", 0);
    assert_string_equal(buf_text(&scene->written), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENARIO(a_quiet_room_goes_and_its_place_is_free),
        SCENARIO(its_next_event_begins_another_history),
        SCENARIO(a_room_somebody_needs_stays),
        SCENARIO(a_room_that_has_changed_meanwhile_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
