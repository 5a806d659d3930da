/* Every reader of internal frames takes any bytes without harm, and what it accepts it writes back byte by byte. */
#include "wire/feed_frame.h"
#include "wire/request_frame.h"
#include "wire/work_frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WRITTEN_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(struct buf *written, enum err err, const uint8_t *data, size_t size)
{
    if (err != ERR_OK || written->len != size || memcmp(written->data, data, size) != 0)
        abort();
    buf_fini(written);
}

static void check_request(const uint8_t *data, size_t size)
{
    struct request_frame frame;
    struct buf written = BUF_INIT(WRITTEN_MAX);
    if (request_frame_read(&frame, data, size) == ERR_OK)
        check_same(&written, request_frame_write(&frame, &written), data, size);
}

static void check_work(const uint8_t *data, size_t size)
{
    struct work_frame frame;
    struct buf written = BUF_INIT(WRITTEN_MAX);
    if (work_frame_read(&frame, data, size) == ERR_OK)
        check_same(&written, work_frame_write(&frame, &written), data, size);
}

static void check_feed(const uint8_t *data, size_t size)
{
    struct feed_batch batch;
    struct unpack rest;
    struct buf written = BUF_INIT(WRITTEN_MAX);
    if (feed_batch_read(&batch, &rest, data, size) != ERR_OK)
        return;
    enum err err = feed_batch_open(&written, batch.term);
    bool good = true;
    for (uint32_t i = 0; good && err == ERR_OK && i < batch.count; i++) {
        struct feed_record record;
        good = feed_record_read(&record, &rest) == ERR_OK;
        if (good)
            err = feed_batch_add(&written, &record);
    }
    if (good && unpack_done(&rest)) {
        feed_batch_close(&written, batch.number, batch.count);
        check_same(&written, err, data, size);
    }
    buf_fini(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t link;
    check_request(data, size);
    check_work(data, size);
    check_feed(data, size);
    feed_topic_parse(data, size, &link);
    return 0;
}
