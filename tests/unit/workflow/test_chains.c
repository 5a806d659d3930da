/* Random chains of operations over random tables of odd texts, each run three ways side by side: through spools with
 * the files of all steps, through spools with the last file only, and with the file of each step read as if it had been
 * uploaded. The last files must be equal, and failures too. A chain that differs is named by its number alone: it is
 * the seed. */
#include "step_case.h"
#include "workbook_build.h"

#include "table/xlsx_text.h"

#include <inttypes.h>

#define CHAINS      1000
#define STEPS_MAX   4
#define COLUMNS_MAX 4
#define ROWS_MAX    7
#define FILE_MAX    (1u << 20)

static uint64_t luck;

/* splitmix64 */
static uint32_t pick(uint32_t below)
{
    uint64_t x = luck += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((x ^ x >> 31) % below);
}

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        .kind = CELL_TEXT, .len = sizeof(literal) - 1, .is.text = (literal)                                            \
    }

static const struct cell texts[] = {
    {.kind = CELL_EMPTY},
    {.kind = CELL_EMPTY},
    TEXT("plain"),
    TEXT("=1+2"),
    TEXT("-5"),
    TEXT("+A1"),
    TEXT("@x"),
    TEXT("_x0041_"),
    TEXT("_x000D_"),
    TEXT("_x005F_x0041_"),
    TEXT("_x0000_"),
    TEXT("_"),
    TEXT("a\nb"),
    TEXT("a\r\nb"),
    TEXT("\r"),
    TEXT("\n"),
    TEXT("say \"x\""),
    TEXT("\""),
    TEXT("it's"),
    TEXT(" a  b "),
    TEXT(" "),
    TEXT("\t"),
    TEXT("\tx\t"),
    TEXT("a;b"),
    TEXT("a|b|c"),
    TEXT("1,5"),
    TEXT("1e-07"),
    TEXT("2.0"),
    TEXT("1E+20"),
    TEXT("007"),
    TEXT("-0.0"),
    TEXT("123456789012345678901"),
    TEXT("True"),
    TEXT("null"),
    TEXT("#N/A"),
    TEXT("2024-01-15"),
    TEXT("<b>&amp;</b>"),
    TEXT("Zo\xC3\xAB"),
    TEXT("stra\xC3\x9F"
         "e"),
    TEXT("\xF0\x9F\x98\x80"),
    TEXT("\xEF\xBB\xBFmark"),
    TEXT("\xEF\xBF\xBE"),
    TEXT("\xEF\xBF\xBD"),
    TEXT("\x01"),
    TEXT("\x0B\x0C\x1F\x7F"),
    TEXT("\xC2\x85\xC2\xA0\xE2\x80\xA8"),
    TEXT("Unnamed: 0"),
    TEXT("x"),
    TEXT("x"),
    TEXT("x.1"),
};

static struct cell any_text(void)
{
    return texts[pick(sizeof texts / sizeof *texts)];
}

/* --- the first table --- */

struct table {
    uint32_t columns, rows;
    struct cell name[COLUMNS_MAX], cell[ROWS_MAX * COLUMNS_MAX];
};

/* Misleads a reader that finds it in every row. */
static struct cell misleading_text(void)
{
    static const struct cell misleading[] = {TEXT("a;b"), TEXT("a|b|c"), TEXT("a\tb"), TEXT(" ")};
    return misleading[pick(4)];
}

static struct table any_table(void)
{
    struct table table = {.columns = 1 + pick(COLUMNS_MAX), .rows = pick(ROWS_MAX + 1)};
    bool alike = pick(4) == 0;
    struct cell same = pick(2) ? any_text() : misleading_text();
    for (uint32_t i = 0; i < table.columns; i++)
        table.name[i] = alike ? same : any_text();
    for (uint32_t i = 0; i < table.rows; i++) {
        bool empty = pick(4) == 0;
        for (uint32_t j = 0; j < table.columns; j++)
            table.cell[i * table.columns + j] = empty ? cell_empty() : alike ? same : any_text();
    }
    return table;
}

static void add_sheet_cell(struct buf *xml, const struct cell *cell, uint32_t column, uint32_t row)
{
    static const char *const untexted[] = {
        " t=\"e\"><v>#N/A</v></c>", " t=\"e\"><v>#DIV/0!</v></c>", " t=\"b\"><v>1</v></c>",
        "><v>2.0</v></c>",          "><v>1e-07</v></c>",           "><v>0.30000000000000004</v></c>",
    };
    table_must(buf_printf(xml, "<c r=\"%c%u\"", 'A' + (int)column, row) == ERR_OK);
    if (pick(3) == 0) {
        table_must(buf_add_text(xml, untexted[pick(sizeof untexted / sizeof *untexted)]) == ERR_OK);
        return;
    }
    table_must(buf_add_text(xml, " t=\"inlineStr\"><is><t xml:space=\"preserve\">") == ERR_OK);
    if (cell->kind == CELL_TEXT)
        table_must(xlsx_text_escape(xml, cell->is.text, cell->len) == ERR_OK);
    table_must(buf_add_text(xml, "</t></is></c>") == ERR_OK);
}

/* Numbers, truth values and error values are in the sheet too, which no file of ours would hold. */
static int as_workbook(const struct table *table)
{
    struct buf xml = BUF_INIT(FILE_MAX);
    table_must(buf_add_text(&xml, "<worksheet " MAIN_SPACE "><sheetData>") == ERR_OK);
    for (uint32_t row = 0; row <= table->rows; row++) {
        table_must(buf_printf(&xml, "<row r=\"%u\">", row + 1) == ERR_OK);
        const struct cell *cells = row == 0 ? table->name : table->cell + (size_t)(row - 1) * table->columns;
        for (uint32_t i = 0; i < table->columns; i++)
            if (row == 0 || cells[i].kind != CELL_EMPTY)
                add_sheet_cell(&xml, &cells[i], i, row + 1);
        table_must(buf_add_text(&xml, "</row>") == ERR_OK);
    }
    table_must(buf_add_text(&xml, "</sheetData></worksheet>") == ERR_OK);
    int fd = workbook_with(buf_text(&xml), NULL, NULL);
    buf_fini(&xml);
    return fd;
}

/* --- the arguments of a step, which the columns it will find decide --- */

struct step_call {
    const char *operation;
    json_t *arguments;
    int side_fd; /* "side.csv", or -1 */
};

static json_t *text_of(struct cell cell)
{
    return json_stringn(cell.kind == CELL_TEXT ? cell.is.text : "", cell.kind == CELL_TEXT ? cell.len : 0);
}

static json_t *any_column(const struct columns *columns)
{
    return columns->count > 0 ? text_of(columns->name[pick(columns->count)]) : json_string("none");
}

static json_t *any_columns(const struct columns *columns)
{
    json_t *list = json_array();
    for (uint32_t i = 1 + pick(3); i > 0; i--)
        json_array_append_new(list, any_column(columns));
    return list;
}

static const char *any_format(void)
{
    static const char *const formats[] = {"xlsx", "csv", "json"};
    return formats[pick(3)];
}

static struct step_call call_convert(const struct columns *in)
{
    (void)in;
    return (struct step_call){"csv/convert-to-excel", json_pack("{s:s}", "sheet_name", "A b"), -1};
}

static struct step_call call_search(const struct columns *in)
{
    static const char *const operators[] = {"not_equals", "not_contains", "is_not_empty", "contains"};
    json_t *arguments = json_pack("{s:[{s:o, s:s, s:o}, {s:o, s:s}], s:s, s:s}", "conditions", "column", any_column(in),
                                  "operator", operators[pick(4)], "value", text_of(any_text()), "column",
                                  any_column(in), "operator", pick(2) ? "is_empty" : "is_not_empty", "logic",
                                  pick(4) ? "OR" : "AND", "output_format", any_format());
    return (struct step_call){pick(2) ? "csv/search" : "excel/search", arguments, -1};
}

static struct step_call call_extract(const struct columns *in)
{
    return (struct step_call){"excel/extract-columns-to-file",
                              json_pack("{s:o, s:b}", "columns", any_columns(in), "remove_duplicates", pick(2)), -1};
}

static struct step_call call_map(const struct columns *in)
{
    static const char *const standards[] = {"7", "2.0", "1e-07", "1e+20", "true", "false", "\"_x0041_\"", "0.1"};
    json_t *mapping = json_pack("{s:o}", "kept", any_column(in));
    if (pick(4) == 0)
        return (struct step_call){"excel/map-columns", json_pack("{s:o}", "mapping", mapping), -1};
    json_object_set_new(mapping, "filled",
                        json_pack("{s:o, s:o}", "source", any_column(in), "default",
                                  json_loads(standards[pick(8)], JSON_DECODE_ANY, NULL)));
    json_object_set_new(mapping, "constant",
                        json_pack("{s:o}", "default", json_loads(standards[pick(8)], JSON_DECODE_ANY, NULL)));
    if (pick(2))
        json_object_set_new(mapping, "missing", json_string("no such column"));
    return (struct step_call){"excel/map-columns", json_pack("{s:o}", "mapping", mapping), -1};
}

static struct step_call call_normalize(const struct columns *in)
{
    static const char *const types[] = {
        "uppercase",       "trim_whitespace", "remove_special_chars", "min_max_scale",   "z_score",
        "round_decimal",   "integer_convert", "currency_format",      "date_format",     "date_extract_year",
        "boolean_convert", "yes_no_convert",  "remove_duplicates",    "fill_null_values"};
    json_t *list = json_pack("[{s:o, s:s, s:{s:s, s:s}}]", "column_name", any_column(in), "normalization_type",
                             "regex_replace", "parameters", "pattern", "x", "replacement", "<\\0>");
    for (uint32_t i = 1 + pick(3); i > 0; i--)
        json_array_append_new(list, json_pack("{s:o, s:s, s:b}", "column_name", any_column(in), "normalization_type",
                                              types[pick(sizeof types / sizeof *types)], "backup_original", pick(2)));
    return (struct step_call){"normalization/apply", json_pack("{s:o}", "normalizations", list), -1};
}

static struct step_call call_bind(const struct columns *in)
{
    static const char *const bound[] = {"bound 1", "bound 2", "bound 3"};
    json_t *key = any_column(in), *column = json_string(bound[pick(3)]);
    struct cell names[2] = {cell_text(json_string_value(key), json_string_length(key)),
                            cell_text(json_string_value(column), json_string_length(column))};
    struct cell cells[2 * ROWS_MAX];
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        cells[i] = any_text();
    return (struct step_call){.operation = "excel/bind-single-key",
                              .side_fd = table_written_file(&csv_sink, names, cells, 2, ROWS_MAX),
                              .arguments =
                                  json_pack("{s:s, s:o, s:[o], s:s}", "bind_file", "side.csv", "comparison_column", key,
                                            "bind_columns", column, "output_format", any_format())};
}

static struct step_call call_json(const struct columns *in)
{
    (void)in;
    static const char *const nulls[] = {"include", "exclude", "default"};
    return (struct step_call){"json/generate", json_pack("{s:s}", "null_handling", nulls[pick(3)]), -1};
}

static struct step_call call_sql(const struct columns *in)
{
    (void)in;
    return (struct step_call){"sql/generate", json_pack("{s:s}", "database_type", "mysql"), -1};
}

#define ROW_MAKERS 6
static struct step_call (*const calls[])(const struct columns *) = {
    call_convert, call_search, call_extract, call_map, call_normalize, call_bind, call_json, call_sql,
};

/* --- the three ways --- */

struct way_run {
    const char *what;
    bool files; /* of steps before the last */
    bool reads_files;
    int input_fd;
    const char *input_name;
    enum err err;
    struct fault why;
    struct step_outcome outcome;
    int output_fd, spool_fd;
};

static const char *file_name(void *context, const char *suffix)
{
    (void)suffix;
    return context;
}

static void run_way(struct way_run *way, const struct step_call *call, bool last)
{
    struct step_side side = {.name = "side.csv", .fd = call->side_fd};
    way->output_fd = last || way->files ? table_file("", 0) : -1;
    way->spool_fd = last ? -1 : table_file("", 0);
    struct step_plan plan = {.operation = call->operation,
                             .arguments = call->arguments,
                             .input_fd = way->input_fd,
                             .input_name = way->input_name,
                             .output_fd = way->output_fd,
                             .spool_fd = way->spool_fd,
                             .stem = "out",
                             .output_bytes_max = FILE_MAX,
                             .excel_info_sheet = true,
                             .sides = &side,
                             .side_count = call->side_fd >= 0,
                             .output_name = file_name,
                             .context = (char[]){"out"}};
    way->why = (struct fault){.code = ERR_OK};
    way->err = step_run(&plan, &way->outcome, &way->why);
    json_decref(way->outcome.result);
    way->outcome.result = NULL;
}

/* What the step has made becomes the next one's input. (A JSON file without rows has lost its columns.) */
static void go_on(struct way_run *way)
{
    const char *suffix = way->outcome.suffix ? way->outcome.suffix : "";
    bool lost = strcmp(suffix, ".json") == 0 && way->outcome.rows_written == 0;
    bool file = way->reads_files && !lost;
    close(way->input_fd);
    way->input_fd = file ? way->output_fd : way->spool_fd;
    int other = file ? way->spool_fd : way->output_fd;
    if (other >= 0)
        close(other);
    way->input_name = !file                          ? "spool"
                      : strcmp(suffix, ".csv") == 0  ? "a.csv"
                      : strcmp(suffix, ".json") == 0 ? "a.json"
                                                     : "a.xlsx";
}

/* The time of day is in a comment of SQL files. */
static void check_files(uint32_t chain, const struct way_run *one, const struct way_run *other, bool sql)
{
    size_t one_len, other_len;
    char *a = table_bytes(one->output_fd, &one_len), *b = table_bytes(other->output_fd, &other_len);
    const char *from = sql ? strstr(a, "-- Total rows") : a, *other_from = sql ? strstr(b, "-- Total rows") : b;
    assert_non_null(from);
    assert_non_null(other_from);
    one_len -= (size_t)(from - a);
    other_len -= (size_t)(other_from - b);
    if (one_len != other_len || memcmp(from, other_from, one_len) != 0)
        fail_msg("chain %u: the last file %s is not the one %s", chain, other->what, one->what);
    free(a);
    free(b);
}

static void show_call(uint32_t chain, const struct step_call *call)
{
    char *text = json_dumps(call->arguments, 0);
    printf("chain %u: %s %s\n", chain, call->operation, text);
    free(text);
}

#define WAYS 3

static void check_step(uint32_t chain, const struct way_run *way, const struct step_call *call, bool last)
{
    for (int i = 1; i < WAYS; i++) {
        if (way[i].err != way[0].err || strcmp(way[i].why.text, way[0].why.text) != 0) {
            show_call(chain, call);
            fail_msg("chain %u: %s it ends with '%s', %s with '%s'", chain, way[0].what, way[0].why.text, way[i].what,
                     way[i].why.text);
        }
        if (last && way[0].err == ERR_OK)
            check_files(chain, &way[0], &way[i], strstr(call->operation, "sql") != NULL);
    }
}

/* The columns that the step will find. */
static struct step_call any_call(const struct way_run *way, bool last)
{
    struct source *source;
    struct fault why;
    struct columns none = {.count = 0};
    bool open = source_open(&source, way->input_fd, way->input_name, NULL, &why) == ERR_OK;
    uint32_t makers = last ? sizeof calls / sizeof *calls : ROW_MAKERS;
    struct step_call call = calls[pick(makers)](open ? &source->columns : &none);
    source_destroy(&source);
    return call;
}

/* Whether all steps succeeded. */
static bool run_chain(uint32_t chain)
{
    luck = chain;
    struct table table = any_table();
    uint32_t kind = pick(3), steps = 1 + pick(STEPS_MAX);
    int first = kind == 0 ? as_workbook(&table)
                          : table_written_file(kind == 1 ? &csv_sink : &json_sink, table.name, table.cell,
                                               table.columns, table.rows);
    static const char *const names[] = {"in.xlsx", "in.csv", "in.json"};
    struct way_run way[WAYS] = {{.what = "with files", .files = true},
                                {.what = "without files"},
                                {.what = "through files", .files = true, .reads_files = true}};
    for (int i = 0; i < WAYS; i++) {
        way[i].input_fd = dup(first);
        way[i].input_name = names[kind];
    }
    close(first);
    bool good = true;
    for (uint32_t step = 0; step < steps && good; step++) {
        bool last = step + 1 == steps;
        struct step_call call = any_call(&way[0], last);
        for (int i = 0; i < WAYS; i++)
            run_way(&way[i], &call, last);
        check_step(chain, way, &call, last);
        good = way[0].err == ERR_OK;
        for (int i = 0; i < WAYS; i++)
            go_on(&way[i]);
        json_decref(call.arguments);
        if (call.side_fd >= 0)
            close(call.side_fd);
    }
    for (int i = 0; i < WAYS; i++)
        if (way[i].input_fd >= 0)
            close(way[i].input_fd);
    return good;
}

static void a_chain_gives_the_same_file_whichever_way_its_tables_go(void **state)
{
    (void)state;
    const char *more = getenv("SHEETWIRE_CHAINS");
    uint32_t chains = more ? (uint32_t)atoi(more) : CHAINS, good = 0;
    for (uint32_t chain = 1; chain <= chains; chain++)
        good += run_chain(chain);
    printf("%u of %u chains ran to their ends\n", good, chains);
    assert_true(good > chains / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_gives_the_same_file_whichever_way_its_tables_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
