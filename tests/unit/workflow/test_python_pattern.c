/* The expected texts are what Python 3.11's re.sub() makes. */
#include "operations/normalize/python_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum err replace(const char *pattern, const char *replacement, const char *text, struct buf *to,
                        struct fault *why)
{
    struct python_pattern *self;
    why->text[0] = '\0';
    enum err err = python_pattern_new(&self, pattern, strlen(pattern), replacement, strlen(replacement), why);
    if (err != ERR_OK)
        return err;
    err = python_pattern_replace(self, text, strlen(text), to, why);
    python_pattern_destroy(&self);
    return err;
}

static void check(const char *pattern, const char *replacement, const char *text, const char *expected)
{
    struct buf got = BUF_INIT(1 << 20);
    struct fault why;
    if (replace(pattern, replacement, text, &got, &why) != ERR_OK)
        fail_msg("%s: %s", pattern, why.text);
    assert_string_equal(buf_text(&got), expected);
    buf_fini(&got);
}

static void check_refused(const char *pattern, const char *replacement, const char *expected)
{
    struct buf got = BUF_INIT(1 << 20);
    struct fault why;
    assert_int_equal(replace(pattern, replacement, "text", &got, &why), ERR_INVALID);
    assert_string_equal(why.text, expected);
    buf_fini(&got);
}

static void every_match_is_replaced(void **state)
{
    (void)state;
    check("b+", "-", "abbcb", "a-c-");
    check("", "-", "ab", "-a-b-");
    check("x*", "-", "abxd", "-a-b--d-");
    check("$", "!", "a\n", "a!\n!");
    check("a|", ".", "ba", ".b..");
    check("(?<=a)b", "-", "abb", "a-b");
    check("(?=b)(a)?b[^a]", "-", "abc", "a-");
    check("b", "", "", "");
}

static void what_python_writes_otherwise_is_translated(void **state)
{
    (void)state;
    check("a\\Z", "-", "a\na", "a\n-");
    check("a\\Z", "-", "a\n", "a\n");
    check("a{,2}b", "-", "aaab", "a-");
    check("a{,}b", "-", "aaab", "-");
    check("a{,x}", "-", "a{,x}", "-");
    check("[[a]", "-", "[a:", "--:");
    check("[[:alpha:]", "-", "[:alph]", "------]");
    check("[]a]", "-", "a]b", "--b");
    check("[^]a]", "-", "a]b", "a]-");
    check("\\v", "-", "a\vb\n", "a-b\n");
    check("\\u00e9\\U0001F600", "-", "é😀", "-");
    check("[\\u00e8-\\u00ea]", "-", "é", "-");
    check("(?P<year>\\d{4})-(?P=year)", "<\\g<year>>", "2024-2024", "<2024>");
    check("a.c", "-", "a\rc a\nc", "- a\nc");
}

static void classes_are_those_of_unicode(void **state)
{
    (void)state;
    check("\\w+", "-", "zoë_1 李", "- -");
    check("\\d", "#", "1٣", "##");
    check("\\s", "_", "a\u00a0b\u2003", "a_b_");
    check("\\bé", "-", "é xé", "- xé");
    check("(?i)É", "-", "éÉ", "--");
    check("\\p{L}", "-", "é1", "-1");
}

static void the_replacement_knows_groups_and_escapes(void **state)
{
    (void)state;
    check("(a)(b)?", "[\\1\\2]", "a ab", "[a] [ab]");
    check("(a)", "\\g<1>\\g<0>\\1", "a", "aaa");
    check("a", "\\n\\t\\\\\\&", "a", "\n\t\\\\&");
    check("a", "\\061\\0611\\101", "a", "111A");
    check("a", "\\351", "a", "é");
    check("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)", "\\10\\1", "abcdefghij", "ja");
    check("a", "$1 é", "a", "$1 é");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    check_refused("(", "", "Invalid regular expression: missing closing parenthesis at position 1");
    check_refused("a\\", "", "Invalid regular expression: bad escape (end of pattern) at position 1");
    check_refused("a\\Q", "", "Invalid regular expression: bad escape at position 1");
    check_refused("\\C", "", "Invalid regular expression: bad escape at position 0");
    check_refused("\\u12", "", "Invalid regular expression: incomplete escape at position 0");
    check_refused("(*UTF)a", "", "Invalid regular expression: nothing to repeat at position 1");
    check_refused("*", "", "Invalid regular expression: quantifier does not follow a repeatable item at position 0");
    check_refused("(a)", "\\2", "Invalid replacement: invalid group reference 2");
    check_refused("a", "\\g<nope>", "Invalid replacement: unknown group name 'nope'");
    check_refused("a", "\\g<", "Invalid replacement: \\g must be followed by <group>");
    check_refused("a", "\\g<>", "Invalid replacement: bad group name");
    check_refused("a", "\\", "Invalid replacement: bad escape (end of pattern)");
    check_refused("a", "\\q", "Invalid replacement: bad escape \\q");
    check_refused("a", "\\400", "Invalid replacement: octal escape value outside of range 0-0o377");
}

static void check_limit(const char *pattern, size_t len, const char *expected)
{
    char *text = malloc(len + 2);
    assert_non_null(text);
    memset(text, 'a', len);
    strcpy(text + len, "b");
    struct buf got = BUF_INIT(1 << 24);
    struct fault why;
    assert_int_equal(replace(pattern, "", text, &got, &why), ERR_TOO_LARGE);
    assert_string_equal(why.text, expected);
    buf_fini(&got);
    free(text);
}

static void a_catastrophic_pattern_meets_its_limit(void **state)
{
    (void)state;
    check_limit("(a|aa)+$", 60, "the regular expression needs more than 1000000 steps for this cell");
    check_limit("(a|b)*[cd]", 1 << 20, "the regular expression nests deeper than 100000 choices in this cell");
}

static void sizes_are_limited(void **state)
{
    (void)state;
    char *pattern = malloc(PATTERN_BYTES_MAX + 2);
    assert_non_null(pattern);
    memset(pattern, 'a', PATTERN_BYTES_MAX + 1);
    pattern[PATTERN_BYTES_MAX + 1] = '\0';
    struct buf got = BUF_INIT(64);
    struct fault why;
    assert_int_equal(replace(pattern, "", "a", &got, &why), ERR_TOO_LARGE);
    assert_int_equal(replace("a", "bbbbbbbb", "aaaaaaaaaa", &got, &why), ERR_FULL);
    buf_fini(&got);
    free(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_match_is_replaced),
        cmocka_unit_test(what_python_writes_otherwise_is_translated),
        cmocka_unit_test(classes_are_those_of_unicode),
        cmocka_unit_test(the_replacement_knows_groups_and_escapes),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_catastrophic_pattern_meets_its_limit),
        cmocka_unit_test(sizes_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
