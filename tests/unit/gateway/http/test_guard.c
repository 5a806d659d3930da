#include "http/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FIELDS_MAX 8

/* A head as the library would hand it over: lines "Name: value" joined by LF. The parsed fields lie in one piece of
 * memory, as the library's do. */
struct head {
    char memory[512];
    struct fields fields;
    struct field field[FIELDS_MAX];
    struct guard_request request;
};

static void parse(struct head *self, const char *method, const char *uri, const char *version, const char *lines)
{
    memset(self, 0, sizeof *self);
    size_t bytes = strlen(method) + strlen(uri) + strlen(version) + 4 + 2;
    strcpy(self->memory, lines);
    self->fields.at = self->field;
    char *rest = self->memory;
    for (char *line; rest && *rest && (line = strsep(&rest, "\n"));) {
        bytes += strlen(line) + 2;
        char *value = strchr(line, ':');
        *value++ = '\0';
        value += strspn(value, " \t");
        self->field[self->fields.count++] = (struct field){line, strlen(line), value, strlen(value)};
    }
    self->request = (struct guard_request){method, uri, version, &self->fields, bytes, 16384};
}

static int check(const char *method, const char *uri, const char *version, const char *lines, struct guard_framing *out)
{
    struct head head;
    const char *reason = NULL;
    parse(&head, method, uri, version, lines);
    int status = guard_check(&head.request, out, &reason);
    assert_true((status == 0) == (reason == NULL));
    return status;
}

static int post(const char *lines, struct guard_framing *out)
{
    return check("POST", "/x", "HTTP/1.1", lines, out);
}

static void ordinary_requests_pass(void **state)
{
    (void)state;
    struct guard_framing framing;
    assert_int_equal(post("Host: a:80", &framing), 0);
    assert_false(framing.has_body);
    assert_int_equal(post("Host: a\nContent-Length: 12", &framing), 0);
    assert_true(framing.has_body);
    assert_int_equal(framing.content_length, 12);
    assert_int_equal(post("Host: a\nTransfer-Encoding: Chunked\nExpect: 100-Continue", &framing), 0);
    assert_true(framing.has_body && framing.chunked && framing.expects_continue);
    assert_int_equal(check("GET", "/x", "HTTP/1.0", "X-Empty:\nX-Two:  b ", &framing), 0);
    assert_int_equal(check("OPTIONS", "*", "HTTP/1.1", "Host: a", &framing), 0);
    assert_int_equal(check("GET", "http://b/x", "HTTP/1.1", "Host: a", &framing), 0);
    assert_int_equal(post("Host: [::1]:80\nContent-Length: 0", &framing), 0);
    assert_false(framing.has_body);
}

static void ambiguous_framing_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        int status;
    } cases[] = {
        {"Host: a\nContent-Length: 5\nContent-Length: 5", 400},
        {"Host: a\nContent-Length: 5\nTransfer-Encoding: chunked", 400},
        {"Host: a\nTransfer-Encoding: chunked\ntransfer-encoding: chunked", 400},
        {"Host: a\nTransfer-Encoding: gzip", 400},
        {"Host: a\nTransfer-Encoding: chunked ", 400},
        {"Host: a\nContent-Length: -5", 400},
        {"Host: a\nContent-Length: +5", 400},
        {"Host: a\nContent-Length: 5 ", 400},
        {"Host: a\nContent-Length:", 400},
        {"Host: a\nContent-Length: 1234567890123456789", 413},
        {"Host: a\nContent-Length5: 1", 400},
        {"Host: a\nHostile: 1", 400},
        {"Host: a\nExpect: tea", 417},
        {"Host: a\nHost: b", 400},
        {"Host: a/b", 400},
        {"X: a", 400},
    };
    struct guard_framing framing;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(post(cases[i].lines, &framing), cases[i].status);
    assert_int_equal(check("POST", "/x", "HTTP/1.0", "Transfer-Encoding: chunked", &framing), 400);
}

static void request_lines_are_checked(void **state)
{
    (void)state;
    struct guard_framing framing;
    assert_int_equal(check("G(T", "/x", "HTTP/1.1", "Host: a", &framing), 400);
    assert_int_equal(check("", "/x", "HTTP/1.1", "Host: a", &framing), 400);
    assert_int_equal(check("GET", "x", "HTTP/1.1", "Host: a", &framing), 400);
    assert_int_equal(check("GET", "*", "HTTP/1.1", "Host: a", &framing), 400);
    assert_int_equal(check("GET", "/a b", "HTTP/1.1", "Host: a", &framing), 400);
    assert_int_equal(check("GET", "/a\x7f", "HTTP/1.1", "Host: a", &framing), 400);
    assert_int_equal(check("GET", "/x", "HTTP/1.2", "Host: a", &framing), 400);
}

static void field_characters_are_checked(void **state)
{
    (void)state;
    struct guard_framing framing;
    assert_int_equal(post("Host: a\nX A: 1", &framing), 400);
    assert_int_equal(post("Host: a\n: 1", &framing), 400);
    assert_int_equal(post("Host: a\nX: a\rb", &framing), 400);
    assert_int_equal(post("Host: a\nX: a\x01", &framing), 400);
    assert_int_equal(post("Host: a\nX: a\tb\xff", &framing), 0);
}

static void lost_bytes_are_noticed(void **state)
{
    (void)state;
    struct head head;
    struct guard_framing framing;
    const char *reason;
    parse(&head, "GET", "/x", "HTTP/1.1", "Host: a\nX: 1");
    head.request.head_bytes++; /* as if a NUL had cut a value */
    assert_int_equal(guard_check(&head.request, &framing, &reason), 400);
    head.request.head_bytes -= 2; /* as if a line had ended in a bare LF */
    assert_int_equal(guard_check(&head.request, &framing, &reason), 400);
    head.request.head_bytes++;
    assert_int_equal(guard_check(&head.request, &framing, &reason), 0);
    head.request.head_bytes_max = head.request.head_bytes - 1;
    assert_int_equal(guard_check(&head.request, &framing, &reason), 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_requests_pass),    cmocka_unit_test(ambiguous_framing_is_refused),
        cmocka_unit_test(request_lines_are_checked), cmocka_unit_test(field_characters_are_checked),
        cmocka_unit_test(lost_bytes_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
