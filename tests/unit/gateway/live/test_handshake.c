#include "live/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct handshake_request good(const char *path)
{
    return (struct handshake_request){.is_get = true,
                                      .is_http_1_1 = true,
                                      .path = path,
                                      .host = "localhost:5051",
                                      .upgrade = "websocket",
                                      .connection = "keep-alive, Upgrade",
                                      .version = "13",
                                      .key = "dGhlIHNhbXBsZSBub25jZQ==",
                                      .since = "",
                                      .epoch = ""};
}

static struct handshake check(const struct handshake_request *request)
{
    struct handshake out;
    handshake_check(&out, request);
    return out;
}

static void paths_name_a_chat_or_none(void **state)
{
    (void)state;
    const struct {
        const char *path;
        int status;
        const char *chat;
    } cases[] = {
        {"/", 101, ""},
        {"/chat", 101, ""},
        {"/chat/my-conversation-123", 101, "my-conversation-123"},
        {"/chat/a.b_c~d:e-9", 101, "a.b_c~d:e-9"},
        {"/chat/", 400, ""},
        {"/chat/a b", 400, ""},
        {"/chat/a/b", 400, ""},
        {"/chat/\xC3\xA4", 400, ""},
        {"/chats/a", 404, ""},
        {"/other", 404, ""},
        {"", 404, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct handshake_request request = good(cases[i].path);
        struct handshake out = check(&request);
        assert_int_equal(out.status, cases[i].status);
        assert_string_equal(out.chat, cases[i].chat);
    }
}

static void the_query_says_where_to_resume(void **state)
{
    (void)state;
    struct handshake_request request = good("/chat/c");
    request.since = "12";
    request.epoch = "abc";
    struct handshake out = check(&request);
    assert_int_equal(out.status, 101);
    assert_true(out.has_since && out.since == 12);
    assert_string_equal(out.epoch, "abc");
    request.since = "x";
    assert_int_equal(check(&request).status, 400);
    request.since = "1";
    request.epoch = "a b";
    assert_int_equal(check(&request).status, 400);
}

static void check_refused(const struct handshake_request *request, int status, const char *part)
{
    struct handshake out = check(request);
    char answer[2000], line[40];
    assert_int_equal(out.status, status);
    assert_non_null(strstr(out.why.text, part));
    size_t len = handshake_refusal(&out, answer, sizeof answer);
    assert_int_equal(len, strlen(answer));
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    assert_memory_equal(answer, line, strlen(line));
    assert_non_null(strstr(answer, "close\r\n"));
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    snprintf(line, sizeof line, "Content-Length: %zu\r\n", strlen(body));
    assert_non_null(strstr(answer, line));
}

static void what_is_no_handshake_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct handshake_request request = good("/");
    request.is_get = false;
    check_refused(&request, 405, "GET");
    request = good("/");
    request.is_http_1_1 = false;
    check_refused(&request, 400, "HTTP/1.1");
    request = good("/");
    request.host = "";
    check_refused(&request, 400, "Host");
    request = good("/");
    request.has_body = true;
    check_refused(&request, 400, "body");
    request = good("/");
    request.upgrade = "";
    check_refused(&request, 426, "reachable");
    request = good("/");
    request.connection = "keep-alive";
    check_refused(&request, 426, "reachable");
    request = good("/");
    request.has_protocol = true;
    check_refused(&request, 400, "subprotocol");
    request = good("/");
    request.version = "8";
    check_refused(&request, 426, "13");
    request = good("/");
    request.version = "";
    check_refused(&request, 426, "13");
}

static void a_key_is_16_bytes_in_base64(void **state)
{
    (void)state;
    const char *const wrong[] = {
        "",
        "test",
        "dGhlIHNhbXBsZSBub25jZQ",    /* no padding */
        "dGhlIHNhbXBsZSBub25jZQ=A",  /* 17 bytes */
        "dGhlIHNhbXBsZSBub25jZR==",  /* bits beyond 16 bytes */
        "dGhlIHNhbXBs ZSBub25jZ==",  /* a blank */
        "dGhlIHNhbXBsZSBub25jZQ===", /* longer */
    };
    struct handshake_request request = good("/");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        request.key = wrong[i];
        check_refused(&request, 400, "not 16 bytes");
        check_refused(&request, 400, "reachable");
    }
    request.key = "AAAAAAAAAAAAAAAAAAAAAA==";
    assert_int_equal(check(&request).status, 101);
    request.key = "/+/+/+/+/+/+/+/+/+/+/w==";
    assert_int_equal(check(&request).status, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_name_a_chat_or_none),
        cmocka_unit_test(the_query_says_where_to_resume),
        cmocka_unit_test(what_is_no_handshake_is_refused_with_the_reason),
        cmocka_unit_test(a_key_is_16_bytes_in_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
