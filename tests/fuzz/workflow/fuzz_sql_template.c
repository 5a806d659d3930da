/* The input is a dialect's number, a template, a NUL byte, and the text of a cell. Whatever the value is, it stays in
 * its place: read by the dialect's rules, the statement with the value ends outside of all quotes as the template does.
 */
#include "operations/sql/sql_template.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool yes)
{
    if (!yes)
        abort();
}

static const char *const dialects[] = {"postgresql", "mysql", "sqlite"};
static struct picked items[] = {{.name = "x", .len = 1}, {.name = "y:z", .len = 3}};
static const struct column_pick names = {.count = 2, .item = items};
static const struct column_pick no_names = {.count = 0};

/* A statement is a template without placeholders: it must be taken, which means that it ends in code. */
static void check_statement(const struct sql_dialect *dialect, const char *statement)
{
    struct sql_increment none = {.enabled = false};
    struct sql_template *self;
    struct fault why;
    enum err err = sql_template_new(&self, dialect, statement, &no_names, &none, &why);
    must(err == ERR_OK || strstr(why.text, "placeholder")); /* {current_date}, come together from pieces */
    sql_template_destroy(&self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct sql_dialect *dialect = sql_dialect_find(dialects[data[0] % 3]);
    char *text = malloc(size);
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    size_t len = strlen(text), value_at = len + 1 < size ? len + 1 : len;
    const struct cell cell = cell_text(text + value_at, size - 1 > value_at ? size - 1 - value_at : 0);
    const struct row row = {.number = 1, .count = 1, .cell = &cell};
    struct sql_increment increment = {.enabled = true, .counted = true, .next = -1};
    struct sql_template *self;
    struct fault why = {.text = ""};
    struct buf out = BUF_INIT(16u << 20);
    if (sql_template_new(&self, dialect, text, &names, &increment, &why) != ERR_OK)
        must(why.text[0] != '\0');
    else if (sql_template_add(self, &row, &increment, &out, &why) == ERR_OK &&
             !memchr(out.data ? out.data : "", 0, out.len))
        check_statement(dialect, buf_text(&out));
    sql_template_destroy(&self);
    buf_fini(&out);
    free(text);
    return 0;
}
