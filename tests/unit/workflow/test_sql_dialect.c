#include "operations/sql/sql_dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef enum err writer(const struct sql_dialect *self, const char *text, size_t len, struct buf *to);

static void writes(writer *write, const char *dialect, const char *text, const char *expected)
{
    struct buf out = BUF_INIT(4096);
    assert_int_equal(write(sql_dialect_find(dialect), text, strlen(text), &out), ERR_OK);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void dialects_are_found_by_any_of_their_names(void **state)
{
    (void)state;
    assert_ptr_equal(sql_dialect_find("PostgreSQL"), sql_dialect_postgresql);
    assert_ptr_equal(sql_dialect_find("postgres"), sql_dialect_postgresql);
    assert_ptr_equal(sql_dialect_find("mariadb"), sql_dialect_find("mysql"));
    assert_string_equal(sql_dialect_find("SQLITE")->name, "sqlite");
    assert_null(sql_dialect_find("mssql"));
    assert_null(sql_dialect_find(""));
}

static void literals_cannot_be_left(void **state)
{
    (void)state;
    writes(sql_literal, "postgresql", "", "''");
    writes(sql_literal, "postgresql", "O'Hara\n\"x\" back\\", "'O''Hara\n\"x\" back\\'");
    writes(sql_literal, "sqlite", "a'';--\\'", "'a'''';--\\'''");
    writes(sql_literal, "mysql", "O'Hara \"x\" back\\", "'O\\'Hara \\\"x\\\" back\\\\'");
    writes(sql_literal, "mysql", "\\'; DROP TABLE t; --", "'\\\\\\'; DROP TABLE t; --'");
}

static void a_nul_byte_is_written_or_refused(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(64);
    assert_int_equal(sql_literal(sql_dialect_postgresql, "a\0b", 3, &out), ERR_INVALID);
    buf_clear(&out);
    assert_int_equal(sql_literal(sql_dialect_find("mysql"), "a\0b", 3, &out), ERR_OK);
    assert_string_equal(buf_text(&out), "'a\\0b'");
    assert_int_equal(sql_identifier(sql_dialect_find("mysql"), "a\0b", 3, &out), ERR_INVALID);
    assert_int_equal(sql_identifier(sql_dialect_find("mysql"), "", 0, &out), ERR_INVALID);
    buf_fini(&out);
}

static void names_are_quoted_when_they_must_be(void **state)
{
    (void)state;
    writes(sql_identifier, "postgresql", "First_name2$", "First_name2$");
    writes(sql_identifier, "postgresql", "2nd", "\"2nd\"");
    writes(sql_identifier, "postgresql", "first name", "\"first name\"");
    writes(sql_identifier, "postgresql", "a\"b", "\"a\"\"b\"");
    writes(sql_identifier, "postgresql", "a); DROP TABLE t; --", "\"a); DROP TABLE t; --\"");
    writes(sql_identifier, "postgresql", "Order", "\"Order\"");
    writes(sql_identifier, "postgresql", "key", "key");
    writes(sql_identifier, "mysql", "key", "`key`");
    writes(sql_identifier, "mysql", "a`b", "`a``b`");
    writes(sql_identifier, "sqlite", "a`b", "\"a`b\"");
    writes(sql_identifier, "mysql", "größe", "`größe`");
    writes(sql_identifier, "mysql", "a.b", "`a.b`");
}

static void names_that_are_quoted_stay_so(void **state)
{
    (void)state;
    writes(sql_identifier, "postgresql", "\"My \"\"Col\"", "\"My \"\"Col\"");
    writes(sql_identifier, "postgresql", "\"a\" b\"", "\"\"\"a\"\" b\"\"\"");
    writes(sql_identifier, "postgresql", "\"\"", "\"\"\"\"\"\"");
    writes(sql_identifier, "postgresql", "\"a\"\"", "\"\"\"a\"\"\"\"\"");
    writes(sql_identifier, "mysql", "`a b`", "`a b`");
}

static void tables_may_have_a_schema(void **state)
{
    (void)state;
    writes(sql_qualified, "postgresql", "public.users", "public.users");
    writes(sql_qualified, "postgresql", "public.order", "public.\"order\"");
    writes(sql_qualified, "postgresql", "\"a.b\".c d", "\"a.b\".\"c d\"");
    writes(sql_qualified, "mysql", "db.my table", "db.`my table`");
    writes(sql_qualified, "sqlite", "t (a) VALUES (1); --", "\"t (a) VALUES (1); --\"");
    struct buf out = BUF_INIT(64);
    assert_int_equal(sql_qualified(sql_dialect_postgresql, "a..b", 4, &out), ERR_INVALID);
    assert_int_equal(sql_qualified(sql_dialect_postgresql, "a.", 2, &out), ERR_INVALID);
    assert_int_equal(sql_qualified(sql_dialect_postgresql, "", 0, &out), ERR_INVALID);
    buf_fini(&out);
}

static void a_full_buffer_is_said(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(4); /* twice a text's length is asked for */
    assert_int_equal(sql_literal(sql_dialect_postgresql, "abcd", 4, &out), ERR_FULL);
    assert_int_equal(sql_identifier(sql_dialect_postgresql, "a b c", 5, &out), ERR_FULL);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialects_are_found_by_any_of_their_names),
        cmocka_unit_test(literals_cannot_be_left),
        cmocka_unit_test(a_nul_byte_is_written_or_refused),
        cmocka_unit_test(names_are_quoted_when_they_must_be),
        cmocka_unit_test(names_that_are_quoted_stay_so),
        cmocka_unit_test(tables_may_have_a_schema),
        cmocka_unit_test(a_full_buffer_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
