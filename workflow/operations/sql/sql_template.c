#include "operations/sql/sql_template.h"

#include "operations/placeholder.h"
#include "operations/sql/sql_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where the reader of the template is. The first ones are places where a value can stand. */
enum state {
    IN_CODE,
    IN_LITERAL,        /* '...' */
    IN_ESCAPE_STRING,  /* E'...' */
    IN_NAME,           /* "...": a name, or MySQL's other literal */
    IN_BACKTICK,       /* `...` */
    IN_UNICODE_STRING, /* U&'...' and U&"..." */
    IN_BRACKET,        /* [...] */
    IN_DOLLAR,         /* $tag$...$tag$ */
    IN_LINE_COMMENT,
    IN_BLOCK_COMMENT,
};

static const char *const state_names[] = {
    [IN_CODE] = "code",
    [IN_LITERAL] = "a quoted text",
    [IN_ESCAPE_STRING] = "an E'...' text",
    [IN_NAME] = "a quoted name",
    [IN_BACKTICK] = "a quoted name",
    [IN_UNICODE_STRING] = "a U& text",
    [IN_BRACKET] = "a name in brackets",
    [IN_DOLLAR] = "a $$ text",
    [IN_LINE_COMMENT] = "a comment",
    [IN_BLOCK_COMMENT] = "a comment",
};

static const enum sql_place places[] = {
    [IN_CODE] = SQL_CODE, [IN_LITERAL] = SQL_LITERAL,   [IN_ESCAPE_STRING] = SQL_ESCAPE_STRING,
    [IN_NAME] = SQL_NAME, [IN_BACKTICK] = SQL_BACKTICK,
};

enum part_kind { PART_TEXT, PART_VALUE, PART_AUTO_ID };

struct part {
    enum part_kind kind;
    enum sql_place place;
    bool behind_minus; /* a negative number here would make a comment of two minus signs */
    const char *text;  /* TEXT; for the others the placeholder, for messages */
    size_t len;
    uint32_t index; /* of the column */
    struct placeholder placeholder;
};

struct sql_template {
    const struct sql_dialect *dialect;
    size_t count, room;
    struct part *part;
};

struct reader {
    struct sql_template *template;
    const struct column_pick *names;
    const struct sql_increment *increment;
    const char *text;
    size_t len, at, text_from; /* text_from: where the text begins that is no part yet */
    enum state state;
    char quote;      /* that ends IN_UNICODE_STRING */
    const char *tag; /* of IN_DOLLAR, with both $ */
    size_t tag_len;
    unsigned depth;           /* of nested block comments */
    bool after_escape_string; /* only blanks since E'...': a literal here would continue it, backslashes and all */
};

/* --- parts --- */

static enum err add_part(struct sql_template *self, struct part part, struct fault *why)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 16;
        struct part *grown = reallocarray(self->part, room, sizeof *grown);
        if (!grown)
            return fault_set(why, ERR_MEMORY, "Out of memory while reading the template");
        self->part = grown;
        self->room = room;
    }
    self->part[self->count++] = part;
    return ERR_OK;
}

static enum err add_text(struct reader *self, size_t end, struct fault *why)
{
    struct part part = {.kind = PART_TEXT, .text = self->text + self->text_from, .len = end - self->text_from};
    return part.len > 0 ? add_part(self->template, part, why) : ERR_OK;
}

/* --- placeholders --- */

static const char *expression_of(const struct reader *self, const char *name, size_t len)
{
    if (len == strlen("current_timestamp") && memcmp(name, "current_timestamp", len) == 0)
        return self->template->dialect->now;
    if (len == strlen("current_date") && memcmp(name, "current_date", len) == 0)
        return self->template->dialect->today;
    return NULL;
}

/* What a name says by itself goes before what its signs could mean: {a:b} and {_x} may be columns. */
static const struct picked *find_column(const struct reader *self, struct part *part)
{
    struct placeholder *placeholder = &part->placeholder, pattern;
    const struct picked *whole = column_pick_find(self->names, part->text + 1, part->len - 2);
    if (whole) {
        *placeholder = (struct placeholder){.name = whole->name, .name_len = whole->len};
        return whole;
    }
    const struct picked *picked = column_pick_find(self->names, placeholder->name, placeholder->name_len);
    const struct picked *inner = NULL;
    size_t used;
    if (placeholder_parse_pattern(part->text, part->len, &pattern, &used))
        inner = column_pick_find(self->names, pattern.name, pattern.name_len);
    if (!inner || (picked && picked != inner))
        return picked;
    *placeholder = pattern;
    return inner;
}

/* Fills the part for what stands in the braces; false: nothing known. */
static bool know(const struct reader *self, struct part *part, const char **expression)
{
    struct placeholder *placeholder = &part->placeholder;
    *expression = NULL;
    if (!placeholder_parse(self->text + self->at, self->len - self->at, placeholder, &part->len))
        return false;
    part->text = self->text + self->at;
    const struct picked *picked = find_column(self, part);
    if (picked) {
        part->kind = PART_VALUE;
        part->index = picked->index;
        return true;
    }
    part->kind = PART_AUTO_ID;
    if (placeholder->name_len == strlen("auto_id") && memcmp(placeholder->name, "auto_id", 7) == 0)
        return self->increment->enabled;
    *expression = expression_of(self, placeholder->name, placeholder->name_len);
    return *expression != NULL;
}

static enum err refuse(const struct part *part, const char *reason, struct fault *why)
{
    return fault_set(why, ERR_INVALID, "The placeholder %.*s stands %s; its value could not be kept in its place",
                     (int)(part->len < 100 ? part->len : 100), part->text, reason);
}

static bool word_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

static enum err check_place(const struct reader *self, const struct part *part, bool expression, struct fault *why)
{
    char before = self->at > 0 ? self->text[self->at - 1] : ' ';
    size_t end = self->at + part->len;
    char reason[64];
    if (self->state > IN_BACKTICK || (self->state != IN_CODE && expression)) {
        snprintf(reason, sizeof reason, "in %s", state_names[self->state]);
        return refuse(part, reason, why);
    }
    if (self->state != IN_CODE)
        return ERR_OK;
    /* E{x}, N{x}, U&{x}, :{x} would make another kind of literal or name of the value's. */
    if (word_character(before) || strchr("&:@\\", before))
        return refuse(part, "directly behind a word or sign", why);
    /* {x}E'...' and {x}$$ would read as another word with a NULL before them than with a text. */
    if (end < self->len && word_character(self->text[end]))
        return refuse(part, "directly before a word", why);
    return self->after_escape_string ? refuse(part, "directly behind an E'...' text", why) : ERR_OK;
}

/* *used = 0: no placeholder here. */
static enum err take_placeholder(struct reader *self, size_t *used, struct fault *why)
{
    struct part part = {.kind = PART_VALUE};
    const char *expression;
    *used = 0;
    if (self->text[self->at] != '{' || !know(self, &part, &expression))
        return ERR_OK;
    *used = part.len;
    bool bare = expression || (part.kind == PART_AUTO_ID && !self->increment->counted);
    enum err err = check_place(self, &part, bare, why);
    if (err == ERR_OK)
        err = add_text(self, self->at, why);
    if (err != ERR_OK)
        return err;
    part.place = places[self->state];
    part.behind_minus = self->at > 0 && self->text[self->at - 1] == '-';
    if (expression) {
        part.kind = PART_TEXT;
        part.text = expression;
        part.len = strlen(expression);
    }
    self->at += *used;
    self->text_from = self->at;
    self->after_escape_string = false;
    return add_part(self->template, part, why);
}

/* --- the dialect's tokens: each function moves on by what belongs together --- */

static char look(const struct reader *self, size_t ahead)
{
    return self->at + ahead < self->len ? self->text[self->at + ahead] : '\0';
}

/* The letter stands right before and is a word of its own. */
static bool prefixed(const struct reader *self, size_t back, char letter)
{
    if (self->at < back)
        return false;
    size_t at = self->at - back;
    return (self->text[at] | 0x20) == letter && (at == 0 || !word_character(self->text[at - 1]));
}

static void enter(struct reader *self, enum state state, size_t skip)
{
    self->state = state;
    self->at += skip;
}

static bool unicode_prefix(const struct reader *self)
{
    return self->template->dialect->escape_strings && self->at >= 2 && self->text[self->at - 1] == '&' &&
           prefixed(self, 2, 'u');
}

static void enter_quotes(struct reader *self)
{
    const struct sql_dialect *dialect = self->template->dialect;
    char quote = look(self, 0);
    bool continued = self->after_escape_string;
    self->after_escape_string = false;
    self->quote = quote;
    if (unicode_prefix(self))
        enter(self, IN_UNICODE_STRING, 1);
    else if (quote == '"')
        enter(self, IN_NAME, 1);
    else if (continued || (dialect->escape_strings && prefixed(self, 1, 'e')))
        enter(self, IN_ESCAPE_STRING, 1);
    else
        enter(self, IN_LITERAL, 1);
}

static bool enter_dollar(struct reader *self)
{
    size_t end = 1;
    if (self->at > 0 && word_character(self->text[self->at - 1]))
        return false;
    while (word_character(look(self, end)) && look(self, end) != '$')
        end++;
    bool digit = look(self, 1) >= '0' && look(self, 1) <= '9';
    if (look(self, end) != '$' || digit)
        return false;
    self->tag = self->text + self->at;
    self->tag_len = end + 1;
    enter(self, IN_DOLLAR, self->tag_len);
    return true;
}

static bool enter_comment(struct reader *self)
{
    const struct sql_dialect *dialect = self->template->dialect;
    char c = look(self, 0), next = look(self, 1);
    if (dialect->hash_comments && c == '#') {
        enter(self, IN_LINE_COMMENT, 1);
    } else if (c == '-' && next == '-' && (!dialect->hash_comments || (unsigned char)look(self, 2) <= ' ')) {
        enter(self, IN_LINE_COMMENT, 2);
    } else if (c == '/' && next == '*' && dialect->hash_comments && look(self, 2) == '!') {
        self->at += 3; /* MySQL runs what is in there */
    } else if (c == '/' && next == '*') {
        self->depth = 1;
        enter(self, IN_BLOCK_COMMENT, 2);
    } else {
        return false;
    }
    return true;
}

static void read_code(struct reader *self)
{
    const struct sql_dialect *dialect = self->template->dialect;
    char c = look(self, 0);
    if (c == '\'' || c == '"') {
        enter_quotes(self);
        return;
    }
    if (enter_comment(self))
        return;
    if (!strchr(" \t\r\n\f\v", c))
        self->after_escape_string = false;
    if (c == '`' && dialect->backtick_names)
        enter(self, IN_BACKTICK, 1);
    else if (c == '[' && dialect->bracket_names)
        enter(self, IN_BRACKET, 1);
    else if (c != '$' || !dialect->dollar_quotes || !enter_dollar(self))
        self->at++;
}

static void read_quoted(struct reader *self, char quote, bool backslash)
{
    char c = look(self, 0);
    if (backslash && c == '\\') {
        self->at += self->len - self->at > 1 ? 2 : 1;
    } else if (c == quote && look(self, 1) == quote) {
        self->at += 2;
    } else if (c == quote) {
        self->after_escape_string = self->state == IN_ESCAPE_STRING;
        enter(self, IN_CODE, 1);
    } else {
        self->at++;
    }
}

static void read_block_comment(struct reader *self)
{
    char c = look(self, 0), next = look(self, 1);
    if (c == '*' && next == '/') {
        self->at += 2;
        if (--self->depth == 0)
            self->state = IN_CODE;
    } else if (c == '/' && next == '*' && self->template->dialect->nested_comments) {
        self->at += 2;
        self->depth++;
    } else {
        self->at++;
    }
}

static void read_dollar(struct reader *self)
{
    bool ends = self->len - self->at >= self->tag_len && memcmp(self->text + self->at, self->tag, self->tag_len) == 0;
    if (ends)
        enter(self, IN_CODE, self->tag_len);
    else
        self->at++;
}

static void read_on(struct reader *self)
{
    bool backslash = self->template->dialect->backslash;
    switch (self->state) {
    case IN_CODE: read_code(self); break;
    case IN_LITERAL: read_quoted(self, '\'', backslash); break;
    case IN_ESCAPE_STRING: read_quoted(self, '\'', true); break;
    case IN_NAME: read_quoted(self, '"', backslash); break;
    case IN_BACKTICK: read_quoted(self, '`', false); break;
    case IN_UNICODE_STRING: read_quoted(self, self->quote, false); break;
    case IN_BRACKET: enter(self, look(self, 0) == ']' ? IN_CODE : IN_BRACKET, 1); break;
    case IN_DOLLAR: read_dollar(self); break;
    case IN_LINE_COMMENT:
        enter(self, look(self, 0) == '\n' || look(self, 0) == '\r' ? IN_CODE : IN_LINE_COMMENT, 1);
        break;
    case IN_BLOCK_COMMENT: read_block_comment(self); break;
    }
}

/* A backslash before a placeholder would take the first byte of its value with it. */
static enum err check_backslash(const struct reader *self, size_t from, struct fault *why)
{
    struct reader inside = *self;
    struct part part = {.kind = PART_VALUE};
    const char *expression;
    inside.at = from + 1;
    if (self->at != from + 2 || self->text[from] != '\\' || self->text[from + 1] != '{' ||
        !know(&inside, &part, &expression))
        return ERR_OK;
    return refuse(&part, "behind a backslash", why);
}

static enum err read_template(struct reader *self, struct fault *why)
{
    enum err err = ERR_OK;
    while (self->at < self->len && err == ERR_OK) {
        size_t used, from = self->at;
        err = take_placeholder(self, &used, why);
        if (err != ERR_OK || used > 0)
            continue;
        read_on(self);
        err = check_backslash(self, from, why);
    }
    if (err == ERR_OK && self->state != IN_CODE && self->state != IN_LINE_COMMENT)
        err = fault_set(why, ERR_INVALID, "The template ends inside %s", state_names[self->state]);
    return err == ERR_OK ? add_text(self, self->len, why) : err;
}

enum err sql_template_new(struct sql_template **out, const struct sql_dialect *dialect, const char *text,
                          const struct column_pick *names, const struct sql_increment *increment, struct fault *why)
{
    struct sql_template *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "Out of memory while reading the template");
    self->dialect = dialect;
    struct reader reader = {
        .template = self, .names = names, .increment = increment, .text = text, .len = strlen(text)};
    enum err err = read_template(&reader, why);
    if (err != ERR_OK)
        sql_template_destroy(out);
    return err;
}

void sql_template_destroy(struct sql_template **self_p)
{
    if (*self_p)
        free((*self_p)->part);
    free(*self_p);
    *self_p = NULL;
}

/* --- a row --- */

static enum err add_number(const struct part *part, const char *digits, size_t len, struct buf *to)
{
    enum err err = part->behind_minus && digits[0] == '-' ? buf_add_byte(to, ' ') : ERR_OK;
    return err == ERR_OK ? buf_add(to, digits, len) : err;
}

static enum err add_auto_id(const struct part *part, struct sql_increment *increment, struct buf *to)
{
    bool negative = increment->counted && increment->next < 0;
    enum err err = part->behind_minus && negative ? buf_add_byte(to, ' ') : ERR_OK;
    return err == ERR_OK ? sql_increment_add(increment, to) : err;
}

/* A text cannot be quoted in one piece that has wildcards around it, which need no escape. */
static enum err add_pattern(const struct sql_template *self, const struct part *part, enum sql_place place,
                            const struct placeholder_value *value, struct buf *to)
{
    const struct placeholder *pattern = &part->placeholder;
    enum err err = buf_add(to, pattern->before, pattern->before_len);
    if (err == ERR_OK)
        err = sql_escape(self->dialect, place, value->text, value->len, to);
    return err == ERR_OK ? buf_add(to, pattern->behind, pattern->behind_len) : err;
}

static bool is_pattern(const struct placeholder *self)
{
    return self->before_len + self->behind_len > 0;
}

static enum err add_in_code(const struct sql_template *self, const struct part *part,
                            const struct placeholder_value *value, struct buf *to)
{
    if (is_pattern(&part->placeholder)) {
        enum err err = buf_add_byte(to, '\'');
        if (err == ERR_OK)
            err = add_pattern(self, part, SQL_LITERAL, value, to);
        return err == ERR_OK ? buf_add_byte(to, '\'') : err;
    }
    if (value->kind == VALUE_NUMBER)
        return add_number(part, value->text, value->len, to);
    if (value->kind == VALUE_TRUTH)
        return buf_add_text(to, self->dialect->truth[value->truth]);
    return sql_literal(self->dialect, value->text, value->len, to);
}

/* To a database an unknown truth is not false. */
static bool is_null(const struct part *part, const struct cell *cell, const struct placeholder_value *value)
{
    bool empty = cell->kind != CELL_TEXT || cell->len == 0;
    bool unknown = empty && !part->placeholder.has_default && part->placeholder.type == PLACEHOLDER_BOOL;
    return value->kind == VALUE_NULL || unknown;
}

static enum err add_value(const struct sql_template *self, const struct part *part, const struct cell *cell,
                          struct buf *to)
{
    struct placeholder_value value;
    placeholder_value(&part->placeholder, cell, &value);
    bool in_code = part->place == SQL_CODE;
    if (is_null(part, cell, &value))
        return in_code ? buf_add(to, "NULL", 4) : ERR_OK;
    return in_code ? add_in_code(self, part, &value, to) : add_pattern(self, part, part->place, &value, to);
}

enum err sql_template_add(const struct sql_template *self, const struct row *row, struct sql_increment *increment,
                          struct buf *to, struct fault *why)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct part *part = &self->part[i];
        enum err err = ERR_OK;
        switch (part->kind) {
        case PART_TEXT: err = buf_add(to, part->text, part->len); break;
        case PART_AUTO_ID: err = add_auto_id(part, increment, to); break;
        case PART_VALUE: err = add_value(self, part, &row->cell[part->index], to); break;
        }
        if (err != ERR_OK)
            return sql_file_value_fault(err, row->number, part->placeholder.name, part->placeholder.name_len, why);
    }
    return ERR_OK;
}
