#include "config.h"

#include "nearest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <yaml.h>

#define DEPTH_MAX 8   /* levels of mappings; the table needs three */
#define SEEN_MAX  512 /* keys of one file, for the duplicate check */
#define SHOWN_MAX 64  /* bytes of a wrong value that a message repeats */

/* Variables that begin like ours and are read by the scripts and tests around the programs. */
static const char *const foreign_variables[] = {"SHEETWIRE_REQUIRE", "SHEETWIRE_BUILD", NULL};
static const char *const foreign_prefixes[] = {"SHEETWIRE_TEST_", "SHEETWIRE_BENCH_", NULL};

struct config {
    struct settings settings;
    size_t keys;
    char **texts;   /* one a key: owns what settings borrows; NULL for numbers */
    char **origins; /* one a key; NULL = default */
};

static size_t count_keys(void)
{
    size_t n = 0;
    while (settings_keys[n].path)
        n++;
    return n;
}

static enum err config_new(struct config **out)
{
    struct config *self = calloc(1, sizeof *self);
    if (!self)
        return ERR_MEMORY;
    self->keys = count_keys();
    self->texts = calloc(self->keys, sizeof *self->texts);
    self->origins = calloc(self->keys, sizeof *self->origins);
    *out = self;
    return self->texts && self->origins ? ERR_OK : ERR_MEMORY;
}

void config_destroy(struct config **self_p)
{
    struct config *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->keys; i++) {
        if (self->texts)
            free(self->texts[i]);
        if (self->origins)
            free(self->origins[i]);
    }
    free(self->texts);
    free(self->origins);
    free(self);
    *self_p = NULL;
}

const struct settings *config_settings(const struct config *self)
{
    return &self->settings;
}

const char *config_origin(const struct config *self, const struct setting_key *key)
{
    const char *origin = self->origins[key - settings_keys];
    return origin ? origin : "default";
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    while (len > 0) {
        size_t word = strcspn(choices, "|");
        if (word == len && strncasecmp(choices, value, len) == 0)
            return true;
        if (!choices[word])
            return false;
        choices += word + 1;
    }
    return false;
}

static bool has_control_characters(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7F)
            return true;
    return false;
}

static enum err set_text(struct config *self, const struct setting_key *key, const char *value, struct fault *why)
{
    if (key->choices && !is_choice(key->choices, value))
        return fault_set(why, ERR_INVALID, "'%.*s' is not one of %s", SHOWN_MAX, value, key->choices);
    if (strlen(value) > CONFIG_TEXT_MAX)
        return fault_set(why, ERR_INVALID, "the text is longer than %d bytes", CONFIG_TEXT_MAX);
    if (has_control_characters(value))
        return fault_set(why, ERR_INVALID, "the text has a control character in it");
    char *copy = strdup(value);
    if (!copy)
        return fault_set(why, ERR_MEMORY, "no memory");
    free(self->texts[key - settings_keys]);
    self->texts[key - settings_keys] = copy;
    memcpy((char *)&self->settings + key->offset, &copy, sizeof copy);
    return ERR_OK;
}

static enum err set_truth(struct config *self, const struct setting_key *key, const char *value, struct fault *why)
{
    static const struct {
        const char *word;
        bool truth;
    } words[] = {{"true", true}, {"yes", true}, {"on", true}, {"false", false}, {"no", false}, {"off", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(words[i].word, value) == 0) {
            memcpy((char *)&self->settings + key->offset, &words[i].truth, sizeof(bool));
            return ERR_OK;
        }
    }
    return fault_set(why, ERR_INVALID, "'%.*s' is neither true nor false", SHOWN_MAX, value);
}

/* Digits with an optional sign; what is too long for the type saturates, so that the range check still refuses it. */
static bool parse_whole(const char *value, long long *out)
{
    const char *digits = value + (*value == '-' || *value == '+');
    if (!*digits || digits[strspn(digits, "0123456789")])
        return false;
    *out = strtoll(value, NULL, 10);
    return true;
}

static enum err set_number(struct config *self, const struct setting_key *key, const char *value, struct fault *why)
{
    long long number;
    if (!parse_whole(value, &number))
        return fault_set(why, ERR_INVALID, "'%.*s' is not a whole number", SHOWN_MAX, value);
    if (number < key->min || number > key->max)
        return fault_set(why, ERR_INVALID, "%.*s is not in %u..%u", SHOWN_MAX, value, key->min, key->max);
    uint32_t count = (uint32_t)number;
    uint16_t port = (uint16_t)number;
    if (key->type == SETTING_PORT)
        memcpy((char *)&self->settings + key->offset, &port, sizeof port);
    else
        memcpy((char *)&self->settings + key->offset, &count, sizeof count);
    return ERR_OK;
}

static enum err set_value(struct config *self, const struct setting_key *key, const char *value, struct fault *why)
{
    switch (key->type) {
    case SETTING_TEXT: return set_text(self, key, value, why);
    case SETTING_TRUTH: return set_truth(self, key, value, why);
    case SETTING_PORT:
    case SETTING_COUNT: return set_number(self, key, value, why);
    }
    return ERR_INTERNAL;
}

static enum err set_origin(struct config *self, const struct setting_key *key, const char *origin, struct fault *why)
{
    char *copy = strdup(origin);
    if (!copy)
        return fault_set(why, ERR_MEMORY, "no memory");
    free(self->origins[key - settings_keys]);
    self->origins[key - settings_keys] = copy;
    return ERR_OK;
}

static enum err set_defaults(struct config *self, struct fault *why)
{
    for (const struct setting_key *key = settings_keys; key->path; key++) {
        enum err err = set_value(self, key, key->standard, why);
        if (err != ERR_OK) {
            fault_prefix(why, "default of %s: ", key->path);
            return err;
        }
    }
    return ERR_OK;
}

static bool is_at_or_below(const char *path, const char *above)
{
    size_t len = strlen(above);
    return strncmp(path, above, len) == 0 && (path[len] == '\0' || path[len] == '.');
}

static bool is_ignored(const char *path)
{
    for (const char *const *ignored = settings_ignored; *ignored; ignored++)
        if (is_at_or_below(path, *ignored))
            return true;
    return false;
}

/* Whether known keys lie below the path. */
static bool is_section(const char *path)
{
    for (const struct setting_key *key = settings_keys; key->path; key++)
        if (is_at_or_below(key->path, path) && strcmp(key->path, path) != 0)
            return true;
    for (const char *const *ignored = settings_ignored; *ignored; ignored++)
        if (is_at_or_below(*ignored, path) && strcmp(*ignored, path) != 0)
            return true;
    return false;
}

/* The nearest known key, or the section above one when that is nearer. */
static void nearest_path(const char *path, char out[CONFIG_PATH_MAX])
{
    struct nearest keys = NEAREST_INIT(path);
    for (const struct setting_key *key = settings_keys; key->path; key++)
        nearest_offer(&keys, key->path);
    size_t distance = keys.distance;
    snprintf(out, CONFIG_PATH_MAX, "%s", keys.best ? keys.best : "");
    for (const struct setting_key *key = settings_keys; key->path; key++) {
        char section[CONFIG_PATH_MAX];
        snprintf(section, sizeof section, "%s", key->path);
        for (char *dot = strrchr(section, '.'); dot; dot = strrchr(section, '.')) {
            *dot = '\0';
            size_t d = nearest_distance(path, section);
            if (d < distance) {
                distance = d;
                memcpy(out, section, sizeof section);
            }
        }
    }
}

void config_variable(const char *path, char out[2 * CONFIG_PATH_MAX])
{
    size_t len = (size_t)snprintf(out, 2 * CONFIG_PATH_MAX, "%s", CONFIG_ENV_PREFIX);
    for (; *path && len < 2 * CONFIG_PATH_MAX - 3; path++) {
        if (*path == '.')
            out[len++] = '_';
        out[len++] = *path == '.' ? '_' : (char)toupper((unsigned char)*path);
    }
    out[len] = '\0';
}

struct reader {
    struct config *config;
    const char *name;
    yaml_parser_t parser;
    yaml_event_t event; /* the newest one; empty when has_event is false */
    bool has_event;
    struct fault *why;
    size_t seen_count;
    struct {
        char path[CONFIG_PATH_MAX];
        size_t line;
    } seen[SEEN_MAX];
};

static size_t line_of(const struct reader *reader)
{
    return reader->event.start_mark.line + 1;
}

static enum err yaml_failed(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return fault_set(reader->why, ERR_MEMORY, "%s: no memory", reader->name);
    return fault_set(reader->why, ERR_INVALID, "%s:%zu: not valid YAML: %s", reader->name,
                     parser->problem_mark.line + 1, parser->problem ? parser->problem : "unreadable");
}

static bool has_anchor_or_tag(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT: return true;
    case YAML_SCALAR_EVENT: return event->data.scalar.anchor || event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.anchor || event->data.mapping_start.tag;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return false;
    }
    return false;
}

static enum err next(struct reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = yaml_parser_parse(&reader->parser, &reader->event) == 1;
    if (!reader->has_event)
        return yaml_failed(reader);
    if (has_anchor_or_tag(&reader->event))
        return fault_set(reader->why, ERR_INVALID, "%s:%zu: anchors (&), aliases (*) and tags (!) are not supported",
                         reader->name, line_of(reader));
    return ERR_OK;
}

/* Reads over the node that begins with the newest event. */
static enum err skip_node(struct reader *reader)
{
    size_t depth = 0;
    for (;;) {
        yaml_event_type_t type = reader->event.type;
        if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
            depth++;
        if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
            depth--;
        if (depth == 0)
            return ERR_OK;
        enum err err = next(reader);
        if (err != ERR_OK)
            return err;
    }
}

static enum err remember(struct reader *reader, const char *path)
{
    for (size_t i = 0; i < reader->seen_count; i++)
        if (strcmp(reader->seen[i].path, path) == 0)
            return fault_set(reader->why, ERR_INVALID, "%s:%zu: %s: the key stands twice, first in line %zu",
                             reader->name, line_of(reader), path, reader->seen[i].line);
    if (reader->seen_count == SEEN_MAX)
        return fault_set(reader->why, ERR_INVALID, "%s:%zu: more than %d keys", reader->name, line_of(reader),
                         SEEN_MAX);
    snprintf(reader->seen[reader->seen_count].path, CONFIG_PATH_MAX, "%s", path);
    reader->seen[reader->seen_count++].line = line_of(reader);
    return ERR_OK;
}

/* The newest event is a key: appends it to the path of the mapping around it. */
static enum err join_key(struct reader *reader, const char *above, char path[CONFIG_PATH_MAX])
{
    if (reader->event.type != YAML_SCALAR_EVENT)
        return fault_set(reader->why, ERR_INVALID, "%s:%zu: a key must be a plain text", reader->name, line_of(reader));
    const char *key = (const char *)reader->event.data.scalar.value;
    size_t len = reader->event.data.scalar.length;
    if (strcmp(key, "<<") == 0)
        return fault_set(reader->why, ERR_INVALID, "%s:%zu: merge keys (<<) are not supported", reader->name,
                         line_of(reader));
    int need = snprintf(path, CONFIG_PATH_MAX, "%s%s%s", above, above[0] ? "." : "", key);
    if (need >= CONFIG_PATH_MAX || strlen(key) != len || has_control_characters(key) || len == 0)
        return fault_set(reader->why, ERR_INVALID, "%s:%zu: unknown key", reader->name, line_of(reader));
    return remember(reader, path);
}

static enum err unknown_key(struct reader *reader, const char *path, size_t line)
{
    char nearest[CONFIG_PATH_MAX];
    nearest_path(path, nearest);
    return fault_set(reader->why, ERR_INVALID, "%s:%zu: %s: unknown key; did you mean %s?", reader->name, line, path,
                     nearest);
}

static enum err read_scalar(struct reader *reader, const struct setting_key *key)
{
    const char *value = (const char *)reader->event.data.scalar.value;
    bool plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    enum err err;
    if (strlen(value) != reader->event.data.scalar.length)
        err = fault_set(reader->why, ERR_INVALID, "the text has a control character in it");
    else if (plain && (!*value || strcmp(value, "~") == 0 || strcasecmp(value, "null") == 0))
        err = fault_set(reader->why, ERR_INVALID, "the key has no value");
    else
        err = set_value(reader->config, key, value, reader->why);
    if (err != ERR_OK) {
        fault_prefix(reader->why, "%s:%zu: %s: ", reader->name, line_of(reader), key->path);
        return err;
    }
    char origin[FAULT_TEXT_MAX];
    snprintf(origin, sizeof origin, "%s:%zu", reader->name, line_of(reader));
    return set_origin(reader->config, key, origin, reader->why);
}

static enum err read_mapping(struct reader *reader, const char *path, int depth);

static enum err read_section(struct reader *reader, const char *path, int depth)
{
    bool empty = reader->event.type == YAML_SCALAR_EVENT && reader->event.data.scalar.length == 0;
    if (empty)
        return ERR_OK;
    if (reader->event.type != YAML_MAPPING_START_EVENT || depth == DEPTH_MAX)
        return fault_set(reader->why, ERR_INVALID, "%s:%zu: %s: is a section of keys, not a value", reader->name,
                         line_of(reader), path);
    return read_mapping(reader, path, depth + 1);
}

static enum err read_value(struct reader *reader, const char *path, size_t key_line, int depth)
{
    const struct setting_key *key = settings_find(path);
    if (key && reader->event.type == YAML_SCALAR_EVENT)
        return read_scalar(reader, key);
    if (key)
        return fault_set(reader->why, ERR_INVALID, "%s:%zu: %s: is one value, not a list or section", reader->name,
                         key_line, path);
    if (is_ignored(path))
        return skip_node(reader);
    if (is_section(path))
        return read_section(reader, path, depth);
    return unknown_key(reader, path, key_line);
}

/* The newest event is the mapping's start; afterwards it is its end. */
static enum err read_mapping(struct reader *reader, const char *path, int depth)
{
    for (;;) {
        enum err err = next(reader);
        if (err != ERR_OK || reader->event.type == YAML_MAPPING_END_EVENT)
            return err;
        char below[CONFIG_PATH_MAX];
        size_t line = line_of(reader);
        err = join_key(reader, path, below);
        if (err == ERR_OK)
            err = next(reader);
        if (err == ERR_OK)
            err = read_value(reader, below, line, depth);
        if (err != ERR_OK)
            return err;
    }
}

static enum err read_root(struct reader *reader)
{
    bool empty = reader->event.type == YAML_SCALAR_EVENT && reader->event.data.scalar.length == 0;
    if (empty)
        return ERR_OK;
    if (reader->event.type != YAML_MAPPING_START_EVENT)
        return fault_set(reader->why, ERR_INVALID, "%s:%zu: the file must be a mapping of keys", reader->name,
                         line_of(reader));
    return read_mapping(reader, "", 0);
}

/* stream start, [document start, node, document end], stream end */
static enum err read_stream(struct reader *reader)
{
    enum err err = next(reader);
    if (err == ERR_OK)
        err = next(reader);
    if (err != ERR_OK || reader->event.type == YAML_STREAM_END_EVENT)
        return err;
    err = next(reader);
    if (err == ERR_OK)
        err = read_root(reader);
    if (err == ERR_OK)
        err = next(reader); /* document end */
    if (err == ERR_OK)
        err = next(reader);
    if (err == ERR_OK && reader->event.type != YAML_STREAM_END_EVENT)
        err = fault_set(reader->why, ERR_INVALID, "%s:%zu: the file must be one YAML document", reader->name,
                        line_of(reader));
    return err;
}

static enum err read_yaml(struct config *config, const char *name, const char *bytes, size_t len, struct fault *why)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fault_set(why, ERR_MEMORY, "no memory");
    reader->config = config;
    reader->name = name;
    reader->why = why;
    enum err err = ERR_MEMORY;
    if (yaml_parser_initialize(&reader->parser)) {
        yaml_parser_set_input_string(&reader->parser, (const unsigned char *)bytes, len);
        err = read_stream(reader);
        if (reader->has_event)
            yaml_event_delete(&reader->event);
        yaml_parser_delete(&reader->parser);
    }
    free(reader);
    return err;
}

static bool is_foreign_variable(const char *name)
{
    for (const char *const *known = foreign_variables; *known; known++)
        if (strcmp(name, *known) == 0)
            return true;
    for (const char *const *prefix = foreign_prefixes; *prefix; prefix++)
        if (strncmp(name, *prefix, strlen(*prefix)) == 0)
            return true;
    return false;
}

/* "APP__PORT" -> "app.port" */
static void path_of_variable(const char *name, char path[CONFIG_PATH_MAX])
{
    size_t len = 0;
    for (; *name && len < CONFIG_PATH_MAX - 1; name++) {
        bool level = name[0] == '_' && name[1] == '_';
        path[len++] = level ? '.' : (char)tolower((unsigned char)*name);
        name += level;
    }
    path[len] = '\0';
}

static enum err read_variable(struct config *self, const char *name, const char *value, struct fault *why)
{
    char path[CONFIG_PATH_MAX], nearest[CONFIG_PATH_MAX], variable[2 * CONFIG_PATH_MAX];
    path_of_variable(name + strlen(CONFIG_ENV_PREFIX), path);
    const struct setting_key *key = settings_find(path);
    if (!key && is_ignored(path))
        return ERR_OK;
    if (!key) {
        nearest_path(path, nearest);
        config_variable(nearest, variable);
        return fault_set(why, ERR_INVALID, "environment: %s: unknown key; did you mean %s?", name, variable);
    }
    enum err err = set_value(self, key, value, why);
    if (err != ERR_OK) {
        fault_prefix(why, "environment: %s: ", name);
        return err;
    }
    return set_origin(self, key, name, why);
}

static enum err read_environment(struct config *self, char **environment, struct fault *why)
{
    for (char **entry = environment; entry && *entry; entry++) {
        char name[2 * CONFIG_PATH_MAX];
        size_t len = strcspn(*entry, "=");
        if (strncmp(*entry, CONFIG_ENV_PREFIX, strlen(CONFIG_ENV_PREFIX)) != 0 || !(*entry)[len])
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), *entry);
        if (is_foreign_variable(name))
            continue;
        enum err err = read_variable(self, name, *entry + len + 1, why);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err refuse(const struct config *self, const char *path, struct fault *why, const char *reason)
{
    return fault_set(why, ERR_INVALID, "%s: %s: %s", config_origin(self, settings_find(path)), path, reason);
}

/* What no single key can know. */
static enum err check_together(const struct config *self, struct fault *why)
{
    const struct settings *s = &self->settings;
    if (s->chat_workflows.enabled && s->app.port == s->chat_workflows.websocket.port &&
        strcmp(s->app.host, s->chat_workflows.websocket.host) == 0)
        return refuse(self, "chat_workflows.websocket.port", why, "is the same port as app.port");
    if (s->wire.event_bytes_max > s->chat_workflows.websocket.queue_bytes_max / 4)
        return refuse(self, "chat_workflows.websocket.queue_bytes_max", why,
                      "must be at least four times wire.event_bytes_max");
    if (s->api.prefix[0] != '/' || s->api.prefix[strlen(s->api.prefix) - 1] == '/')
        return refuse(self, "api.prefix", why, "must begin with a slash and not end in one");
    return ERR_OK;
}

enum err config_from_bytes(struct config **out, const char *name, const char *bytes, size_t len, char **environment,
                           struct fault *why)
{
    struct config *self = NULL;
    enum err err = config_new(&self);
    if (err != ERR_OK)
        (void)fault_set(why, err, "no memory");
    if (err == ERR_OK)
        err = set_defaults(self, why);
    if (err == ERR_OK && bytes)
        err = read_yaml(self, name, bytes, len, why);
    if (err == ERR_OK)
        err = read_environment(self, environment, why);
    if (err == ERR_OK)
        err = check_together(self, why);
    if (err != ERR_OK)
        config_destroy(&self);
    *out = self;
    return err;
}

static enum err read_file(const char *path, char **bytes, size_t *len, struct fault *why)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fault_errno(why, "%s", path);
    enum err err = ERR_OK;
    char *room = malloc(CONFIG_BYTES_MAX + 1);
    size_t got = room ? fread(room, 1, CONFIG_BYTES_MAX + 1, file) : 0;
    if (!room)
        err = fault_set(why, ERR_MEMORY, "%s: no memory", path);
    else if (ferror(file))
        err = fault_errno(why, "%s", path);
    else if (got > CONFIG_BYTES_MAX)
        err = fault_set(why, ERR_TOO_LARGE, "%s: the file is larger than %d bytes", path, CONFIG_BYTES_MAX);
    fclose(file);
    if (err != ERR_OK) {
        free(room);
        return err;
    }
    *bytes = room;
    *len = got;
    return ERR_OK;
}

enum err config_load(struct config **out, const char *path, char **environment, struct fault *why)
{
    char *bytes = NULL;
    size_t len = 0;
    *out = NULL;
    enum err err = read_file(path ? path : CONFIG_DEFAULT_PATH, &bytes, &len, why);
    if (err == ERR_NOT_FOUND && !path)
        err = ERR_OK;
    if (err == ERR_OK)
        err = config_from_bytes(out, path ? path : CONFIG_DEFAULT_PATH, bytes, len, environment, why);
    free(bytes);
    return err;
}
