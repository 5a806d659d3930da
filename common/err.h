/* err - what can fail returns `enum err`; what a *user* must read travels beside it in a `struct fault`.
 *
 * A fault is written once, where the reason is known, and may be prefixed on its way up ("CSV operation failed: ...").
 * Log an error once, where it is handled. assert() is for our own bugs only, never for what came by socket or file.
 * Any thread; no shared state. */
#ifndef ERR_H
#define ERR_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err {
    ERR_OK = 0,
    ERR_END,         /* no more rows, no more frames: a normal answer */
    ERR_TIMEOUT,     /* a named deadline passed */
    ERR_FULL,        /* a bounded queue or table is full: a normal answer with a named policy */
    ERR_NOT_FOUND,   /* the named thing does not exist */
    ERR_EXISTS,      /* the name is taken */
    ERR_CONFLICT,    /* the thing is in a state that forbids this */
    ERR_INVALID,     /* what the user gave is wrong: argument, file content, configuration */
    ERR_UNSUPPORTED, /* understood, but not offered */
    ERR_TOO_LARGE,   /* beyond a named limit */
    ERR_DENIED,      /* not allowed */
    ERR_UNAVAILABLE, /* a peer or a resource is away; trying later may help */
    ERR_NO_SPACE,    /* disk full or quota */
    ERR_IO,          /* the system refused a read or write */
    ERR_MEMORY,      /* allocation failed or the step's memory limit was reached */
    ERR_PROTOCOL,    /* a peer broke the wire format */
    ERR_CANCELLED,   /* stopped on request */
    ERR_INTERNAL,    /* our bug, met without crashing */
};

#define FAULT_TEXT_MAX 1024 /* bytes with the final NUL; a longer text is cut at a UTF-8 boundary and ends in "..." */

struct fault {
    enum err code;
    char text[FAULT_TEXT_MAX];
};

/* The code's short English name, e.g. "not found"; never NULL. */
const char *err_name(enum err code);

/* ENOSPC and EDQUOT -> ERR_NO_SPACE, ENOMEM -> ERR_MEMORY, ENOENT -> ERR_NOT_FOUND, EACCES and EPERM -> ERR_DENIED,
 * EEXIST -> ERR_EXISTS, anything else ERR_IO. */
enum err err_from_errno(int error_number);

/* Writes code and text and returns the code, so that `return fault_set(why, ERR_INVALID, "...")` reads well.
 * `why` may be NULL: then only the code is returned. */
enum err fault_set(struct fault *why, enum err code, const char *format, ...) PRINTF_LIKE(3, 4);

/* "WHAT: strerror(errno)" with the code of err_from_errno(). */
enum err fault_errno(struct fault *why, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts a text before what stands there; the code stays. NULL is allowed. */
void fault_prefix(struct fault *why, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
