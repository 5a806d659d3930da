/* The events of docs/protocol.md are those of the table. */
#include "event.h"

#include "document.h"

static void types_are_found_by_their_whole_name(void **state)
{
    (void)state;
    for (const struct event_type *type = event_types; type->name; type++)
        assert_ptr_equal(event_type_find(type->name, strlen(type->name)), type);
    assert_null(event_type_find("progress", 7));
    assert_null(event_type_find("progress_", 9));
    assert_null(event_type_find("", 0));
}

static void a_terminal_event_is_history_and_never_from_outside(void **state)
{
    (void)state;
    for (const struct event_type *type = event_types; type->name; type++)
        if (type->terminal)
            assert_true(type->kind == EVENT_RECORD && !type->outside);
}

/* fields: "job_id, message"; each of them stands in the line as `job_id`. */
static void assert_names_fields(const char *line, const char *fields)
{
    for (const char *at = fields; *at;) {
        size_t len = strcspn(at, ",");
        char quoted[64];
        snprintf(quoted, sizeof quoted, "`%.*s`", (int)len, at);
        if (!strstr(line, quoted))
            fail_msg("docs/protocol.md lacks %s in the line:\n%s", quoted, line);
        at += len;
        at += strspn(at, ", ");
    }
}

static void every_type_is_documented(void **state)
{
    (void)state;
    char *page = document_read("docs/protocol.md");
    for (const struct event_type *type = event_types; type->name; type++) {
        char beginning[64];
        snprintf(beginning, sizeof beginning, "| `%s` | %s%s", type->name,
                 type->kind == EVENT_RECORD ? "record" : "state", type->terminal ? ", terminal |" : "");
        char *line = document_line(page, beginning);
        assert_true(type->terminal || !strstr(line, "terminal"));
        assert_names_fields(line, type->fields);
        free(line);
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_found_by_their_whole_name),
        cmocka_unit_test(a_terminal_event_is_history_and_never_from_outside),
        cmocka_unit_test(every_type_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
