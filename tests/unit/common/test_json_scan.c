#include "json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum err scan(const char *text, struct json_members *out, struct fault *why)
{
    /* A copy of the exact size, so that the sanitizer sees a read past the end. */
    size_t len = strlen(text);
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    char *exact = realloc(copy, len ? len : 1);
    enum err err = json_scan_object(exact, len, out, why);
    free(exact);
    return err;
}

static void accepted_texts(void **state)
{
    (void)state;
    const char *const texts[] = {
        "{}",
        " \t\r\n{ } \n",
        "{\"a\":1}",
        "{\"a\":-0,\"b\":0.5e-3,\"c\":1E+2,\"d\":[],\"e\":[1,[2,{}]],\"f\":true,\"g\":false,\"h\":null}",
        "{\"a\":9223372036854775807,\"b\":-9223372036854775808}",
        "{\"a\":1.7976931348623157e308,\"b\":-1e308,\"c\":0e999,\"d\":1e-999999999999,\"e\":0.00001e312}",
        "{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uD83D\\uDE00\":\"\xF0\x9F\x98\x80\x7f\"}",
        "{\"a\":1,\"a\":2}",
        "{\"\":\"\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_members members;
        struct fault why;
        if (scan(texts[i], &members, &why) != ERR_OK)
            fail_msg("%s: %s", texts[i], why.text);
    }
}

static void refused_texts_name_line_and_column(void **state)
{
    (void)state;
    const struct {
        const char *text, *why;
    } cases[] = {
        {"", "line 1, column 1: an object expected"},
        {"[]", "line 1, column 1: an object expected"},
        {"\"x\"", "line 1, column 1: an object expected"},
        {"{", "line 1, column 2: a member name expected"},
        {"{}x", "line 1, column 3: something follows the object"},
        {"{\n \"a\" 1}", "line 2, column 6: ':' expected"},
        {"{\"a\":1,}", "line 1, column 8: a member name expected"},
        {"{\"a\":1 \"b\":2}", "line 1, column 8: ',' or '}' expected"},
        {"{\"a\":[1,]}", "line 1, column 9: not a number"},
        {"{\"a\":[1 2]}", "line 1, column 9: ',' or ']' expected"},
        {"{\"a\":01}", "line 1, column 7: a number starts with 0"},
        {"{\"a\":-}", "line 1, column 7: not a number"},
        {"{\"a\":1.}", "line 1, column 8: not a number"},
        {"{\"a\":1e}", "line 1, column 8: not a number"},
        {"{\"a\":9223372036854775808}", "line 1, column 25: a number is out of range"},
        {"{\"a\":-9223372036854775809}", "line 1, column 26: a number is out of range"},
        {"{\"a\":1e309}", "line 1, column 11: a number is out of range"},
        {"{\"a\":1e99999999999999999999}", "line 1, column 28: a number is out of range"},
        {"{\"a\":1.7976931348623159e308}", "line 1, column 28: a number is out of range"},
        {"{\"a\":nul}", "line 1, column 6: not a JSON value"},
        {"{\"a\":\"b", "line 1, column 8: a string does not end"},
        {"{\"a\":\"b\\", "line 1, column 9: unknown escape in a string"},
        {"{\"a\":\"\\x\"}", "line 1, column 8: unknown escape in a string"},
        {"{\"a\":\"\\u12G4\"}", "line 1, column 11: \\u needs four hexadecimal digits"},
        {"{\"a\":\"\\u0000\"}", "line 1, column 13: \\u0000 is not allowed"},
        {"{\"a\":\"\\uD800\"}", "line 1, column 13: half of a surrogate pair"},
        {"{\"a\":\"\\uDC00\"}", "line 1, column 13: half of a surrogate pair"},
        {"{\"a\":\"\\uD800\\u0041\"}", "line 1, column 19: half of a surrogate pair"},
        {"{\"a\":\"\n\"}", "line 1, column 7: control character in a string"},
        {"{\"a\":\"\xC0\x80\"}", "line 1, column 7: not UTF-8"},
        {"\xEF\xBB\xBF{}", "line 1, column 1: an object expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_members members;
        struct fault why = {.text = ""};
        assert_int_equal(scan(cases[i].text, &members, &why), ERR_INVALID);
        assert_string_equal(why.text, cases[i].why);
    }
}

static void nested(char *out, size_t depth)
{
    size_t at = (size_t)sprintf(out, "{\"a\":");
    memset(out + at, '[', depth - 1);
    memset(out + at + depth - 1, ']', depth - 1);
    strcpy(out + at + 2 * (depth - 1), "}");
}

static void depth_and_member_limits_are_exact(void **state)
{
    (void)state;
    struct json_members members;
    struct fault why;
    char text[2000];
    nested(text, JSON_SCAN_DEPTH_MAX);
    assert_int_equal(scan(text, &members, &why), ERR_OK);
    nested(text, JSON_SCAN_DEPTH_MAX + 1);
    assert_int_equal(scan(text, &members, &why), ERR_TOO_LARGE);
    size_t at = (size_t)sprintf(text, "{");
    for (int i = 0; i < JSON_SCAN_MEMBERS_MAX; i++)
        at += (size_t)sprintf(text + at, "%s\"m%d\":%d", i ? "," : "", i, i);
    strcpy(text + at, "}");
    assert_int_equal(scan(text, &members, &why), ERR_OK);
    assert_int_equal(members.count, JSON_SCAN_MEMBERS_MAX);
    strcpy(text + at, ",\"more\":0}");
    assert_int_equal(scan(text, &members, &why), ERR_TOO_LARGE);
}

static void members_are_spans_of_the_text(void **state)
{
    (void)state;
    const char *text =
        "{ \"type\" : \"x\" , \"list\":[1, {\"type\":2}] ,\"type\":\"last\",\"n\":-42,\"t\":true,\"z\":null}";
    struct json_members members;
    assert_int_equal(json_scan_object(text, strlen(text), &members, NULL), ERR_OK);
    assert_int_equal(members.count, 6);
    const struct json_member *list = json_members_find(&members, "list");
    assert_non_null(list);
    assert_int_equal(list->kind, JSON_KIND_ARRAY);
    assert_int_equal(list->value.len, strlen("[1, {\"type\":2}]"));
    assert_memory_equal(list->value.at, "[1, {\"type\":2}]", list->value.len);
    char type[8];
    assert_true(json_member_plain_text(json_members_find(&members, "type"), type, sizeof type));
    assert_string_equal(type, "last");
    int64_t n;
    assert_true(json_member_int(json_members_find(&members, "n"), &n));
    assert_int_equal(n, -42);
    assert_int_equal(json_members_find(&members, "t")->kind, JSON_KIND_TRUTH);
    assert_int_equal(json_members_find(&members, "z")->kind, JSON_KIND_NULL);
    assert_null(json_members_find(&members, "absent"));
}

static void plain_text_and_integers_are_strict(void **state)
{
    (void)state;
    const char *text = "{\"escaped\":\"a\\n\",\"long\":\"abcd\",\"fraction\":1.0,\"power\":1e2,\"text\":\"5\"}";
    struct json_members members;
    char out[4];
    int64_t n;
    assert_int_equal(json_scan_object(text, strlen(text), &members, NULL), ERR_OK);
    assert_false(json_member_plain_text(NULL, out, sizeof out));
    assert_false(json_member_plain_text(json_members_find(&members, "escaped"), out, sizeof out));
    assert_false(json_member_plain_text(json_members_find(&members, "long"), out, sizeof out));
    assert_false(json_member_plain_text(json_members_find(&members, "fraction"), out, sizeof out));
    assert_false(json_member_int(NULL, &n));
    assert_false(json_member_int(json_members_find(&members, "fraction"), &n));
    assert_false(json_member_int(json_members_find(&members, "power"), &n));
    assert_false(json_member_int(json_members_find(&members, "text"), &n));
}

static void without_a_list_members_are_not_limited(void **state)
{
    (void)state;
    char text[4000];
    size_t at = (size_t)sprintf(text, "{");
    for (int i = 0; i < 4 * JSON_SCAN_MEMBERS_MAX; i++)
        at += (size_t)sprintf(text + at, "%s\"m%d\":%d", i ? "," : "", i, i);
    strcpy(text + at, "}");
    assert_int_equal(scan(text, NULL, NULL), ERR_OK);
    strcpy(text + at, "");
    assert_int_equal(scan(text, NULL, NULL), ERR_INVALID);
    nested(text, JSON_SCAN_DEPTH_MAX + 1);
    assert_int_equal(scan(text, NULL, NULL), ERR_TOO_LARGE);
}

/* Strings of every length around the eight bytes that are looked at together, and one odd byte at every place. */
static void a_byte_that_is_not_plain_is_found_wherever_it_stands(void **state)
{
    (void)state;
    for (int len = 1; len < 40; len++)
        for (int odd = 0; odd < len; odd++)
            for (int c = 1; c < 256; c++) {
                char text[100];
                int start = sprintf(text, "{\"a\":\"%0*d\"}", len, 0) - len - 2;
                text[start + odd] = (char)c;
                bool refused = c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
                assert_int_equal(scan(text, NULL, NULL), refused ? ERR_INVALID : ERR_OK);
            }
}

static struct json_span span_of(const char *text)
{
    assert_int_equal(json_scan_object(text, strlen(text), NULL, NULL), ERR_OK);
    return (struct json_span){text, strlen(text)};
}

static void expect_next(struct json_walk *walk, const char *key, const char *value, enum json_kind kind)
{
    struct json_member member;
    assert_true(json_walk_next(walk, &member));
    assert_int_equal(member.key.len, strlen(key));
    assert_memory_equal(member.key.at, key, member.key.len);
    assert_int_equal(member.value.len, strlen(value));
    assert_memory_equal(member.value.at, value, member.value.len);
    assert_int_equal(member.kind, kind);
}

static void members_and_elements_are_walked(void **state)
{
    (void)state;
    struct json_member member;
    struct json_walk walk =
        json_walk_begin(span_of(" { \"a\\\"\" : [ 1 ,\"]\\\\\", {\"b\":[]}] , \"\":-1e5\n,\"t\":true,"
                                "\"f\":false,\"n\":null,\"s\":\"\",\"o\":{ } } "));
    expect_next(&walk, "a\\\"", "[ 1 ,\"]\\\\\", {\"b\":[]}]", JSON_KIND_ARRAY);
    expect_next(&walk, "", "-1e5", JSON_KIND_NUMBER);
    expect_next(&walk, "t", "true", JSON_KIND_TRUTH);
    expect_next(&walk, "f", "false", JSON_KIND_TRUTH);
    expect_next(&walk, "n", "null", JSON_KIND_NULL);
    expect_next(&walk, "s", "\"\"", JSON_KIND_STRING);
    expect_next(&walk, "o", "{ }", JSON_KIND_OBJECT);
    assert_false(json_walk_next(&walk, &member));
    assert_false(json_walk_next(&walk, &member));
    walk = json_walk_begin(span_of("{\"a\":[ 1 ,\"]\\\\\", {\"b\":[]} ]}"));
    assert_true(json_walk_next(&walk, &member));
    struct json_walk inner = json_walk_begin(member.value);
    expect_next(&inner, "", "1", JSON_KIND_NUMBER);
    expect_next(&inner, "", "\"]\\\\\"", JSON_KIND_STRING);
    expect_next(&inner, "", "{\"b\":[]}", JSON_KIND_OBJECT);
    assert_false(json_walk_next(&inner, &member));
    walk = json_walk_begin(span_of("{ }"));
    assert_false(json_walk_next(&walk, &member));
}

static void keys_are_compared_without_their_escapes(void **state)
{
    (void)state;
    const struct {
        const char *json, *name;
        bool equal;
    } cases[] = {
        {"{\"wait\":0}", "wait", true},
        {"{\"waits\":0}", "wait", false},
        {"{\"wai\":0}", "wait", false},
        {"{\"Wait\":0}", "wait", false},
        {"{\"w\\u0061it\":0}", "wait", true},
        {"{\"\\u0077\\u0061\\u0069\\u0074\":0}", "wait", true},
        {"{\"w\\u0061i\":0}", "wait", false},
        {"{\"w\\u0061its\":0}", "wait", false},
        {"{\"w\\u0062it\":0}", "wait", false},
        {"{\"a\\/b\":0}", "a/b", true},
        {"{\"\":0}", "", true},
        {"{\"\\u00e4\":0}", "\xC3\xA4", true},
        {"{\"\\ud83D\\uDe00\":0}", "\xF0\x9F\x98\x80", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_walk walk = json_walk_begin(span_of(cases[i].json));
        struct json_member member;
        assert_true(json_walk_next(&walk, &member));
        assert_int_equal(json_key_is(&member.key, cases[i].name), cases[i].equal);
    }
}

static void texts_have_their_escapes_resolved(void **state)
{
    (void)state;
    struct json_walk walk =
        json_walk_begin(span_of("{\"a\":\"x\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20AC\\ud83d\\ude00\\u007fz\"}"));
    struct json_member member;
    assert_true(json_walk_next(&walk, &member));
    const char *whole = "x\"\\/\b\f\n\r\t\xE2\x82\xAC\xF0\x9F\x98\x80\x7fz";
    char out[32];
    assert_int_equal(json_member_text(&member, out, sizeof out), strlen(whole));
    assert_string_equal(out, whole);
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        memset(out, '#', sizeof out);
        assert_int_equal(json_member_text(&member, out, size), strlen(whole));
        assert_int_equal(strlen(out), size - 1);
        assert_memory_equal(out, whole, size - 1);
        assert_int_equal(out[size], '#');
    }
}

static void a_compact_value_has_no_blanks_between_its_tokens(void **state)
{
    (void)state;
    const char *text = " { \"a b\" :\t[ 1 ,\r\n-2.50e+3 , \" \\\" \" ],\"c\\u0061\":{ } } ";
    const char *compact = "{\"a b\":[1,-2.50e+3,\" \\\" \"],\"c\\u0061\":{}}";
    char out[100];
    assert_int_equal(json_compact(span_of(text), out), strlen(compact));
    assert_memory_equal(out, compact, strlen(compact));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_texts),
        cmocka_unit_test(refused_texts_name_line_and_column),
        cmocka_unit_test(depth_and_member_limits_are_exact),
        cmocka_unit_test(members_are_spans_of_the_text),
        cmocka_unit_test(plain_text_and_integers_are_strict),
        cmocka_unit_test(without_a_list_members_are_not_limited),
        cmocka_unit_test(a_byte_that_is_not_plain_is_found_wherever_it_stands),
        cmocka_unit_test(members_and_elements_are_walked),
        cmocka_unit_test(keys_are_compared_without_their_escapes),
        cmocka_unit_test(texts_have_their_escapes_resolved),
        cmocka_unit_test(a_compact_value_has_no_blanks_between_its_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
