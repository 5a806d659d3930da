/* rest - what the REST handlers share: the parts of the gateway they use, and answers common to several of them.
 * Constant after the start; handlers run in the HTTP thread. */
#ifndef REST_H
#define REST_H

#include "files/files.h"
#include "http/request.h"
#include "uplink.h"

#include <stdatomic.h>

struct disk_pool;

/* Dumps being written and read in the disk threads. */
struct archive_gate {
    atomic_uint running;  /* at most ARCHIVES_AT_ONCE, so that uploads find a free thread; beyond: 503 */
    atomic_bool stopping; /* set before the gateway drains: they give up */
};

#define ARCHIVES_AT_ONCE 2

struct rest {
    const struct settings *settings;
    struct files *files;
    struct uplink *uplink;
    struct disk_pool *pool;
    struct archive_gate *archives;
};

/* The rows of each file here, and all of them together, ended by NULL. */
extern const struct route health_routes[], conversation_routes[], upload_routes[], run_routes[], download_routes[],
    event_routes[], archive_routes[];
extern const struct route *const rest_routes[];

const struct rest *rest_of(const struct request *request);
/* The path's {chat}; NULL when it is no chat id: the request is then answered with 404. */
const char *rest_chat(struct request *request);
/* `/api/v1/chat/workflows/CHAT` */
enum err rest_chat_path(const struct request *request, const char *chat, struct buf *out) MUST_CHECK;
/* `http://HOST/api/v1/chat/downloads/NAME` of a dump. */
enum err rest_dump_url(const struct request *request, const char *name, struct buf *out) MUST_CHECK;
/* A count in the query; absent, *value stays. false: the request is answered with 422. */
bool rest_query_count(struct request *request, const char *name, int64_t *value);
/* `http://HOST/api/v1/chat/workflows/CHAT/files/NAME`, HOST as the client said it. */
enum err rest_download_url(const struct request *request, const char *chat, const char *name,
                           struct buf *out) MUST_CHECK;

#endif
