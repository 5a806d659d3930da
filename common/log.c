#include "log.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A longer line is cut: logs stay readable and a line stays one write(2). */
#define LINE_MAX_BYTES 4096

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error"};

static const char *program_name = "sheetwire";
static _Atomic int least_level = LOG_INFO;
static _Atomic int least_stderr_level = LOG_DEBUG;
static _Atomic int file_fd = -1;

enum err log_open(const char *program, enum log_level level, const char *path, struct fault *why)
{
    int fd = -1;
    if (path && path[0]) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0)
            return fault_errno(why, "cannot open log file %s", path);
    }
    program_name = program;
    atomic_store(&least_level, (int)level);
    int old = atomic_exchange(&file_fd, fd);
    if (old >= 0)
        close(old);
    return ERR_OK;
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_number(long long n, char out[24])
{
    snprintf(out, 24, "%lld", n);
    return out;
}

struct line {
    char text[LINE_MAX_BYTES];
    size_t len; /* at most LINE_MAX_BYTES - 1, so that the line feed always fits */
};

static void add(struct line *line, const char *bytes, size_t len)
{
    size_t room = sizeof line->text - 1 - line->len;
    if (len > room)
        len = room;
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

static void add_text(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

static void add_escaped(struct line *line, unsigned char c)
{
    char escape[8];
    int len;
    if (c == '"' || c == '\\')
        len = snprintf(escape, sizeof escape, "\\%c", c);
    else if (c == '\n')
        len = snprintf(escape, sizeof escape, "\\n");
    else if (c < 0x20 || c == 0x7F)
        len = snprintf(escape, sizeof escape, "\\u%04x", c);
    else
        len = snprintf(escape, sizeof escape, "%c", c);
    add(line, escape, (size_t)len);
}

/* A sentence is never quoted, but it may carry a peer's bytes: what could forge a second line is escaped all the same.
 */
static void add_sentence(struct line *line, const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            add_escaped(line, (unsigned char)*text);
        else
            add(line, text, 1);
    }
}

static bool is_plain(const char *value)
{
    if (!*value)
        return false;
    for (; *value; value++)
        if ((unsigned char)*value <= 0x20 || *value == '"' || *value == '=' || *value == '\\' || *value == 0x7F)
            return false;
    return true;
}

static void add_value(struct line *line, const char *value)
{
    if (is_plain(value)) {
        add_text(line, value);
        return;
    }
    add(line, "\"", 1);
    for (; *value; value++)
        add_escaped(line, (unsigned char)*value);
    add(line, "\"", 1);
}

/* Nothing can be done about a log that cannot be written; the program goes on. */
static void write_line(int fd, const struct line *line)
{
    ssize_t sent;
    do
        sent = write(fd, line->text, line->len);
    while (sent < 0 && errno == EINTR);
}

static void send_line(enum log_level level, struct line *line)
{
    int fd = atomic_load(&file_fd);
    line->text[line->len++] = '\n';
    if (fd < 0 || (int)level >= atomic_load(&least_stderr_level))
        write_line(STDERR_FILENO, line);
    if (fd >= 0)
        write_line(fd, line);
}

void log_stderr_level(enum log_level level)
{
    atomic_store(&least_stderr_level, (int)level);
}

/* The second word of "2026-11-22T17:39:22.721654Z info broker ..."; the first must look like a time. */
static enum log_level level_of(const char *line, size_t len)
{
    char word[16];
    enum log_level level;
    const char *blank = memchr(line, ' ', len);
    if (!blank || blank - line < 20 || line[4] != '-' || blank[-1] != 'Z')
        return LOG_WARNING;
    size_t left = len - (size_t)(blank + 1 - line), end = 0;
    while (end < left && end < sizeof word - 1 && blank[1 + end] != ' ')
        end++;
    memcpy(word, blank + 1, end);
    word[end] = '\0';
    return log_level_parse(word, &level) ? level : LOG_WARNING;
}

void log_pass(const char *line, size_t len)
{
    struct line copy = {.len = 0};
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            add_escaped(&copy, (unsigned char)line[i]);
        else
            add(&copy, line + i, 1);
    }
    send_line(level_of(line, len), &copy);
}

void log_write(enum log_level level, const char *sentence, ...)
{
    if ((int)level < atomic_load(&least_level))
        return;
    int saved_errno = errno;
    struct line line = {.len = 0};
    char time[CLOCK_TEXT_MAX];
    size_t time_len = clock_rfc3339(clock_wall_us(), time);
    add(&line, time, time_len);
    const char *const head[] = {" ", level_names[level], " ", program_name, " "};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        add_text(&line, head[i]);
    add_sentence(&line, sentence);

    va_list pairs;
    va_start(pairs, sentence);
    for (const char *key = va_arg(pairs, const char *); key; key = va_arg(pairs, const char *)) {
        const char *value = va_arg(pairs, const char *);
        add(&line, " ", 1);
        add_text(&line, key);
        add(&line, "=", 1);
        add_value(&line, value ? value : "");
    }
    va_end(pairs);

    send_line(level, &line);
    errno = saved_errno;
}
