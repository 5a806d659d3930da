#include "operations/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct argument table[] = {
    {"word", NULL, ARGUMENT_TEXT, "\"AND\"", ""}, {"flag", "array_format,flagged", ARGUMENT_TRUTH, "false", ""},
    {"size", NULL, ARGUMENT_NUMBER, "1000", ""},  {"columns", NULL, ARGUMENT_TEXTS, "[]", ""},
    {"mapping", NULL, ARGUMENT_OBJECT, "{}", ""}, {"list", NULL, ARGUMENT_LIST, NULL, ""},
    {"anything", NULL, ARGUMENT_ANY, NULL, ""},   {.name = NULL},
};

static enum err make(struct arguments **out, const char *given_text, struct fault *why)
{
    json_t *given = json_loads(given_text, JSON_DECODE_ANY, NULL);
    assert_non_null(given);
    enum err err = arguments_new(out, table, given, why);
    json_decref(given);
    return err;
}

static void defaults_stand_for_what_is_not_given_or_null(void **state)
{
    (void)state;
    struct arguments *self;
    assert_int_equal(make(&self, "{\"flag\": null, \"unknown\": 1}", NULL), ERR_OK);
    assert_string_equal(arguments_text(self, "word"), "AND");
    assert_false(arguments_truth(self, "flag"));
    assert_false(arguments_given(self, "flag"));
    assert_int_equal(json_integer_value(arguments_get(self, "size")), 1000);
    assert_int_equal(arguments_count(self, "columns"), 0);
    assert_null(arguments_get(self, "list"));
    arguments_destroy(&self);
    assert_int_equal(arguments_new(&self, table, NULL, NULL), ERR_OK);
    assert_string_equal(arguments_text(self, "word"), "AND");
    arguments_destroy(&self);
}

static void an_alias_stands_for_the_name_but_the_name_wins(void **state)
{
    (void)state;
    struct arguments *self;
    assert_int_equal(make(&self, "{\"flagged\": true}", NULL), ERR_OK);
    assert_true(arguments_truth(self, "flag"));
    assert_true(arguments_given(self, "flag"));
    arguments_destroy(&self);
    assert_int_equal(make(&self, "{\"array_format\": true, \"flag\": false}", NULL), ERR_OK);
    assert_false(arguments_truth(self, "flag"));
    arguments_destroy(&self);
}

static void form_fields_send_json_as_text(void **state)
{
    (void)state;
    struct arguments *self;
    assert_int_equal(make(&self,
                          "{\"flag\": \"true\", \"size\": \"12\", \"columns\": \"[\\\"a\\\", 2024, true]\","
                          " \"mapping\": \"{\\\"a\\\": 1}\"}",
                          NULL),
                     ERR_OK);
    assert_true(arguments_truth(self, "flag"));
    assert_int_equal(json_integer_value(arguments_get(self, "size")), 12);
    assert_int_equal(arguments_count(self, "columns"), 3);
    assert_string_equal(arguments_item(self, "columns", 0), "a");
    assert_string_equal(arguments_item(self, "columns", 1), "2024");
    assert_string_equal(arguments_item(self, "columns", 2), "True");
    assert_int_equal(json_object_size(arguments_get(self, "mapping")), 1);
    arguments_destroy(&self);
}

static void a_single_text_is_a_list_of_one(void **state)
{
    (void)state;
    struct arguments *self;
    assert_int_equal(make(&self, "{\"columns\": \"id\"}", NULL), ERR_OK);
    assert_int_equal(arguments_count(self, "columns"), 1);
    assert_string_equal(arguments_item(self, "columns", 0), "id");
    arguments_destroy(&self);
}

static void a_wrong_type_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *given, *text;
    } cases[] = {
        {"{\"word\": 5}", "Argument 'word' must be a text"},
        {"{\"flag\": \"maybe\"}", "Argument 'flag' must be true or false"},
        {"{\"size\": []}", "Argument 'size' must be a number"},
        {"{\"columns\": {}}", "Argument 'columns' must be a list of texts"},
        {"{\"columns\": [\"a\", null]}", "Argument 'columns' must be a list of texts: item 2 is not"},
        {"{\"columns\": [[]]}", "Argument 'columns' must be a list of texts: item 1 is not"},
        {"{\"mapping\": []}", "Argument 'mapping' must be an object"},
        {"{\"list\": \"x\"}", "Argument 'list' must be a list"},
        {"[]", "The arguments of a step must be an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arguments *self;
        struct fault why;
        assert_int_equal(make(&self, cases[i].given, &why), ERR_INVALID);
        assert_string_equal(why.text, cases[i].text);
        assert_null(self);
    }
}

static void too_many_members_are_refused(void **state)
{
    (void)state;
    json_t *columns = json_array();
    for (int i = 0; i <= ARGUMENT_ITEMS_MAX; i++)
        assert_int_equal(json_array_append_new(columns, json_string("a")), 0);
    json_t *given = json_pack("{s:o}", "columns", columns);
    struct arguments *self;
    struct fault why;
    assert_int_equal(arguments_new(&self, table, given, &why), ERR_TOO_LARGE);
    assert_string_equal(why.text, "Argument 'columns' has 16385 members; 16384 are allowed");
    json_decref(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_for_what_is_not_given_or_null),
        cmocka_unit_test(an_alias_stands_for_the_name_but_the_name_wins),
        cmocka_unit_test(form_fields_send_json_as_text),
        cmocka_unit_test(a_single_text_is_a_list_of_one),
        cmocka_unit_test(a_wrong_type_is_named),
        cmocka_unit_test(too_many_members_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
