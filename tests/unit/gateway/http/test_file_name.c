#include "http/file_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_are_made_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *sent, *kept;
    } cases[] = {
        {"a.csv", "a.csv"},
        {"../../etc/my data (1).csv", "etc_my_data_1.csv"},
        {"dir\\win.csv", "dirwin.csv"},
        {"  a \t b.csv ", "a_b.csv"},
        {"a//b", "a_b"},
        {".bashrc", "bashrc"},
        {"...", "file"},
        {"", "file"},
        {"???", "file"},
        {"???.csv", "file.csv"},
        {"?_.csv", "file.csv"},
        {"/", "file"},
        {"a.", "a"},
        {"_a_", "a"},
        {"a\x01\x7f.csv", "a.csv"},
        {"\xd0\xb4\xd0\xb0.csv", "\xd0\xb4\xd0\xb0.csv"},
        {"\xe4\xbd\xa0\xe3\x80\x80\xe5\xa5\xbd.csv", "\xe4\xbd\xa0_\xe5\xa5\xbd.csv"},
        {"a\xff"
         "b\xc3.csv",
         "ab.csv"},
        {"a\xe2\x80\xae"
         "b.csv",
         "ab.csv"},
        {"a\xc2\x85"
         "b.csv",
         "a_b.csv"},
        {"\xf0\x9f\x93\x84.csv", "\xf0\x9f\x93\x84.csv"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char kept[FILE_NAME_MAX + 1];
        file_name_clean(cases[i].sent, strlen(cases[i].sent), kept);
        assert_string_equal(kept, cases[i].kept);
        file_name_clean(kept, strlen(kept), kept);
        assert_string_equal(kept, cases[i].kept);
    }
}

static void long_names_keep_their_extension(void **state)
{
    (void)state;
    char sent[5000];
    char kept[FILE_NAME_MAX + 1];
    memset(sent, 'a', sizeof sent);
    memcpy(sent + sizeof sent - 5, ".xlsx", 5);
    file_name_clean(sent, sizeof sent, kept);
    assert_int_equal(strlen(kept), FILE_NAME_MAX);
    assert_string_equal(kept + FILE_NAME_MAX - 5, ".xlsx");
    for (size_t i = 0; i + 1 < sizeof sent - 5; i += 2)
        memcpy(sent + i, "\xc3\xa4", 2);
    file_name_clean(sent + 1, sizeof sent - 1, kept); /* half a character first: cuts fall inside characters */
    assert_true(strlen(kept) <= FILE_NAME_MAX && strlen(kept) > FILE_NAME_MAX - 4);
    assert_true(file_name_plausible(kept));
    assert_string_equal(kept + strlen(kept) - 5, ".xlsx");
}

static void a_cut_leaves_no_bad_end(void **state)
{
    (void)state;
    char sent[FILE_NAME_MAX + 10];
    char kept[FILE_NAME_MAX + 1];
    memset(sent, 'a', sizeof sent);
    memset(sent + FILE_NAME_MAX - 3, '_', 3);
    file_name_clean(sent, sizeof sent, kept);
    assert_int_equal(strlen(kept), FILE_NAME_MAX - 3);
}

static void headers_carry_any_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *header;
    } cases[] = {
        {"a b.csv", "attachment; filename=\"a b.csv\""},
        {"\xc3\xa4.csv", "attachment; filename=\"_.csv\"; filename*=UTF-8''%C3%A4.csv"},
        {"a\"\r\n.csv", "attachment; filename=\"a___.csv\"; filename*=UTF-8''a%22%0D%0A.csv"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = BUF_INIT(1000);
        assert_int_equal(file_name_disposition(&out, cases[i].name), ERR_OK);
        assert_string_equal(buf_text(&out), cases[i].header);
        buf_fini(&out);
    }
}

static void extensions_name_the_media_type(void **state)
{
    (void)state;
    assert_string_equal(file_name_media_type("a.b.CSV"), "text/csv");
    assert_string_equal(file_name_media_type("a.sql"), "text/plain");
    assert_string_equal(file_name_media_type("csv"), "application/octet-stream");
    assert_string_equal(file_name_media_type("a.html"), "application/octet-stream");
}

static void names_to_look_up_are_plausible(void **state)
{
    (void)state;
    assert_true(file_name_plausible("a b \xc3\xa4"));
    assert_false(file_name_plausible(""));
    assert_false(file_name_plausible("a\nb"));
    assert_false(file_name_plausible("\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_made_harmless),        cmocka_unit_test(long_names_keep_their_extension),
        cmocka_unit_test(a_cut_leaves_no_bad_end),        cmocka_unit_test(headers_carry_any_name),
        cmocka_unit_test(extensions_name_the_media_type), cmocka_unit_test(names_to_look_up_are_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
