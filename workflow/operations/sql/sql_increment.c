#include "operations/sql/sql_increment.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define START_MAX      (INT64_C(1) << 53)
#define EXPRESSION_MAX 4096

enum maker { BY_DATABASE, BY_SEQUENCE, BY_UUID };

static const struct {
    const char *name;
    enum maker maker;
} types[] = {
    {"postgresql_serial", BY_DATABASE},
    {"mysql_auto_increment", BY_DATABASE},
    {"auto_increment", BY_DATABASE},
    {"sqlite_autoincrement", BY_DATABASE},
    {"none", BY_DATABASE},
    {"manual_sequence", BY_SEQUENCE},
    {"uuid_generate", BY_UUID},
};

/* Forms write camelCase. */
static const json_t *get(const json_t *given, const char *name, const char *camel_case)
{
    const json_t *value = json_object_get(given, name);
    if (!value || json_is_null(value))
        value = json_object_get(given, camel_case);
    return json_is_null(value) ? NULL : value;
}

static enum err get_text(const json_t *given, const char *name, const char *camel_case, const char *standard,
                         const char **out, struct fault *why)
{
    const json_t *value = get(given, name, camel_case);
    *out = value ? json_string_value(value) : standard;
    if (!*out)
        return fault_set(why, ERR_INVALID, "'%s' of 'auto_increment' must be a text", name);
    return ERR_OK;
}

static bool is_on(const json_t *value)
{
    return json_is_true(value) || (json_is_string(value) && strcasecmp(json_string_value(value), "true") == 0);
}

static enum err find_maker(const char *name, enum maker *out, struct fault *why)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(types[i].name, name) == 0) {
            *out = types[i].maker;
            return ERR_OK;
        }
    }
    return fault_set(why, ERR_INVALID,
                     "Unsupported increment_type: %s. Supported: postgresql_serial, mysql_auto_increment, "
                     "sqlite_autoincrement, manual_sequence, uuid_generate, none",
                     name);
}

static enum err read_start(struct sql_increment *self, const json_t *given, struct fault *why)
{
    const json_t *start = get(given, "start_value", "startValue");
    self->next = start ? json_integer_value(start) : 1;
    if ((start && !json_is_integer(start)) || self->next > START_MAX || self->next < -START_MAX)
        return fault_set(why, ERR_INVALID, "'start_value' of 'auto_increment' must be a whole number of at most 2^53");
    return ERR_OK;
}

/* The sequence's name is an identifier inside a literal. */
static enum err name_sequence(struct sql_increment *self, const json_t *given, const struct sql_dialect *dialect,
                              struct fault *why)
{
    const char *name;
    struct buf standard = BUF_INIT(EXPRESSION_MAX), quoted = BUF_INIT(EXPRESSION_MAX);
    enum err err = buf_printf(&standard, "seq_%s", self->column);
    const char *standard_text = err == ERR_OK ? buf_text(&standard) : NULL;
    if (!standard_text)
        err = fault_set(why, ERR_INVALID, "'column_name' of 'auto_increment' is too long");
    if (err == ERR_OK)
        err = get_text(given, "sequence_name", "sequenceName", standard_text, &name, why);
    if (err == ERR_OK) {
        err = sql_qualified(dialect, name, strlen(name), &quoted);
        if (err == ERR_OK)
            err = buf_add_text(&self->expression, "nextval(");
        if (err == ERR_OK)
            err = sql_literal(dialect, quoted.data, quoted.len, &self->expression);
        if (err == ERR_OK)
            err = buf_add_byte(&self->expression, ')');
        if (err != ERR_OK)
            fault_set(why, ERR_INVALID, "'%s' cannot be the name of a sequence", name);
    }
    buf_fini(&standard);
    buf_fini(&quoted);
    return err == ERR_OK ? ERR_OK : ERR_INVALID;
}

enum err sql_increment_read(struct sql_increment *out, const json_t *given, const struct sql_dialect *dialect,
                            struct fault *why)
{
    *out = (struct sql_increment){.expression = BUF_INIT(EXPRESSION_MAX)};
    out->enabled = is_on(json_object_get(given, "enabled"));
    if (!out->enabled)
        return ERR_OK;
    const char *type;
    enum maker maker = BY_DATABASE;
    enum err err = get_text(given, "column_name", "columnName", "id", &out->column, why);
    if (err == ERR_OK)
        err = get_text(given, "increment_type", "incrementType", "postgresql_serial", &type, why);
    if (err == ERR_OK)
        err = find_maker(type, &maker, why);
    if (err == ERR_OK)
        err = read_start(out, given, why);
    if (err != ERR_OK)
        return err;
    out->in_insert = maker != BY_DATABASE;
    out->counted = maker == BY_DATABASE || (maker == BY_SEQUENCE && !dialect->sequences);
    if (maker == BY_UUID)
        return buf_add_text(&out->expression, dialect->uuid);
    return out->counted ? ERR_OK : name_sequence(out, given, dialect, why);
}

void sql_increment_fini(struct sql_increment *self)
{
    buf_fini(&self->expression);
}

enum err sql_increment_add(struct sql_increment *self, struct buf *to)
{
    return self->counted ? buf_printf(to, "%" PRId64, self->next++)
                         : buf_add(to, self->expression.data, self->expression.len);
}
