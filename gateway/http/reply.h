/* reply - answers: the envelope every JSON answer carries, and files.
 *
 *   {"data": ..., "message": "text", "meta": {"api_version", "locale", "request_id", "requested_time"},
 *    "status_code": n, "total": 0}
 *
 * status_code is 200 in every success, also of 201 and 202, and the HTTP status in an error, whose data is
 * {"error_type":"Error","details":null}. HTTP thread; one answer a request. */
#ifndef REPLY_H
#define REPLY_H

#include "http/request.h"

#define REPLY_RETRY_AFTER_SECONDS 2

/* data: JSON, NULL or empty = null. */
void reply_data(struct request *request, int status, const char *data, size_t len, const char *message);
/* The same with the content of files in it; `at` counts in data. Takes the splices. */
void reply_data_spliced(struct request *request, int status, const char *data, size_t len, const char *message,
                        struct splices *files);
/* An error that carries data of its own (readiness). */
void reply_error_data(struct request *request, int status, const char *data, size_t len, const char *message);
void reply_error(struct request *request, int status, const char *format, ...) PRINTF_LIKE(3, 4);
/* The status the error stands for, with the fault's text; 503 gets a Retry-After. */
void reply_fault(struct request *request, const struct fault *why);
/* 503 with Retry-After. */
void reply_unavailable(struct request *request, const char *message);
/* No such route: 404 whose data is null. */
void reply_no_route(struct request *request);
void reply_empty(struct request *request, int status);
/* Takes the descriptor; the body is `length` bytes from `offset`. */
void reply_file(struct request *request, int status, int fd, uint64_t offset, uint64_t length);

/* One more field of the answer. name is borrowed for ever. */
void reply_field(struct request *request, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* The HTTP status an error stands for. */
int reply_status(enum err code);

struct envelope {
    const char *data;
    size_t data_len; /* 0 = null */
    const char *message;
    size_t message_len;
    const char *api_version;
    const char *locale;
    const char *request_id;
    int64_t wall_us;
    int status_code;
};
/* Pure. */
enum err reply_envelope(const struct envelope *envelope, struct buf *out) MUST_CHECK;

#endif
