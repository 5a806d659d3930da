/* feed_frame - what the broker says on :5561 (XPUB) to one gateway link (SUB of `link/<16 hex>/`).
 *
 * Two ZeroMQ frames: the topic, then one batch. Batches of a link are numbered n = 1, 2, ... without a hole; a batch
 * with no records is a beat and repeats the last n. A hole, beats missing for three intervals or another term means:
 * this link is dead, open a new one (new id, new subscription) and attach every chat again from the last seq delivered.
 *
 * Records, in the order they leave the chat:
 *   ATTACHED   answer to an ATTACH: how (snapshot, resumed, gap, reset), epoch, seq the client holds after it, head,
 *              and unless resumed the snapshot (JSON object: status, job, steps)
 *   REPLAY     one event for this attach id alone, between its ATTACHED and its LIVE
 *   LIVE       this attach id now follows the chat: from here on EVENT and PROGRESS of the chat are its own too
 *   EVENT      a durable event for every live attach of the chat on this link
 *   PROGRESS   the newest progress of a step (key: job and step), for every live attach. Whoever resumes gets that of
 *              the unfinished steps right after its LIVE; the others may see a value again
 *   RESET      the chat's history was replaced or removed: every attach of the chat on this link (body as in ATTACHED)
 * Bodies are complete JSON texts of events as the client gets them; they are passed on, never re-encoded. */
#ifndef FEED_FRAME_H
#define FEED_FRAME_H

#include "wire/request_frame.h"

#define FEED_VERSION   1
#define FEED_TOPIC_MAX 32 /* "link/0123456789abcdef/" and a NUL */

enum feed_kind { FEED_ATTACHED = 1, FEED_REPLAY, FEED_LIVE, FEED_EVENT, FEED_PROGRESS, FEED_RESET };
enum feed_resume { FEED_SNAPSHOT, FEED_RESUMED, FEED_GAP, FEED_RESET_HISTORY };

struct feed_record {
    enum feed_kind kind;
    uint64_t attach;         /* ATTACHED, REPLAY, LIVE */
    struct bytes chat;       /* all; borrowed */
    enum feed_resume resume; /* ATTACHED */
    struct bytes epoch;      /* ATTACHED, RESET; empty = the chat has no record yet */
    uint64_t seq;            /* ATTACHED: what the client holds; REPLAY, EVENT: of the event */
    uint64_t head;           /* ATTACHED, RESET: newest seq */
    bool terminal;           /* EVENT, REPLAY: last word of a run */
    struct bytes key;        /* PROGRESS: conflation key, job id and step id */
    bool closing;            /* PROGRESS: completed or failed, belongs to the result after it: never conflated */
    struct bytes body;       /* snapshot or event */
};

struct feed_batch {
    uint64_t term;
    uint64_t number;
    uint32_t count; /* records */
};

size_t feed_topic(uint64_t link, char out[FEED_TOPIC_MAX]);
/* From an XPUB subscription message (RFC 29/ZMTP: first byte 1 or 0, then the topic). false: not a link topic. */
bool feed_topic_parse(const void *bytes, size_t len, uint64_t *link);

/* Writing: head, records, then feed_batch_close() puts number and count into the head. */
enum err feed_batch_open(struct buf *out, uint64_t term) MUST_CHECK;
enum err feed_batch_add(struct buf *out, const struct feed_record *record) MUST_CHECK;
void feed_batch_close(struct buf *out, uint64_t number, uint32_t count);

/* Reading: the head, then `count` times a record; *rest walks along. ERR_PROTOCOL on anything odd. */
enum err feed_batch_read(struct feed_batch *out, struct unpack *rest, const void *bytes, size_t len) MUST_CHECK;
enum err feed_record_read(struct feed_record *out, struct unpack *rest) MUST_CHECK;

#endif
