#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *no_environment[] = {(char[]){"PATH=/bin"}, (char[]){"SHEETWIRE_REQUIRE=browser"},
                                 (char[]){"SHEETWIRE_TEST_X=1"}, NULL};

static struct config *loaded(const char *yaml, char **environment)
{
    struct config *config;
    struct fault why = {.text = ""};
    if (config_from_bytes(&config, "app.yml", yaml, strlen(yaml), environment, &why) != ERR_OK)
        fail_msg("refused: %s", why.text);
    return config;
}

static void refused(const char *yaml, const char *expected)
{
    struct config *config;
    struct fault why = {.text = ""};
    assert_int_equal(config_from_bytes(&config, "app.yml", yaml, strlen(yaml), no_environment, &why), ERR_INVALID);
    assert_null(config);
    if (!strstr(why.text, expected))
        fail_msg("%s\n  expected: %s\n  got:      %s", yaml, expected, why.text);
}

static void without_a_file_there_are_defaults(void **state)
{
    (void)state;
    struct config *config;
    struct fault why;
    assert_int_equal(config_from_bytes(&config, NULL, NULL, 0, no_environment, &why), ERR_OK);
    const struct settings *s = config_settings(config);
    assert_int_equal(s->app.port, 5050);
    assert_int_equal(s->chat_workflows.max_connections, 10);
    assert_true(s->chat_workflows.enabled);
    assert_string_equal(s->logging.file, "logs/sheetwire.log");
    assert_string_equal(config_origin(config, settings_find("app.port")), "default");
    config_destroy(&config);
    assert_null(config);
}

static void empty_files_are_fine(void **state)
{
    (void)state;
    static const char *const files[] = {"", "\n", "# only a comment\n", "---\n", "---\n...\n", "chat_workflows:\n"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct config *config = loaded(files[i], no_environment);
        config_destroy(&config);
    }
}

static void values_come_from_the_file_with_their_lines(void **state)
{
    (void)state;
    struct config *config = loaded("chat_workflows:\n"
                                   "  enabled: No\n"
                                   "  websocket: {port: 6051, host: 0.0.0.0}\n"
                                   "logging: {level: debug, file: ''}\n",
                                   no_environment);
    const struct settings *s = config_settings(config);
    assert_false(s->chat_workflows.enabled);
    assert_int_equal(s->chat_workflows.websocket.port, 6051);
    assert_string_equal(s->chat_workflows.websocket.host, "0.0.0.0");
    assert_string_equal(s->logging.level, "debug");
    assert_string_equal(s->logging.file, "");
    assert_string_equal(config_origin(config, settings_find("chat_workflows.websocket.port")), "app.yml:3");
    config_destroy(&config);
}

static void a_file_of_the_original_is_taken_as_it_is(void **state)
{
    (void)state;
    struct config *config = loaded(
        "app: {name: Pycelize, version: v0.0.1, description: d, author: a, environment: development, debug: true,\n"
        "  host: 127.0.0.1, port: 5050}\n"
        "api: {version: v1, prefix: /api/v1, locale: en_US, rate_limit: {enabled: true, requests: 60}, timeout: 30}\n"
        "file: {upload_folder: u, output_folder: o, allowed_extensions: [.xlsx, .csv], max_file_size_mb: 50,\n"
        "  supported_encodings: [utf-8, utf-8-sig, latin1, cp1252, iso-8859-1]}\n"
        "excel: {default_sheet_name: Sheet1, info_sheet_name: Info, max_column_width: 50, include_info_sheet: true,\n"
        "  auto_adjust_columns: true}\n"
        "sql: {default_database: postgresql, default_batch_size: 1000, include_transaction: true}\n"
        "normalization: {backup_original: true, generate_report: true}\n"
        "logging: {level: INFO, format: '%(message)s', file: logs/pycelize.log}\n"
        "chat_workflows:\n"
        "  enabled: true\n"
        "  max_connections: 10\n"
        "  websocket: {host: 127.0.0.1, port: 5051, ping_interval: 30, ping_timeout: 10}\n"
        "  storage: {workflows_path: ./w, dumps_path: ./d, sqlite_path: ./chat.db}\n"
        "  backup: {enabled: true, interval_minutes: 60, snapshot_path: ./s, retention_days: 7}\n"
        "  partition: {enabled: true, strategy: time-based, subfolder_format: '%Y/%m'}\n"
        "  file: {max_upload_size_mb: 100, allowed_extensions: [.xlsx], chunk_size_bytes: 8192}\n"
        "  execution: {max_steps: 50, step_timeout_seconds: 300, stream_progress: true,\n"
        "    save_intermediate_files: true}\n"
        "  dump: {compression: gzip, include_metadata: true, include_logs: true}\n",
        no_environment);
    assert_string_equal(config_settings(config)->app.name, "Pycelize");
    config_destroy(&config);
}

static void a_bad_value_names_file_line_and_key(void **state)
{
    (void)state;
    refused("chat_workflows:\n  websocket:\n    port: 70000\n",
            "app.yml:3: chat_workflows.websocket.port: 70000 is not in 1..65535");
    refused("app: {port: 0}", "app.yml:1: app.port: 0 is not in 1..65535");
    refused("app: {port: -1}", "-1 is not in 1..65535");
    refused("app: {port: 99999999999999999999999999}", "is not in 1..65535");
    refused("app: {port: http}", "'http' is not a whole number");
    refused("app: {port: 50.5}", "'50.5' is not a whole number");
    refused("app: {port: '5050 '}", "'5050 ' is not a whole number");
    refused("app:\n  port:\n", "app.yml:2: app.port: the key has no value");
    refused("app: {name: ~}", "the key has no value");
    refused("chat_workflows: {enabled: perhaps}", "'perhaps' is neither true nor false");
    refused("logging: {level: loud}", "'loud' is not one of DEBUG|INFO|WARNING|ERROR");
    refused("logging: {level: ''}", "'' is not one of");
    refused("app: {host: [1, 2]}", "app.host: is one value, not a list or section");
    refused("app: {name: \"a\\nb\"}", "control character");
    refused("app: {name: \"a\\0b\"}", "control character");
    refused("app: 5", "app: is a section of keys");
    refused("- app", "must be a mapping");
    refused("app", "must be a mapping");
}

static void an_unknown_key_names_the_nearest(void **state)
{
    (void)state;
    refused("chat_workflows:\n  websocket:\n    prot: 1\n",
            "app.yml:3: chat_workflows.websocket.prot: unknown key; did you mean chat_workflows.websocket.port?");
    refused("chat_workflow:\n  enabled: true\n", "app.yml:1: chat_workflow: unknown key; did you mean chat_workflows?");
    refused("apps: {}", "did you mean app?");
    refused("logging: {files: x}", "did you mean logging.file?");
    refused("'': 1", "unknown key");
}

static void a_key_that_stands_twice_is_refused(void **state)
{
    (void)state;
    refused("app:\n  port: 1\n  host: x\n  port: 2\n", "app.yml:4: app.port: the key stands twice, first in line 2");
    refused("app: {port: 1}\nlogging: {}\napp: {host: x}\n", "app.yml:3: app: the key stands twice, first in line 1");
}

static void yaml_beyond_plain_trees_is_refused(void **state)
{
    (void)state;
    refused("app: &a {port: 1}", "app.yml:1: anchors (&), aliases (*) and tags (!) are not supported");
    refused("app: {port: *p}", "anchors (&), aliases (*)");
    refused("app: {port: !!int 5}", "tags (!)");
    refused("app:\n  <<: {port: 1}", "app.yml:2: merge keys (<<) are not supported");
    refused("? [a]\n: b", "a key must be a plain text");
    refused("app: {}\n---\napp: {}\n", "must be one YAML document");
    refused("app: {port: 1", "not valid YAML: did not find expected");
    refused("app:\n\tport: 1", "not valid YAML");
    refused("app: \"\xff\"", "not valid YAML");
}

static void keys_of_the_original_are_accepted_without_effect(void **state)
{
    (void)state;
    struct config *config = loaded("app: {debug: true, author: x}\n"
                                   "file:\n  allowed_extensions: [csv, {a: [b]}]\n  max_file_size_mb: 7\n"
                                   "sql: {default_database: postgresql}\n"
                                   "chat_workflows: {backup: {enabled: true}, execution: {stream_progress: true}}\n",
                                   no_environment);
    assert_int_equal(config_settings(config)->file.max_file_size_mb, 7);
    config_destroy(&config);
}

static void the_environment_wins(void **state)
{
    (void)state;
    char *environment[] = {(char[]){"SHEETWIRE_APP__PORT=6050"}, (char[]){"SHEETWIRE_LOGGING__FILE="},
                           (char[]){"SHEETWIRE_SQL__X=1"}, (char[]){"SHEETWIRE_CHAT_WORKFLOWS__MAX_CONNECTIONS=500"},
                           NULL};
    struct config *config = loaded("app: {port: 7000}\nlogging: {file: x.log}\n", environment);
    const struct settings *s = config_settings(config);
    assert_int_equal(s->app.port, 6050);
    assert_int_equal(s->chat_workflows.max_connections, 500);
    assert_string_equal(s->logging.file, "");
    assert_string_equal(config_origin(config, settings_find("app.port")), "SHEETWIRE_APP__PORT");
    config_destroy(&config);
}

static void a_bad_variable_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *expected;
    } cases[] = {
        {"SHEETWIRE_APP__PORT=x", "environment: SHEETWIRE_APP__PORT: 'x' is not a whole number"},
        {"SHEETWIRE_APP__PROT=1", "environment: SHEETWIRE_APP__PROT: unknown key; did you mean SHEETWIRE_APP__PORT?"},
        {"SHEETWIRE_=1", "unknown key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *entry = strdup(cases[i].entry);
        char *environment[] = {entry, NULL};
        struct config *config;
        struct fault why = {.text = ""};
        assert_int_equal(config_from_bytes(&config, NULL, NULL, 0, environment, &why), ERR_INVALID);
        assert_non_null(strstr(why.text, cases[i].expected));
        free(entry);
    }
}

static void keys_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    refused("app: {port: 7000}\nchat_workflows:\n  websocket: {port: 7000}\n",
            "app.yml:3: chat_workflows.websocket.port: is the same port as app.port");
    refused("wire: {event_bytes_max: 16777216}", "must be at least four times wire.event_bytes_max");
    refused("api: {prefix: api}", "must begin with a slash");
}

static void every_key_is_sound(void **state)
{
    (void)state;
    for (const struct setting_key *key = settings_keys; key->path; key++) {
        char variable[2 * CONFIG_PATH_MAX];
        config_variable(key->path, variable);
        assert_true(strlen(key->path) < CONFIG_PATH_MAX && key->help && key->help[0]);
        assert_ptr_equal(settings_find(key->path), key);
        assert_true(key->type == SETTING_TEXT || key->type == SETTING_TRUTH || key->min < key->max);
    }
}

static void a_missing_or_unreadable_file_is_named(void **state)
{
    (void)state;
    struct config *config;
    struct fault why;
    assert_int_equal(config_load(&config, "/nonexistent/x.yml", no_environment, &why), ERR_NOT_FOUND);
    assert_non_null(strstr(why.text, "/nonexistent/x.yml"));
    assert_int_not_equal(config_load(&config, "/tmp", no_environment, &why), ERR_OK);
}

static char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot open %s", path);
    char *text = calloc(1, 1 << 20);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void the_shipped_file_holds_the_defaults(void **state)
{
    (void)state;
    struct config *config;
    struct fault why = {.text = ""};
    if (config_load(&config, SOURCE_DIR "/configs/application.yml", no_environment, &why) != ERR_OK)
        fail_msg("%s", why.text);
    for (const struct setting_key *key = settings_keys; key->path; key++) {
        char scratch[16];
        assert_string_equal(settings_text(config_settings(config), key, scratch), key->standard);
    }
    config_destroy(&config);

    char *text = file_text(SOURCE_DIR "/configs/application.yml");
    char *at = strstr(text, "chat_workflows:\n");
    assert_non_null(at);
    char *enabled = strstr(at, "enabled: true");
    assert_non_null(enabled);
    int lines = 0;
    for (; at < enabled; at++)
        lines += *at == '\n';
    assert_in_range(lines, 1, 5); /* the guide's troubleshooting greps five lines below */
    free(text);
}

static void the_documentation_is_current(void **state)
{
    (void)state;
    char *page = NULL;
    size_t len;
    FILE *out = open_memstream(&page, &len);
    config_print_docs(out);
    fclose(out);
    char *text = file_text(SOURCE_DIR "/docs/configuration.md");
    if (strcmp(page, text) != 0)
        fail_msg("run `sheetwire docs-configuration > docs/configuration.md`");
    free(text);
    free(page);
}

static void the_printed_check_names_value_and_origin(void **state)
{
    (void)state;
    char *printed = NULL;
    size_t len;
    struct config *config = loaded("app:\n  port: 6050\n", no_environment);
    FILE *out = open_memstream(&printed, &len);
    config_print(config, out);
    fclose(out);
    assert_non_null(strstr(printed, "app.port: 6050  # app.yml:2\n"));
    assert_non_null(strstr(printed, "wire.requests: \"\"  # default\n"));
    free(printed);
    config_destroy(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_there_are_defaults),
        cmocka_unit_test(empty_files_are_fine),
        cmocka_unit_test(values_come_from_the_file_with_their_lines),
        cmocka_unit_test(a_file_of_the_original_is_taken_as_it_is),
        cmocka_unit_test(a_bad_value_names_file_line_and_key),
        cmocka_unit_test(an_unknown_key_names_the_nearest),
        cmocka_unit_test(a_key_that_stands_twice_is_refused),
        cmocka_unit_test(yaml_beyond_plain_trees_is_refused),
        cmocka_unit_test(keys_of_the_original_are_accepted_without_effect),
        cmocka_unit_test(the_environment_wins),
        cmocka_unit_test(a_bad_variable_is_named),
        cmocka_unit_test(keys_that_do_not_go_together_are_refused),
        cmocka_unit_test(every_key_is_sound),
        cmocka_unit_test(a_missing_or_unreadable_file_is_named),
        cmocka_unit_test(the_shipped_file_holds_the_defaults),
        cmocka_unit_test(the_documentation_is_current),
        cmocka_unit_test(the_printed_check_names_value_and_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
