/* report - what a step's process says through its pipe, and how the worker reads it.
 *
 * A message: u32 length of the rest (little-endian), u8 kind, fields as in wire/pack.h. The last message is DONE,
 * FAILED or FORBIDDEN; what follows it is not read. The process may have been taken over by the file it read, so the
 * reader trusts nothing: lengths are bounded, enums checked, texts cut, and a broken message is ERR_PROTOCOL for good.
 * A reader belongs to one thread. */
#ifndef REPORT_H
#define REPORT_H

#include "wire/pack.h"

#define REPORT_BYTES_MAX   (1u << 20) /* one message; a result that makes it longer is ERR_TOO_LARGE */
#define REPORT_MESSAGE_MAX 256        /* progress text with its NUL */
#define REPORT_SUFFIX_MAX  10         /* ".xlsx" with its NUL; a dot and lower-case letters or digits */

enum report_kind {
    REPORT_PROGRESS = 1, /* percent, rows, text: may come often; only the newest counts */
    REPORT_DONE,         /* suffix, data_file, made_table, rows_read, rows_written, result */
    REPORT_FAILED,       /* code, text */
    REPORT_FORBIDDEN,    /* call: the number of the system call the sandbox refused */
};

struct report {
    enum report_kind kind;
    uint8_t percent; /* 0..100 */
    uint64_t rows;
    enum err code; /* never ERR_OK */
    char text[FAULT_TEXT_MAX];
    uint32_t call;
    char suffix[REPORT_SUFFIX_MAX]; /* "" = no file was made */
    bool data_file;                 /* the file is the result's `data` */
    bool made_table;
    uint64_t rows_read, rows_written;
    struct bytes result; /* a JSON object as text, not checked; borrowed from the buffer it was read from */
};

/* ERR_TOO_LARGE when the message would pass REPORT_BYTES_MAX. */
enum err report_write(const struct report *self, struct buf *out) MUST_CHECK;

/* The FORBIDDEN message, made without a call into any library: for a signal handler. */
#define REPORT_FORBIDDEN_BYTES 9
void report_write_forbidden(uint32_t call, unsigned char out[REPORT_FORBIDDEN_BYTES]);

struct report_reader {
    struct buf bytes;
    size_t taken; /* bytes of messages already handed out */
    bool broken;
};

#define REPORT_READER_INIT ((struct report_reader){.bytes = BUF_INIT(2 * REPORT_BYTES_MAX)})

void report_reader_fini(struct report_reader *self);
/* Reads what a non-blocking descriptor holds, at most one buffer full. ERR_END: the writer is gone and all is read;
 * ERR_TIMEOUT: nothing more for now. */
enum err report_reader_fill(struct report_reader *self, int fd) MUST_CHECK;
/* For tests and fuzzing: bytes from memory. */
enum err report_reader_feed(struct report_reader *self, const void *bytes, size_t len) MUST_CHECK;
/* ERR_END: no whole message yet. out->result is valid until the next fill or feed. */
enum err report_reader_next(struct report_reader *self, struct report *out) MUST_CHECK;

#endif
