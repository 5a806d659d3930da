#include "operations/condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct cell names[] = {{.kind = CELL_TEXT, .len = 1, .is.text = "a"},
                                    {.kind = CELL_TEXT, .len = 1, .is.text = "b"}};
static const struct columns columns = {.count = 2, .name = names};

static struct conditions *make(const char *json, bool any)
{
    json_t *list = json_loads(json, 0, NULL);
    assert_non_null(list);
    struct conditions *self;
    struct fault why = {.text = ""};
    if (conditions_new(&self, list, any, &why) != ERR_OK)
        fail_msg("%s: %s", json, why.text);
    json_decref(list); /* nothing may be borrowed from it */
    assert_int_equal(conditions_bind(self, &columns, NULL), ERR_OK);
    return self;
}

static bool matches(struct conditions *self, struct cell a, struct cell b)
{
    const struct cell cells[] = {a, b};
    struct row row = {.number = 1, .count = 2, .cell = cells};
    bool result;
    assert_int_equal(conditions_match(self, &row, &result, NULL), ERR_OK);
    return result;
}

static struct cell text(const char *bytes)
{
    return cell_text(bytes, strlen(bytes));
}

/* What a condition on column a with this operator and value says about each cell. */
struct rule {
    const char *operator_name, *value; /* JSON */
    const char *yes[8], *no[8];
};

static const struct rule rules[] = {
    {"equals", "\"c1\"", {"c1"}, {"C1", "c1 ", "c", "c11", ""}},
    {"equals", "\"\"", {""}, {" ", "x"}},
    {"equals", "true", {"True"}, {"true", "1", ""}},
    {"equals", "false", {"False"}, {"0", ""}},
    {"equals", "3", {"3"}, {"3.0", "03"}},
    {"equals", "3.5", {"3.5"}, {"3.50"}},
    {"equals", "3.0", {"3.0"}, {"3"}},
    {"equals", "1e-7", {"1e-07"}, {"0.0000001"}},
    {"EQUALS", "\"x\"", {"x"}, {"y"}},
    {"eq", "\"x\"", {"x"}, {"y"}},
    {"not_equals", "\"c1\"", {"C1", "", "c"}, {"c1"}},
    {"Ne", "3", {"3.0", ""}, {"3"}},
    {"contains", "\"RED\"", {"red", "Red wine", "bored"}, {"re d", "", "rot"}},
    {"contains", "\"c(\"", {"abC(d"}, {"c", "abc"}},
    {"contains", "\"a.b\"", {"xA.By"}, {"axb"}},
    {"contains", "\"\"", {"", "x"}, {NULL}},
    {"contains", "\"STRASSE\"", {"Hauptstraße 1", "hauptSTRASSE"}, {"Hauptstrase"}},
    {"contains", "\"straße\"", {"STRASSE", "Straße"}, {"stra"}},
    {"contains", "\"ZOË\"", {"zoë", "xZoËx"}, {"zoe"}},
    {"contains", "\"k\"", {"\xE2\x84\xAA" /* Kelvin sign */, "K"}, {"q"}},
    {"contains", "\"李\"", {"李雷"}, {"雷"}},
    {"contains", "5", {"150"}, {"0"}},
    {"not_contains", "\"RED\"", {"", "blue", "r e d"}, {"red", "bored"}},
    {"starts_with", "\"c\"", {"c", "c1"}, {"C1", "", "xc"}},
    {"starts_with", "\"\"", {"", "x"}, {NULL}},
    {"startswith", "1", {"10"}, {"01"}},
    {"ends_with", "\"m\"", {"m", "com"}, {"M", "", "mx"}},
    {"endswith", "\"m\"", {"com"}, {"mx"}},
    {"is_empty", "null", {""}, {" ", "x", "0"}},
    {"is_not_empty", "null", {" ", "x", "0"}, {""}},
    {"greater_than", "2", {"2.0001", "1e3", "+5", " 8 ", "inf", "00012"}, {"2", "2.0", "-7", "", "abc", "0x10", "nan"}},
    {"gt", "\"9007199254740992\"", {"9007199254740993"}, {"9007199254740992"}},
    {"greater_than", "9007199254740992", {"9007199254740993"}, {"9007199254740992", "1_000"}},
    {"greater_than", "0.1", {"0.11"}, {"0.1", "0.10"}},
    {"greater_than", "\"soon\"", {NULL}, {"1", "soon", "", "inf"}},
    {"greater_than", "true", {"2"}, {"1", "True"}},
    {"greater_than_or_equal", "\" 2 \"", {"2", "2.0", "3"}, {"1.99", ""}},
    {"gte", "2", {"2"}, {"1"}},
    {"less_than", "3.5", {"3", "-inf", ".5", "5.e-1"}, {"3.5", "4", "", "abc"}},
    {"lt", "0", {"-1"}, {"0", "-0"}},
    {"less_than_or_equal", "\"3\"", {"3", "3.0", "2"}, {"3.1", ""}},
    {"lte", "0", {"-0", "0"}, {"1"}},
    {"between", "[1, 3]", {"1", "2", "3.0"}, {"0.99", "3.01", "", "x", "inf"}},
    {"between", "[\"1\", \"3\"]", {"1", "2"}, {"4"}},
    {"between", "[3, 1]", {NULL}, {"1", "2", "3"}},
    {"between", "[\"low\", 3]", {NULL}, {"1", "2"}},
    {"between", "[null, 3]", {NULL}, {"1", ""}},
    {"greater_than", "null", {NULL}, {"1", "", "inf"}},
    {"less_than_or_equal", "null", {NULL}, {"1", "", "-inf"}},
    {"between", "[9007199254740993, 9007199254740993]", {"9007199254740993"}, {"9007199254740992"}},
    {"before", "\"2024-01-15\"", {"2023-12-31", "2024-01-14 23:59:59"}, {"2024-01-15", "20240115", "", "soon"}},
    {"after", "\"2024-01-15\"", {"2024-01-15 10:20:30", "2024/03/01", "2024-01-15T10:20:30"}, {"2024-01-15", "", "x"}},
    {"after", "\"soon\"", {NULL}, {"2024-01-15", "soon"}},
    {"after", "20240115", {"2024-01-16"}, {"2024-01-15"}},
};

static void check_rule(const struct rule *rule)
{
    char json[256];
    snprintf(json, sizeof json, "[{\"column\": \"a\", \"operator\": \"%s\", \"value\": %s}]", rule->operator_name,
             rule->value);
    struct conditions *self = make(json, false);
    for (size_t i = 0; i < 8 && rule->yes[i]; i++) {
        if (!matches(self, text(rule->yes[i]), cell_empty()))
            fail_msg("'%s' %s %s should match", rule->yes[i], rule->operator_name, rule->value);
    }
    for (size_t i = 0; i < 8 && rule->no[i]; i++) {
        if (matches(self, text(rule->no[i]), cell_empty()))
            fail_msg("'%s' %s %s should not match", rule->no[i], rule->operator_name, rule->value);
    }
    conditions_destroy(&self);
}

static void every_operator_says_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        check_rule(&rules[i]);
}

static void every_operator_has_a_rule(void **state)
{
    (void)state;
    for (size_t i = 0; condition_operator_name(i); i++) {
        bool found = false;
        for (size_t j = 0; j < sizeof rules / sizeof *rules; j++)
            found |= strcmp(rules[j].operator_name, condition_operator_name(i)) == 0;
        if (!found)
            fail_msg("no rule tests %s", condition_operator_name(i));
    }
}

static void logic_joins_conditions(void **state)
{
    (void)state;
    const char *json = "[{\"column\": \"a\", \"operator\": \"equals\", \"value\": \"x\"},"
                       " {\"column\": \"b\", \"operator\": \"greater_than\", \"value\": 3}]";
    struct conditions *all = make(json, false), *any = make(json, true);
    assert_true(matches(all, text("x"), text("4")));
    assert_false(matches(all, text("x"), text("3")));
    assert_false(matches(all, text("y"), text("4")));
    assert_true(matches(any, text("x"), text("3")));
    assert_true(matches(any, text("y"), text("4")));
    assert_false(matches(any, text("y"), text("3")));
    conditions_destroy(&all);
    conditions_destroy(&any);
}

static void error_values_are_empty_and_typed_cells_print(void **state)
{
    (void)state;
    struct cell error = {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"};
    struct cell seven = {.kind = CELL_INTEGER, .is.integer = 7};
    struct cell truth = {.kind = CELL_TRUTH, .is.truth = true};
    struct conditions *self = make("[{\"column\": \"a\", \"operator\": \"is_empty\"}]", false);
    assert_true(matches(self, error, cell_empty()));
    conditions_destroy(&self);
    self = make("[{\"column\": \"a\", \"operator\": \"contains\", \"value\": \"n/a\"}]", false);
    assert_false(matches(self, error, cell_empty()));
    conditions_destroy(&self);
    self = make("[{\"column\": \"a\", \"operator\": \"equals\", \"value\": 7}]", false);
    assert_true(matches(self, seven, cell_empty()));
    conditions_destroy(&self);
    self = make("[{\"column\": \"a\", \"operator\": \"equals\", \"value\": true}]", false);
    assert_true(matches(self, truth, cell_empty()));
    conditions_destroy(&self);
}

static void a_text_that_is_not_utf8_still_matches(void **state)
{
    (void)state;
    struct conditions *self = make("[{\"column\": \"a\", \"operator\": \"contains\", \"value\": \"red\"}]", false);
    assert_true(matches(self, text("\xFFRED\xC3"), cell_empty()));
    conditions_destroy(&self);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char scalar[] = "operator, value must be a text, a number, true or false";
    static const char range[] = "For 'between' operator, value must be a list with [min, max]";
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"[]", "At least one search condition is required"},
        {"[7]", "Search condition 1 needs a 'column'"},
        {"[{\"operator\": \"equals\"}]", "Search condition 1 needs a 'column'"},
        {"[{\"column\": \"a\"}]", "Search condition 1 needs an 'operator'"},
        {"[{\"column\": \"a\", \"operator\": \"sounds_like\", \"value\": 1}]", "Unsupported operator: sounds_like"},
        {"[{\"column\": \"a\", \"operator\": \"between\", \"value\": 3}]", range},
        {"[{\"column\": \"a\", \"operator\": \"between\", \"value\": [1]}]", range},
        {"[{\"column\": \"a\", \"operator\": \"between\", \"value\": [1, 2, 3]}]", range},
        {"[{\"column\": \"a\", \"operator\": \"between\"}]", range},
        {"[{\"column\": \"a\", \"operator\": \"equals\"}]", scalar},
        {"[{\"column\": \"a\", \"operator\": \"contains\", \"value\": null}]", scalar},
        {"[{\"column\": \"a\", \"operator\": \"less_than\", \"value\": [1]}]", scalar},
        {"[{\"column\": \"a\", \"operator\": \"after\", \"value\": {}}]", scalar},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *list = json_loads(cases[i].json, 0, NULL);
        struct conditions *self;
        struct fault why = {.text = ""};
        assert_int_equal(conditions_new(&self, list, false, &why), ERR_INVALID);
        if (!strstr(why.text, cases[i].text))
            fail_msg("%s: %s", cases[i].json, why.text);
        assert_null(self);
        json_decref(list);
    }
}

static void a_missing_column_is_named(void **state)
{
    (void)state;
    json_t *list = json_pack("[{s:s, s:s}]", "column", "zz", "operator", "is_empty");
    struct conditions *self;
    struct fault why;
    assert_int_equal(conditions_new(&self, list, false, NULL), ERR_OK);
    assert_int_equal(conditions_bind(self, &columns, &why), ERR_INVALID);
    assert_string_equal(why.text, "Column 'zz' not found in data");
    conditions_destroy(&self);
    json_decref(list);
}

static void too_many_conditions_are_refused(void **state)
{
    (void)state;
    json_t *list = json_array();
    for (int i = 0; i <= CONDITIONS_MAX; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "column", "a", "operator", "is_empty"));
    struct conditions *self;
    assert_int_equal(conditions_new(&self, list, false, NULL), ERR_TOO_LARGE);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_says_what_it_says),
        cmocka_unit_test(every_operator_has_a_rule),
        cmocka_unit_test(logic_joins_conditions),
        cmocka_unit_test(error_values_are_empty_and_typed_cells_print),
        cmocka_unit_test(a_text_that_is_not_utf8_still_matches),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_missing_column_is_named),
        cmocka_unit_test(too_many_conditions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
