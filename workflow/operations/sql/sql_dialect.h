/* sql_dialect - how three databases write literals, identifiers and a few expressions: one table.
 *
 * What is written here must hold whatever bytes it is given, because cells, column names and table names come from
 * strangers. Literals are right for each database's standard settings: PostgreSQL with standard_conforming_strings
 * (its default since 9.1), MySQL without NO_BACKSLASH_ESCAPES, both reading the file as the UTF-8 it is.
 * Sources: PostgreSQL 15 manual 4.1, MySQL 8.0 manual 9.1 and 9.2, SQLite "lang_expr" and "lang_keywords". */
#ifndef SQL_DIALECT_H
#define SQL_DIALECT_H

#include "buf.h"

struct sql_dialect {
    const char *name;    /* "postgresql" */
    const char *aliases; /* comma-separated other names, or NULL */
    const char *begin;   /* "BEGIN;" */
    char name_quote;     /* around identifiers: " or ` */
    bool backslash;      /* a backslash escapes in literals, and so does it write quotes */
    bool sequences;      /* has nextval() */
    bool escape_strings; /* E'...' is a literal with backslashes, U&'...' another */
    bool dollar_quotes;  /* $tag$...$tag$ */
    bool backtick_names; /* `name` */
    bool bracket_names;  /* [name] */
    bool hash_comments;  /* # to the end of the line; -- needs a blank behind it */
    bool nested_comments;
    const char *now, *today, *uuid, *truth[2];
    uint8_t reserved_in; /* this dialect's bit in the table of reserved words */
};

/* By name or alias, in any case; NULL when there is none. */
const struct sql_dialect *sql_dialect_find(const char *name);
extern const struct sql_dialect *const sql_dialect_postgresql;

/* Where text stands that is put into SQL. */
enum sql_place {
    SQL_CODE,          /* outside of everything: it brings its own quotes */
    SQL_LITERAL,       /* inside '...' as the dialect reads it */
    SQL_ESCAPE_STRING, /* inside E'...' */
    SQL_NAME,          /* inside "..." */
    SQL_BACKTICK,      /* inside `...` */
};

/* The text as it must stand at the place, without the quotes around it. ERR_INVALID: it holds a NUL byte, which the
 * dialect cannot write; ERR_FULL: the buffer is full. */
enum err sql_escape(const struct sql_dialect *self, enum sql_place place, const char *text, size_t len,
                    struct buf *to) MUST_CHECK;
/* The same as a whole literal: 'it''s'. */
enum err sql_literal(const struct sql_dialect *self, const char *text, size_t len, struct buf *to) MUST_CHECK;

/* A name as it is when it is a plain word and not reserved, otherwise quoted. A name that already is a well-formed
 * quoted identifier stays. ERR_INVALID: empty, or with a NUL byte. */
enum err sql_identifier(const struct sql_dialect *self, const char *name, size_t len, struct buf *to) MUST_CHECK;
/* The same for a table or sequence, whose name may have dots: each part by itself. */
enum err sql_qualified(const struct sql_dialect *self, const char *name, size_t len, struct buf *to) MUST_CHECK;

#endif
