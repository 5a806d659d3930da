/* Any bytes as an outside event, as a gateway's frame and as a worker's frame, on a core that has a chat, a link, a
 * worker and a running job: whatever the core writes down as an event must be one JSON object, and nothing crashes. */
#include "core/core.h"
#include "json_scan.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void fixed_random(void *context, void *out, size_t len)
{
    uint8_t *count = context;
    memset(out, ++*count, len);
}

struct bench {
    struct core *core;
    struct changes *changes;
    struct effects effects;
    struct core_time now;
};

static void must(enum err err)
{
    if (err != ERR_OK)
        abort();
}

static void check_events(const struct changes *changes)
{
    struct json_members members;
    for (size_t i = 0; i < changes_count(changes); i++) {
        const struct change *change = changes_at(changes, i);
        if (change->kind != CHANGE_EVENT_ADD)
            continue;
        enum err err = json_scan_object(change->of.event.body, change->of.event.body_len, &members, NULL);
        if (err != ERR_OK && err != ERR_TOO_LARGE) /* our members may push it over the bound of members */
            abort();
    }
}

static void turn(struct bench *self, const struct input *input)
{
    char chat[ID_CHAT_MAX + 1];
    if (core_wants_chat(self->core, input, chat)) {
        must(core_load_begin(self->core, chat, self->now));
        must(core_load_end(self->core));
    }
    must(core_decide(self->core, input, self->now, self->changes, &self->effects));
    must(core_finish_turn(self->core, self->now, self->changes, &self->effects));
    check_events(self->changes);
    changes_clear(self->changes);
    effects_clear(&self->effects);
}

static void call(struct bench *self, uint8_t id, enum call what, struct bytes body)
{
    struct request_frame frame = {.kind = REQUEST_CALL, .link = 1, .id = {id}, .call = what, .chat = "c", .body = body};
    turn(self, &(struct input){.kind = INPUT_REQUEST, .peer = {1, "g"}, .of.request = {.frame = &frame}});
}

#define TEXT(text) ((struct bytes){text, sizeof(text) - 1})

static void prepare(struct bench *self)
{
    turn(self, &(struct input){.kind = INPUT_LINK_OPEN, .of.link = 1});
    turn(self, &(struct input){.kind = INPUT_TAP, .of.tapped = true});
    call(self, 1, CALL_CREATE_CHAT, TEXT("{}"));
    call(self, 2, CALL_ADD_UPLOAD, TEXT("{\"name\":\"a\",\"key\":\"k\",\"bytes\":1}"));
    call(self, 3, CALL_EXECUTE, TEXT("{\"steps\":[{\"operation\":\"a\"},{\"operation\":\"b\"}]}"));
    struct work_frame hello = {.kind = WORK_HELLO, .worker = "w", .slots = 1, .free_slots = 1};
    turn(self, &(struct input){.kind = INPUT_WORK, .peer = {1, "w"}, .of.work = &hello});
}

static void feed(struct bench *self, struct bytes bytes)
{
    struct input outside = {.kind = INPUT_OUTSIDE, .peer = {1, "p"}};
    outside.of.outside.chat = TEXT("c");
    outside.of.outside.json = bytes;
    turn(self, &outside);
    struct request_frame request;
    if (request_frame_read(&request, bytes.at, bytes.len) == ERR_OK)
        turn(self, &(struct input){.kind = INPUT_REQUEST, .peer = {1, "g"}, .of.request = {.frame = &request}});
    static struct work_frame work;
    if (work_frame_read(&work, bytes.at, bytes.len) == ERR_OK)
        turn(self, &(struct input){.kind = INPUT_WORK, .peer = {1, "w"}, .of.work = &work});
    call(self, 9, CALL_EXECUTE, bytes);
    static const uint8_t numbers[] = {0, 1, 1, 2, 3, 3}; /* progress carries the number before it */
    for (uint8_t what = WORK_STEP_STARTED; what <= WORK_RUN_DONE; what++) {
        struct work_frame event = {.kind = WORK_EVENT,
                                   .token = {1, 1},
                                   .number = numbers[what],
                                   .what = (enum work_what)what,
                                   .event = what % 2 ? bytes : TEXT("{}"),
                                   .body = bytes};
        turn(self, &(struct input){.kind = INPUT_WORK, .peer = {1, "w"}, .of.work = &event});
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct core_settings settings = {.beat_ms = 1000,
                                     .lease_ms = 10000,
                                     .run_timeout_ms = 100000,
                                     .attempts_max = 3,
                                     .queue_jobs_max = 10,
                                     .chat_events_kept = 4,
                                     .rooms_max = 4,
                                     .link_window = 4,
                                     .link_batch_bytes = 60 << 10,
                                     .event_bytes_max = 4096,
                                     .max_steps = 5,
                                     .remembered_max = 16,
                                     .workflows_path = "w",
                                     .api_prefix = "/api/v1"};
    uint8_t count = 0;
    struct random_source random = {fixed_random, &count};
    struct bench bench = {.now = {1000, 1000000}};
    must(changes_new(&bench.changes));
    must(core_new(&bench.core, &settings, &random, (struct token){1, 0}, 0));
    prepare(&bench);
    feed(&bench, (struct bytes){(const char *)bytes, len});
    core_destroy(&bench.core);
    changes_destroy(&bench.changes);
    effects_fini(&bench.effects);
    return 0;
}
