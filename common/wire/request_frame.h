/* request_frame - what gateway and broker say on :5560 (gateway DEALER, broker ROUTER). One ZeroMQ frame a message.
 *
 * Gateway to broker:
 *   ATTACH  a WebSocket session (attach id, unique in its link) wants a chat from `since` in `epoch` on
 *   DETACH  it wants it no longer
 *   BEAT    every wire.beat_ms: last batch number received on the link (opens the window again)
 *   CALL    a REST request. request id: 16 random bytes, stored with what it changes; sent again under the same id
 *           after a lost connection, and marked so, it gives the first answer again and changes nothing twice. (Without
 *           the mark nobody looks on disk for an answer it may have had.)
 *   FORGET  the caller of a request is gone: no answer is wanted (an accepted run goes on)
 * Broker to gateway:
 *   ANSWER  the answer to a CALL: an HTTP status and a JSON body (data of the envelope, or null); message for people
 *   ACCEPTED  a CALL_EXECUTE is on disk under this job id; its ANSWER follows when the run has ended
 *   HELLO   answers a BEAT whose link the broker does not know: open a new one
 *
 * A frame that does not decode is dropped, counted and logged with the peer's identity. */
#ifndef REQUEST_FRAME_H
#define REQUEST_FRAME_H

#include "id.h"
#include "wire/pack.h"

#define REQUEST_VERSION 3
#define REQUEST_ID_LEN  16
#define EPOCH_MAX       33 /* 32 hex digits and a NUL; "" = none */

enum request_kind {
    REQUEST_ATTACH = 1,
    REQUEST_DETACH,
    REQUEST_BEAT,
    REQUEST_CALL,
    REQUEST_FORGET,
    REQUEST_ANSWER = 64,
    REQUEST_ACCEPTED,
    REQUEST_HELLO,
};

/* The routes of the broker. Bodies are JSON objects; shapes beside each: {in} -> {out}. chat is the frame's chat field.
 */
enum call {
    CALL_READY = 1,   /* {} -> {"ready":bool,"workers":n,"free_slots":n,"publish_lost":n} */
    CALL_CREATE_CHAT, /* {"chat_id"?:text} -> CONV of the contract, 201 */
    CALL_LIST_CHATS,  /* {"status"?:text,"limit":n,"offset":n} -> {"conversations":[summary],"count":n} */
    CALL_GET_CHAT,    /* {} -> CONV, or 404 */
    CALL_DELETE_CHAT, /* {} -> {"chat_id":id}, or 404 */
    CALL_CHAT_PLACE,  /* {} -> {"partition_key":"2026/11"}, or 404: where an upload of this chat goes */
    CALL_ADD_UPLOAD,  /* {"name","key","bytes"} -> {"file_path","filename"}; adds the file_upload message */
    CALL_FIND_FILE,   /* {"name"} -> {"name","key","bytes"}: newest upload of that name, else output; or 404 */
    CALL_EXECUTE,     /* {"steps":[{"operation","arguments"}],"wait":bool} -> ACCEPTED, then
                         {"job_id","status","results":[{"output_file_path","name"?,...}],"output_files":[path],
                         "error"?:text}: status 200 when completed, 422 when failed; wait false: ANSWER 202
                         {"job_id","status":"submitted"}. A result with "result_key" lacks its "result_member":
                         that is the content of the file of this key, of "result_bytes" */
    CALL_GET_JOB,     /* {"job_id"} -> {"job_id","status","submitted_at","started_at","completed_at","attempts",
                         "steps":[...],"result":{"results","output_files"},"error"}, or 404; results as above */
    CALL_LIST_JOBS,   /* {"limit":n,"offset":n} -> {"jobs":[job without steps],"count":n}, newest first */
    CALL_CANCEL_JOB,  /* {"job_id"} -> {"job_id","status":"cancelled"}; 404, 409 when it has ended */
    CALL_RETRY_JOB,   /* {"job_id","from":"failed"|"start","wait":false} -> as CALL_EXECUTE, a new job; 404, 409 unless
                         it failed or was cancelled */
    CALL_GET_EVENTS,  /* {"since":n,"limit":n} -> {"events":[event],"epoch","head","oldest"}: oldest is the first event
                         that is kept (head + 1: none), so since < oldest - 1 is a gap */
    CALL_EXPORT_CHAT, /* {} -> {"conversation":CONV,"record":{...}} (store.h), or 404, or 413 */
    CALL_IMPORT_CHAT, /* the record of a dump (core/import.h) -> {"chat_id","files"}; the chat of that id is replaced.
                         409 while a run of it has not ended, 422 for a record that cannot be */
    CALL_BACKUP,      /* {} -> {"backup_file","path"}: a snapshot of the whole record */
    CALL_KINDS,
};

struct request_frame {
    enum request_kind kind;
    uint64_t link;                     /* ATTACH, DETACH, BEAT, CALL */
    uint64_t attach;                   /* ATTACH, DETACH */
    uint64_t number;                   /* BEAT: last batch received; HELLO: the broker's term */
    unsigned char id[REQUEST_ID_LEN];  /* CALL, FORGET, ANSWER, ACCEPTED */
    bool again;                        /* CALL: this id was sent before */
    enum call call;                    /* CALL */
    char chat[ID_CHAT_MAX + 1];        /* ATTACH, CALL; "" = none */
    bool has_since;                    /* ATTACH */
    uint64_t since;                    /* ATTACH: the last sequence number the client holds */
    char epoch[EPOCH_MAX];             /* ATTACH: the epoch it belongs to; "" with since 0: it was told of no record */
    char trace[ID_HEX_LEN + 1];        /* CALL: trace id, shown in logs and kept with a job */
    bool keyed;                        /* CALL: it came with an idempotency key */
    unsigned char key[REQUEST_ID_LEN]; /* of route, chat and key: calls with the same one are one call */
    uint64_t fingerprint;              /* of what was asked for under the key */
    uint16_t status;                   /* ANSWER: HTTP status */
    struct bytes message;              /* ANSWER: for people, borrowed */
    struct bytes body;                 /* CALL, ANSWER: JSON; ACCEPTED: job id. Borrowed */
};

enum err request_frame_write(const struct request_frame *self, struct buf *out) MUST_CHECK;
enum err request_frame_read(struct request_frame *out, const void *bytes, size_t len) MUST_CHECK;
const char *call_name(enum call call);

#endif
