/* log - structured one-line logs: `2026-11-22T17:39:22.721654Z info broker job accepted chat=... job=...`.
 *
 * One line a call, written with one write(2) to standard error (and to the file when log_open() named one), so lines of
 * several threads and processes never mix. Values with blanks, quotes or control characters are printed as JSON
 * strings. The first argument is a short sentence for people; the rest are key/value pairs: log_info("job accepted",
 * "chat", id, "job", job, NULL). Any thread. */
#ifndef LOG_H
#define LOG_H

#include "err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* `program` is borrowed for ever ("broker"); `path` NULL or "" = standard error only. */
enum err log_open(const char *program, enum log_level level, const char *path, struct fault *why) MUST_CHECK;
bool log_level_parse(const char *text, enum log_level *out); /* "debug", "INFO", "warning", "error" */

/* With a file open, lines below this level go to the file alone (default: all go to standard error too). */
void log_stderr_level(enum log_level level);
/* Passes on a line another program wrote, without its line feed; standard error and file by the same rules. What is not
 * in our format (an assertion, a sanitizer's report) counts as a warning. */
void log_pass(const char *line, size_t len);

/* Pairs of const char *key, const char *value, ended by NULL. */
void log_write(enum log_level level, const char *sentence, ...) __attribute__((sentinel));
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)

/* A number as text for a pair; the buffer is a compound literal that lives until the end of the enclosing block. */
#define LOG_NUMBER(n) log_number((long long)(n), (char[24]){0})
const char *log_number(long long n, char out[24]);

#endif
