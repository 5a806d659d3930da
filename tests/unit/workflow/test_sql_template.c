#include "operations/sql/sql_template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* One column `x`, and `n` that is the same. */
static enum err fill(const char *dialect, const char *template, const char *value, struct buf *out, struct fault *why)
{
    struct picked items[] = {{.name = "x", .len = 1}, {.name = "a:b", .len = 3}};
    const struct column_pick names = {.count = 2, .item = items};
    struct sql_increment increment = {.enabled = true, .counted = true, .next = -1};
    const struct sql_dialect *found = sql_dialect_find(dialect);
    struct sql_template *self;
    enum err err = sql_template_new(&self, found, template, &names, &increment, why);
    const struct cell cell = cell_text(value, strlen(value));
    const struct row row = {.number = 1, .count = 1, .cell = &cell};
    if (err == ERR_OK)
        err = sql_template_add(self, &row, &increment, out, why);
    sql_template_destroy(&self);
    return err;
}

static void fills(const char *dialect, const char *template, const char *value, const char *expected)
{
    struct buf out = BUF_INIT(4096);
    struct fault why = {.text = ""};
    if (fill(dialect, template, value, &out, &why) != ERR_OK)
        fail_msg("%s: %s", template, why.text);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void refuses(const char *dialect, const char *template, const char *text)
{
    struct buf out = BUF_INIT(4096);
    struct fault why = {.text = ""};
    if (fill(dialect, template, "v", &out, &why) != ERR_INVALID)
        fail_msg("taken: %s", template);
    assert_non_null(strstr(why.text, text));
    buf_fini(&out);
}

static void in_code_a_value_brings_its_quotes(void **state)
{
    (void)state;
    fills("postgresql", "a={x};", "it's", "a='it''s';");
    fills("postgresql", "a={ x } {y} {} {{x}}", "v", "a='v' {y} {} {'v'}");
    fills("mysql", "f({x},{a:b})", "\\'", "f('\\\\\\'','\\\\\\'')");
    fills("sqlite", "{x}{x}", "v", "'v''v'");
    fills("postgresql", "{x}", "", "''");
}

static void a_type_makes_a_bare_value(void **state)
{
    (void)state;
    fills("postgresql", "{x:int} {x:float} {x:text}", "007", "7 7.0 '007'");
    fills("postgresql", "{x:int}", "7.9", "7");
    fills("postgresql", "{x:int}", "1; DROP TABLE t", "'1; DROP TABLE t'");
    fills("postgresql", "{x:int} {x:float} {x:bool} {x:datetime}", "", "NULL NULL NULL ''");
    fills("postgresql", "{x:int|0} {x|n'a} {x:bool|yes}", "", "0 'n''a' TRUE");
    fills("postgresql", "{x:bool}", "on", "TRUE");
    fills("sqlite", "{x:bool}", "no", "0");
    fills("postgresql", "{x:float}", "inf", "'inf'");
}

static void wildcards_in_the_braces_stand_around_the_value(void **state)
{
    (void)state;
    fills("postgresql", "a LIKE {%x%} OR a LIKE {x:string%};", "it's", "a LIKE '%it''s%' OR a LIKE 'it''s%';");
    fills("mysql", "{_x:text%}", "\\", "'_\\\\%'");
    fills("postgresql", "'{%x%}' E'{%x}'", "O'", "'%O''%' E'%O'''");
    fills("postgresql", "{%x:int%} {%x%|none}", "007", "'%7%' '%007%'");
    fills("postgresql", "{%x:int%} {%x%} {%x%|no'ne}", "", "NULL '%%' '%no''ne%'");
    fills("postgresql", "{%y%} {%}", "v", "{%y%} {%}");
    refuses("postgresql", "E{%x%}", "directly behind a word");
}

static void two_minus_signs_are_no_comment(void **state)
{
    (void)state;
    fills("postgresql", "b -{x:int} -{x:float} - {x:int}", "-5", "b - -5 - -5.0 - -5");
    fills("postgresql", "b -{auto_id}", "v", "b - -1");
    fills("postgresql", "b -{x:int}", "5", "b -5");
}

static void inside_quotes_a_value_is_escaped_for_them(void **state)
{
    (void)state;
    fills("postgresql", "LIKE '%{x}%'", "it's", "LIKE '%it''s%'");
    fills("postgresql", "'it''s {x}'", "'", "'it''s '''");
    fills("postgresql", "E'a\\'{x}'", "\\'", "E'a\\'\\\\'''");
    fills("postgresql", "E'a'\n'{x}'", "\\", "E'a'\n'\\\\'");
    fills("postgresql", "\"{x}\" '{x:int}'", "a\"b", "\"a\"\"b\" 'a\"b'");
    fills("mysql", "'{x}' \"{x}\" `{x}`", "'\"`\\", "'\\'\\\"`\\\\' \"'\"\"`\\\\\" `'\"``\\`");
    fills("mysql", "'a\\'{x}'", "'", "'a\\'\\''");
    fills("sqlite", "`{x}` 'a\\' {x}", "`'", "```'` 'a\\' '`'''");
    fills("postgresql", "'{x:int}{x:bool|}'", "", "'False'");
    fills("postgresql", "'#{auto_id}'", "", "'#-1'");
}

static void comments_and_tagged_texts_are_told_apart(void **state)
{
    (void)state;
    fills("postgresql", "-- it's\n{x}", "v", "-- it's\n'v'");
    fills("postgresql", "/* it's /* */ ' */ {x}", "v", "/* it's /* */ ' */ 'v'");
    fills("sqlite", "/* it's /* */ {x}", "v", "/* it's /* */ 'v'");
    fills("postgresql", "$a$ it's $b$ $a$ {x} $1", "v", "$a$ it's $b$ $a$ 'v' $1");
    fills("mysql", "# it's\n{x} a--1 {x}", "v", "# it's\n'v' a--1 'v'");
    fills("mysql", "/*! {x} */", "v", "/*! 'v' */");
    fills("sqlite", "[it's] {x}", "v", "[it's] 'v'");
    fills("postgresql", "a[1] = {x}", "v", "a[1] = 'v'");
    fills("postgresql", "{x} -- done", "v", "'v' -- done");
}

static void places_without_safety_are_refused(void **state)
{
    (void)state;
    refuses("postgresql", "-- {x}", "stands in a comment");
    refuses("postgresql", "/* {x} */", "stands in a comment");
    refuses("mysql", "# {x}", "stands in a comment");
    refuses("postgresql", "$$ {x} $$", "stands in a $$ text");
    refuses("postgresql", "U&'{x}'", "stands in a U& text");
    refuses("sqlite", "[{x}]", "stands in a name in brackets");
    refuses("postgresql", "E{x}", "directly behind a word");
    refuses("postgresql", "U&{x}", "directly behind a word");
    refuses("mysql", "_utf8{x}", "directly behind a word");
    refuses("postgresql", "{x:int}$$ a $$", "directly before a word");
    refuses("postgresql", "{x:int}E'a'", "directly before a word");
    refuses("postgresql", "E'a'\n{x}", "directly behind an E'...' text");
    refuses("mysql", "'\\{x}'", "behind a backslash");
    refuses("postgresql", "E'\\{x}'", "behind a backslash");
    refuses("postgresql", "'{current_timestamp}'", "stands in a quoted text");
}

static void an_open_end_is_refused(void **state)
{
    (void)state;
    refuses("postgresql", "a = '{x}", "ends inside a quoted text");
    refuses("mysql", "a = '\\'", "ends inside a quoted text");
    refuses("mysql", "a = \"", "ends inside a quoted name");
    refuses("postgresql", "/* /* */", "ends inside a comment");
    refuses("postgresql", "$a$ $b$", "ends inside a $$ text");
    refuses("postgresql", "E'\\", "ends inside an E'...' text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_code_a_value_brings_its_quotes),
        cmocka_unit_test(a_type_makes_a_bare_value),
        cmocka_unit_test(wildcards_in_the_braces_stand_around_the_value),
        cmocka_unit_test(two_minus_signs_are_no_comment),
        cmocka_unit_test(inside_quotes_a_value_is_escaped_for_them),
        cmocka_unit_test(comments_and_tagged_texts_are_told_apart),
        cmocka_unit_test(places_without_safety_are_refused),
        cmocka_unit_test(an_open_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
