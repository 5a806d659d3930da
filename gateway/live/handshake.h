/* handshake - what a request must be to become a WebSocket (RFC 6455 4.2.1), and what it wants: chat id from the path,
 * since and epoch from the query. Pure; the loop fills in what it read. */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "wire/request_frame.h"

struct handshake_request { /* all texts "" when absent; borrowed */
    bool is_get;
    bool is_http_1_1;
    bool has_body;     /* Content-Length other than 0, or Transfer-Encoding */
    bool has_protocol; /* Sec-WebSocket-Protocol */
    const char *path;  /* decoded, without the query */
    const char *host, *upgrade, *connection, *version, *key;
    const char *since, *epoch; /* of the query, decoded */
};

struct handshake {
    uint16_t status;            /* 101, or the HTTP status of the refusal */
    struct fault why;           /* of a refusal: for people */
    char chat[ID_CHAT_MAX + 1]; /* "" = none */
    bool has_since;
    uint64_t since;
    char epoch[EPOCH_MAX];
};

void handshake_check(struct handshake *out, const struct handshake_request *request);
/* The whole HTTP answer of a refusal; closes the connection. Returns its length, at most size. */
size_t handshake_refusal(const struct handshake *self, char *out, size_t size);

#endif
