#include "config.h"

#include <string.h>

static void print_value(const char *text, FILE *out)
{
    bool plain = text[0] && !strpbrk(text, " #:\"'") && strcmp(text, "~") != 0;
    fprintf(out, plain ? "%s" : "\"%s\"", text);
}

void config_print(const struct config *self, FILE *out)
{
    char scratch[16];
    for (const struct setting_key *key = settings_keys; key->path; key++) {
        fprintf(out, "%s: ", key->path);
        print_value(settings_text(config_settings(self), key, scratch), out);
        fprintf(out, "  # %s\n", config_origin(self, key));
    }
}

static void print_type(const struct setting_key *key, FILE *out)
{
    switch (key->type) {
    case SETTING_TEXT:
        if (!key->choices)
            fputs("text", out);
        for (const char *at = key->choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
            fprintf(out, "%s`%.*s`", at == key->choices ? "" : ", ", (int)strcspn(at, "|"), at);
        break;
    case SETTING_TRUTH: fputs("true or false", out); break;
    case SETTING_PORT: fprintf(out, "port, %u..%u", key->min, key->max); break;
    case SETTING_COUNT: fprintf(out, "%u..%u", key->min, key->max); break;
    }
}

static void print_key(const struct setting_key *key, FILE *out)
{
    fprintf(out, "| `%s` | ", key->path);
    print_type(key, out);
    fprintf(out, key->standard[0] ? " | `%s` | " : " | %sempty | ", key->standard);
    fprintf(out, "%s |\n", key->help);
}

static const char head[] =
    "# Configuration\n"
    "\n"
    "This page is written by `sheetwire docs-configuration` from the one table in `common/settings.c`; a test compares "
    "them.\n"
    "\n"
    "All four programs read one YAML file: `--config FILE`, or `" CONFIG_DEFAULT_PATH
    "` when it is there, or the defaults\n"
    "alone. Every key can be set by an environment variable, which wins over the file: `" CONFIG_ENV_PREFIX
    "`, then the key\n"
    "in capitals with `__` between the levels, for example `SHEETWIRE_CHAT_WORKFLOWS__WEBSOCKET__PORT=6051`.\n"
    "`--check-config` prints every value and where it comes from.\n"
    "\n"
    "A value that does not fit, an unknown key and a key that stands twice stop the program with exit code 2 and a "
    "line\n"
    "such as `configs/application.yml:12: chat_workflows.websocket.port: 70000 is not in 1..65535`. Anchors, aliases, "
    "tags and\n"
    "merge keys of YAML are not supported. Relative paths start at the folder the program was started in.\n";

void config_print_docs(FILE *out)
{
    fputs(head, out);
    size_t section = 0;
    for (const struct setting_key *key = settings_keys; key->path; key++) {
        bool same = key != settings_keys && section == strcspn(key->path, ".") &&
                    strncmp(key[-1].path, key->path, section + 1) == 0;
        section = strcspn(key->path, ".");
        if (!same)
            fprintf(out, "\n## %.*s\n\n| key | values | default | meaning |\n|---|---|---|---|\n", (int)section,
                    key->path);
        print_key(key, out);
    }
    fputs(
        "\n## Accepted without effect\n\nKeys of the Python original that mean nothing here, so that its files load:\n",
        out);
    for (const char *const *ignored = settings_ignored; *ignored; ignored++)
        fprintf(out, "%s`%s`", ignored == settings_ignored ? "" : ", ", *ignored);
    fputs(".\n", out);
}
