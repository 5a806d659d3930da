#include "rest/idempotency.h"

#include "http/reply.h"
#include "strmap.h"

#include <string.h>

#define FIELD "Idempotency-Key"

static bool is_key(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    return len >= 1 && len <= IDEMPOTENCY_KEY_MAX;
}

/* Both halves of 128 bits, and the fingerprint, are hashes under salts of their own. They are the same in every
 * gateway and after every restart: a client's second request may reach another one. */
static uint64_t hash(uint8_t salt, const struct buf *bytes)
{
    const uint8_t key[16] = "sheetwire key ";
    uint8_t salted[16];
    memcpy(salted, key, sizeof salted);
    salted[15] = salt;
    return siphash(salted, bytes->data ? bytes->data : "", bytes->len);
}

bool idempotency_derive(struct idempotency *out, const char *route, const char *chat, const char *key,
                        struct bytes body)
{
    struct buf name = BUF_INIT(1024), content = BUF_INIT(body.len + 1);
    bool made = buf_printf(&name, "%s %s %s", route, chat ? chat : "", key) == ERR_OK &&
                buf_add(&content, body.at, body.len) == ERR_OK;
    uint64_t halves[2] = {hash(1, &name), hash(2, &name)};
    memcpy(out->key, halves, sizeof out->key);
    out->fingerprint = hash(3, &content);
    buf_fini(&name);
    buf_fini(&content);
    return made;
}

enum idempotency_found idempotency_read(struct request *request, const char *route, const char *chat, struct bytes body,
                                        struct idempotency *out)
{
    const char *key = request_field(request, FIELD);
    if (!key)
        return IDEMPOTENCY_NONE;
    if (!is_key(key) || fields_count(&request->fields, FIELD) > 1)
        reply_error(request, 400, FIELD " must be given once, as 1 to %d visible ASCII characters",
                    IDEMPOTENCY_KEY_MAX);
    else if (!idempotency_derive(out, route, chat, key, body))
        reply_unavailable(request, "No memory for the request");
    else
        return IDEMPOTENCY_KEYED;
    return IDEMPOTENCY_WRONG;
}
