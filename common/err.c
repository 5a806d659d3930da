#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [ERR_OK] = "ok",
    [ERR_END] = "end",
    [ERR_TIMEOUT] = "timeout",
    [ERR_FULL] = "full",
    [ERR_NOT_FOUND] = "not found",
    [ERR_EXISTS] = "exists",
    [ERR_CONFLICT] = "conflict",
    [ERR_INVALID] = "invalid",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_TOO_LARGE] = "too large",
    [ERR_DENIED] = "denied",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_NO_SPACE] = "no space",
    [ERR_IO] = "input/output error",
    [ERR_MEMORY] = "out of memory",
    [ERR_PROTOCOL] = "protocol error",
    [ERR_CANCELLED] = "cancelled",
    [ERR_INTERNAL] = "internal error",
};

const char *err_name(enum err code)
{
    size_t i = (size_t)code;
    return i < sizeof names / sizeof *names ? names[i] : "unknown";
}

enum err err_from_errno(int error_number)
{
    switch (error_number) {
    case ENOSPC:
    case EDQUOT: return ERR_NO_SPACE;
    case ENOMEM: return ERR_MEMORY;
    case ENOENT: return ERR_NOT_FOUND;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case EEXIST: return ERR_EXISTS;
    default: return ERR_IO;
    }
}

/* A text that did not fit ends in "..." and not in half a UTF-8 character. */
static void mark_cut(char *text, size_t size)
{
    size_t end = size - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    memcpy(text + end, "...", 4);
}

static void PRINTF_LIKE(2, 0) write_text(struct fault *why, const char *format, va_list args)
{
    int len = vsnprintf(why->text, sizeof why->text, format, args);
    if (len < 0)
        why->text[0] = '\0';
    else if ((size_t)len >= sizeof why->text)
        mark_cut(why->text, sizeof why->text);
}

enum err fault_set(struct fault *why, enum err code, const char *format, ...)
{
    if (why) {
        va_list args;
        va_start(args, format);
        why->code = code;
        write_text(why, format, args);
        va_end(args);
    }
    return code;
}

enum err fault_errno(struct fault *why, const char *format, ...)
{
    int saved = errno;
    if (why) {
        va_list args;
        va_start(args, format);
        write_text(why, format, args);
        va_end(args);
        why->code = err_from_errno(saved);
        size_t len = strlen(why->text);
        snprintf(why->text + len, sizeof why->text - len, ": %s", strerror(saved));
    }
    return err_from_errno(saved);
}

void fault_prefix(struct fault *why, const char *format, ...)
{
    if (!why)
        return;
    struct fault old = *why;
    va_list args;
    va_start(args, format);
    write_text(why, format, args);
    va_end(args);
    size_t len = strlen(why->text);
    if ((size_t)snprintf(why->text + len, sizeof why->text - len, "%s", old.text) >= sizeof why->text - len)
        mark_cut(why->text, sizeof why->text);
}
