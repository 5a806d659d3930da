#include "http_client.h"

#include "buf.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PREFIX               "/api/v1"
#define CONNECT_MS           5000L
#define STALL_SECONDS        60L /* less than one byte a second for this long ends a transfer */
#define SCHEME_HOST_LEN(url) (strcspn((url) + 8, "/?#") + 8)

struct http_client {
    CURL *curl;
    char base[HTTP_CLIENT_URL_MAX]; /* with the prefix, without a slash at its end */
    struct buf body;
    long limit_ms;
    char error[CURL_ERROR_SIZE];
};

enum err http_client_new(struct http_client **out, const char *base, struct fault *why)
{
    *out = NULL;
    if (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0)
        return fault_set(why, ERR_INVALID, "not an address (http:// or https://): %.200s", base);
    struct http_client *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory");
    self->body = BUF_INIT(HTTP_CLIENT_BODY_MAX);
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    bool has_path = len > SCHEME_HOST_LEN(base);
    int need = snprintf(self->base, sizeof self->base, "%.*s%s", (int)len, base, has_path ? "" : PREFIX);
    self->curl = curl_easy_init();
    if (!self->curl || need >= HTTP_CLIENT_URL_MAX) {
        http_client_destroy(&self);
        return fault_set(why, ERR_INVALID, "the address is too long");
    }
    *out = self;
    return ERR_OK;
}

void http_client_limit(struct http_client *self, long ms)
{
    self->limit_ms = ms;
}

void http_client_destroy(struct http_client **self_p)
{
    struct http_client *self = *self_p;
    if (!self)
        return;
    curl_easy_cleanup(self->curl);
    buf_fini(&self->body);
    free(self);
    *self_p = NULL;
}

void http_reply_fini(struct http_reply *self)
{
    json_decref(self->data);
    self->data = NULL;
}

enum err http_client_escape(const char *segment, char *out, size_t size)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t len = 0;
    for (; *segment; segment++) {
        if (len + 4 > size)
            return ERR_TOO_LARGE;
        if (strchr(plain, *segment))
            out[len++] = *segment;
        else
            len += (size_t)snprintf(out + len, 4, "%%%02X", (unsigned char)*segment);
    }
    if (len + 1 > size)
        return ERR_TOO_LARGE;
    out[len] = '\0';
    return ERR_OK;
}

static size_t take_body(char *bytes, size_t one, size_t len, void *arg)
{
    (void)one;
    return buf_add(arg, bytes, len) == ERR_OK ? len : 0;
}

struct sink {
    int fd;
    uint64_t bytes;
    int error; /* errno of the write that failed */
};

static size_t take_file(char *bytes, size_t one, size_t len, void *arg)
{
    (void)one;
    struct sink *sink = arg;
    for (size_t done = 0; done < len;) {
        ssize_t sent = write(sink->fd, bytes + done, len - done);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            sink->error = errno;
            return 0;
        }
        done += (size_t)sent;
    }
    sink->bytes += len;
    return len;
}

static enum err prepare(struct http_client *self, const char *path, struct fault *why)
{
    char url[2 * HTTP_CLIENT_URL_MAX];
    if ((size_t)snprintf(url, sizeof url, "%s%s", self->base, path) >= sizeof url)
        return fault_set(why, ERR_INVALID, "the address is too long");
    curl_easy_reset(self->curl);
    buf_clear(&self->body);
    self->error[0] = '\0';
    curl_easy_setopt(self->curl, CURLOPT_URL, url);
    curl_easy_setopt(self->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(self->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(self->curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(self->curl, CURLOPT_TIMEOUT_MS, self->limit_ms);
    curl_easy_setopt(self->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(self->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(self->curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    curl_easy_setopt(self->curl, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt(self->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(self->curl, CURLOPT_WRITEDATA, &self->body);
    return ERR_OK;
}

static enum err err_of_status(long status)
{
    if (status >= 200 && status < 300)
        return ERR_OK;
    if (status == 404)
        return ERR_NOT_FOUND;
    if (status == 503)
        return ERR_UNAVAILABLE;
    return status >= 400 && status < 500 ? ERR_INVALID : ERR_INTERNAL;
}

/* The status as an error, with the envelope's message as its text. */
static enum err judge(struct http_client *self, long status, const json_t *envelope, struct fault *why)
{
    enum err err = err_of_status(status);
    if (err == ERR_OK)
        return ERR_OK;
    const char *message = json_string_value(json_object_get(envelope, "message"));
    if (message)
        return fault_set(why, err, "%s (HTTP %ld)", message, status);
    return fault_set(why, err, "the server answered HTTP %ld: %.200s", status, buf_text(&self->body));
}

static enum err perform(struct http_client *self, struct http_reply *reply, struct fault *why)
{
    CURLcode code = curl_easy_perform(self->curl);
    curl_easy_getinfo(self->curl, CURLINFO_RESPONSE_CODE, &reply->status);
    if (code != CURLE_OK)
        return fault_set(why, ERR_UNAVAILABLE, "%s: %s", self->base,
                         self->error[0] ? self->error : curl_easy_strerror(code));
    json_t *envelope = json_loadb(self->body.data ? self->body.data : "", self->body.len, 0, NULL);
    reply->data = json_incref(json_object_get(envelope, "data"));
    enum err err = judge(self, reply->status, envelope, why);
    if (err == ERR_OK && !reply->data)
        err = fault_set(why, ERR_PROTOCOL, "the answer is not one of Sheetwire: %.200s", buf_text(&self->body));
    json_decref(envelope);
    return err;
}

enum err http_client_get(struct http_client *self, const char *path, struct http_reply *reply, struct fault *why)
{
    *reply = (struct http_reply){.status = 0};
    enum err err = prepare(self, path, why);
    return err == ERR_OK ? perform(self, reply, why) : err;
}

static size_t take_header(char *bytes, size_t one, size_t len, void *arg)
{
    (void)one;
    static const char name[] = "location:";
    struct http_reply *reply = arg;
    if (len < sizeof name || strncasecmp(bytes, name, sizeof name - 1) != 0)
        return len;
    const char *at = bytes + sizeof name - 1, *end = bytes + len;
    while (at < end && *at == ' ')
        at++;
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    snprintf(reply->location, sizeof reply->location, "%.*s", (int)(end - at), at);
    return len;
}

enum err http_client_post(struct http_client *self, const char *path, const char *body, bool async,
                          struct http_reply *reply, struct fault *why)
{
    *reply = (struct http_reply){.status = 0};
    enum err err = prepare(self, path, why);
    if (err != ERR_OK)
        return err;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    if (async)
        headers = curl_slist_append(headers, "Prefer: respond-async");
    curl_easy_setopt(self->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(self->curl, CURLOPT_POSTFIELDS, body ? body : "");
    curl_easy_setopt(self->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(self->curl, CURLOPT_HEADERDATA, reply);
    err = perform(self, reply, why);
    curl_slist_free_all(headers);
    return err;
}

enum err http_client_upload(struct http_client *self, const char *path, const char *file, struct http_reply *reply,
                            struct fault *why)
{
    *reply = (struct http_reply){.status = 0};
    enum err err = prepare(self, path, why);
    if (err != ERR_OK)
        return err;
    curl_mime *form = curl_mime_init(self->curl);
    curl_mimepart *part = curl_mime_addpart(form);
    curl_mime_name(part, "file");
    if (curl_mime_filedata(part, file) != CURLE_OK) {
        curl_mime_free(form);
        return fault_set(why, ERR_NOT_FOUND, "cannot read %s", file);
    }
    curl_easy_setopt(self->curl, CURLOPT_MIMEPOST, form);
    err = perform(self, reply, why);
    curl_mime_free(form);
    return err;
}

enum err http_client_download(struct http_client *self, const char *path, int fd, uint64_t *bytes, struct fault *why)
{
    struct sink sink = {.fd = fd};
    enum err err = prepare(self, path, why);
    if (err != ERR_OK)
        return err;
    curl_easy_setopt(self->curl, CURLOPT_WRITEFUNCTION, take_file);
    curl_easy_setopt(self->curl, CURLOPT_WRITEDATA, &sink);
    curl_easy_setopt(self->curl, CURLOPT_FAILONERROR, 1L);
    CURLcode code = curl_easy_perform(self->curl);
    *bytes = sink.bytes;
    if (sink.error)
        return fault_set(why, err_from_errno(sink.error), "cannot write: %s", strerror(sink.error));
    if (code != CURLE_OK)
        return fault_set(why, ERR_UNAVAILABLE, "%s%s: %s", self->base, path,
                         self->error[0] ? self->error : curl_easy_strerror(code));
    return ERR_OK;
}
