/* document - a page of docs/ as one text, for tests that hold it to a table of the code. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOCUMENT_BYTES_MAX (1 << 20)

/* name: "docs/protocol.md", from the root of the tree. Freed by the caller. */
static inline char *document_read(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s cannot be opened", path);
    char *text = calloc(1, DOCUMENT_BYTES_MAX);
    assert_non_null(text);
    size_t len = fread(text, 1, DOCUMENT_BYTES_MAX - 1, file);
    assert_in_range(len, 1, DOCUMENT_BYTES_MAX - 2);
    fclose(file);
    return text;
}

/* The first line that begins so, without its end; fails when there is none. Freed by the caller. */
static inline char *document_line(const char *text, const char *beginning)
{
    for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, beginning, strlen(beginning)) == 0)
            return strndup(at, strcspn(at, "\n"));
    fail_msg("no line begins with: %s", beginning);
    return NULL;
}

#endif
