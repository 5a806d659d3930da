/* client_message - what WebSocket clients send, as one table (client_message.c). Text and binary frames alike; nothing
 * is trusted. Pure. */
#ifndef CLIENT_MESSAGE_H
#define CLIENT_MESSAGE_H

#include "wire/request_frame.h"

enum client_message_kind {
    CLIENT_PING,        /* answer pong */
    CLIENT_SUBSCRIBE,   /* leave the old chats (keep them: `add`), follow `chat` */
    CLIENT_UNSUBSCRIBE, /* leave `chat`; answer unsubscribed */
    CLIENT_CANCEL,      /* end the run `job`; the answer is its workflow_cancelled, or an error */
    CLIENT_OTHER,       /* answer ack with `original` */
    CLIENT_NOTHING,     /* no answer: a subscribe without a chat id */
    CLIENT_WRONG,       /* answer an error with `problem`; the socket stays */
};

struct client_message {
    enum client_message_kind kind;
    char chat[ID_CHAT_MAX + 1];
    char job[ID_JOB_MAX + 1];
    bool add;
    bool has_since;
    uint64_t since;
    char epoch[EPOCH_MAX];
    struct bytes original; /* the object as sent, no blanks around; borrowed from the message */
    struct fault problem;
};

enum err client_message_read(struct client_message *out, const char *bytes,
                             size_t len) MUST_CHECK; /* ERR_MEMORY only */

/* `since` and `epoch` as texts, of a subscribe or of the query string; false with the reason in *why. "" or NULL =
 * absent. */
bool client_since_read(const char *text, bool *has_since, uint64_t *since, struct fault *why);
bool client_epoch_read(const char *text, char out[EPOCH_MAX], struct fault *why);

#endif
