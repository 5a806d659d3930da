#include "http/reply.h"

#include "clock.h"
#include "json_text.h"
#include "settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVELOPE_START "{\"data\":"
#define ERROR_DATA     "{\"error_type\":\"Error\",\"details\":null}"

static enum err add_meta(const struct envelope *envelope, struct buf *out)
{
    char time[CLOCK_TEXT_MAX];
    clock_rfc3339_local(envelope->wall_us, time);
    enum err err = buf_add_text(out, "\"meta\":{");
    if (err == ERR_OK)
        err = json_text_member(out, "api_version", envelope->api_version);
    if (err == ERR_OK)
        err = json_text_member(out, "locale", envelope->locale);
    if (err == ERR_OK)
        err = json_text_member(out, "request_id", envelope->request_id);
    if (err == ERR_OK)
        err = json_text_member(out, "requested_time", time);
    return err == ERR_OK ? buf_add_text(out, "}") : err;
}

enum err reply_envelope(const struct envelope *envelope, struct buf *out)
{
    enum err err = buf_add_text(out, ENVELOPE_START);
    if (err == ERR_OK)
        err = envelope->data_len ? buf_add(out, envelope->data, envelope->data_len) : buf_add_text(out, "null");
    if (err == ERR_OK)
        err = buf_add_text(out, ",\"message\":");
    if (err == ERR_OK)
        err = json_text_string(out, envelope->message, envelope->message_len);
    if (err == ERR_OK)
        err = buf_add_text(out, ",");
    if (err == ERR_OK)
        err = add_meta(envelope, out);
    if (err == ERR_OK)
        err = buf_printf(out, ",\"status_code\":%d,\"total\":0}\n", envelope->status_code);
    return err;
}

static void send_envelope(struct request *request, int status, const char *data, size_t len, const char *message,
                          int status_code)
{
    struct envelope envelope = {
        .data = data,
        .data_len = data ? len : 0,
        .message = message,
        .message_len = strlen(message),
        .api_version = request->settings->app.version,
        .locale = request->settings->api.locale,
        .request_id = request->id,
        .wall_us = clock_wall_us(),
        .status_code = status_code,
    };
    struct answer *answer = &request->answer;
    buf_clear(&answer->body);
    splices_fini(&answer->splices);
    answer->ready = true;
    answer->status = status;
    if (reply_envelope(&envelope, &answer->body) != ERR_OK) {
        buf_clear(&answer->body); /* no memory for the text: the status alone must do */
        answer->status = 500;
    }
    reply_field(request, "Content-Type", "application/json");
}

void reply_data(struct request *request, int status, const char *data, size_t len, const char *message)
{
    send_envelope(request, status, data, len, message, 200);
}

void reply_data_spliced(struct request *request, int status, const char *data, size_t len, const char *message,
                        struct splices *files)
{
    send_envelope(request, status, data, len, message, 200);
    splices_shift(files, strlen(ENVELOPE_START));
    if (request->answer.body.len > 0)
        request->answer.splices = *files;
    else
        splices_fini(files);
    *files = SPLICES_INIT;
}

void reply_error_data(struct request *request, int status, const char *data, size_t len, const char *message)
{
    send_envelope(request, status, data, len, message, status);
}

void reply_error(struct request *request, int status, const char *format, ...)
{
    char message[FAULT_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    send_envelope(request, status, ERROR_DATA, strlen(ERROR_DATA), message, status);
}

int reply_status(enum err code)
{
    switch (code) {
    case ERR_OK:
    case ERR_END: return 200;
    case ERR_TIMEOUT: return 504;
    case ERR_FULL:
    case ERR_UNAVAILABLE: return 503;
    case ERR_NOT_FOUND: return 404;
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_CANCELLED: return 409;
    case ERR_INVALID: return 400;
    case ERR_UNSUPPORTED: return 415;
    case ERR_TOO_LARGE: return 413;
    case ERR_DENIED: return 403;
    case ERR_NO_SPACE: return 507;
    case ERR_IO:
    case ERR_MEMORY:
    case ERR_PROTOCOL:
    case ERR_INTERNAL: return 500;
    }
    return 500;
}

void reply_fault(struct request *request, const struct fault *why)
{
    int status = reply_status(why->code);
    reply_error(request, status, "%s", why->text);
    if (status == 503)
        reply_field(request, "Retry-After", "%d", REPLY_RETRY_AFTER_SECONDS);
}

void reply_unavailable(struct request *request, const char *message)
{
    reply_error(request, 503, "%s", message);
    reply_field(request, "Retry-After", "%d", REPLY_RETRY_AFTER_SECONDS);
}

void reply_no_route(struct request *request)
{
    send_envelope(request, 404, NULL, 0, "Resource not found", 404);
}

void reply_empty(struct request *request, int status)
{
    request->answer.ready = true;
    request->answer.status = status;
}

void reply_file(struct request *request, int status, int fd, uint64_t offset, uint64_t length)
{
    if (length == 0) /* an answer without content needs no descriptor */
        close(fd);
    reply_empty(request, status);
    request->answer.fd = length ? fd : -1;
    request->answer.offset = offset;
    request->answer.length = length;
}

void reply_field(struct request *request, const char *name, const char *format, ...)
{
    struct answer *answer = &request->answer;
    char *value = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&value, format, args);
    va_end(args);
    if (len < 0)
        return; /* no memory: the answer goes out without it */
    if (answer->field_count == ANSWER_FIELDS_MAX) {
        free(value);
        return;
    }
    answer->field[answer->field_count].name = name;
    answer->field[answer->field_count].value = value;
    answer->field_count++;
}
