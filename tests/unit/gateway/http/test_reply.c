#include "http/reply.h"

#include "settings.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void envelope_has_the_contracts_shape(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(10000);
    struct envelope envelope = {.data = "{\"a\":1}",
                                .data_len = 7,
                                .message = "It's \"done\"",
                                .message_len = 11,
                                .api_version = "v0.0.1",
                                .locale = "en_US",
                                .request_id = "0123456789abcdef0123456789abcdef",
                                .wall_us = 1795369162721654,
                                .status_code = 200};
    assert_int_equal(reply_envelope(&envelope, &out), ERR_OK);
    assert_string_equal(buf_text(&out),
                        "{\"data\":{\"a\":1},\"message\":\"It's \\\"done\\\"\",\"meta\":{\"api_version\":\"v0.0.1\","
                        "\"locale\":\"en_US\",\"request_id\":\"0123456789abcdef0123456789abcdef\","
                        "\"requested_time\":\"2026-11-22T17:39:22.721654+00:00\"},\"status_code\":200,\"total\":0}\n");
    buf_clear(&out);
    envelope.data_len = 0;
    envelope.status_code = 404;
    assert_int_equal(reply_envelope(&envelope, &out), ERR_OK);
    assert_memory_equal(out.data, "{\"data\":null,", 13);
    buf_fini(&out);
}

static void errors_carry_their_status_twice(void **state)
{
    (void)state;
    struct settings settings = {.app = {.version = "v0.0.1"}, .api = {.locale = "en_US"}};
    struct request *request = request_new("/x");
    request->settings = &settings;
    struct fault why;
    fault_set(&why, ERR_UNAVAILABLE, "away \"now\"");
    reply_fault(request, &why);
    assert_true(request->answer.ready);
    assert_int_equal(request->answer.status, 503);
    assert_string_equal(request->answer.field[1].name, "Retry-After");
    json_t *body = json_loadb(request->answer.body.data, request->answer.body.len, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(body, "status_code")), 503);
    assert_string_equal(json_string_value(json_object_get(body, "message")), "away \"now\"");
    assert_string_equal(json_string_value(json_object_get(json_object_get(body, "data"), "error_type")), "Error");
    json_decref(body);
    request_destroy(&request);
}

static void every_error_has_a_status(void **state)
{
    (void)state;
    assert_int_equal(reply_status(ERR_OK), 200);
    for (int code = ERR_TIMEOUT; code <= ERR_INTERNAL; code++)
        assert_in_range(reply_status((enum err)code), 400, 599);
}

static void fields_are_bounded(void **state)
{
    (void)state;
    struct request *request = request_new("/x");
    for (int i = 0; i < ANSWER_FIELDS_MAX + 3; i++)
        reply_field(request, "X", "%d", i);
    assert_int_equal(request->answer.field_count, ANSWER_FIELDS_MAX);
    request_destroy(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelope_has_the_contracts_shape),
        cmocka_unit_test(errors_carry_their_status_twice),
        cmocka_unit_test(every_error_has_a_status),
        cmocka_unit_test(fields_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
