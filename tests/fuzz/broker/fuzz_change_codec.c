/* Any bytes as the payload of a journal record: reading ends, and each change that reads is written again as the bytes
 * it was read from. One at a time, because a list keeps only the later of two puts of one row. */
#include "store/change_codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool good)
{
    if (!good)
        abort();
}

/* from: where the reader took the change, len bytes. */
static void expect_same_bytes(const struct change *change, const char *from, size_t len)
{
    struct changes *list = NULL;
    struct buf again = BUF_INIT((size_t)64 << 20);
    must(changes_new(&list) == ERR_OK);
    must(changes_add(list, change) == ERR_OK);
    must(changes_encode(list, &again) == ERR_OK);
    must(again.len == 1 + len && again.data[0] == CHANGE_CODEC_VERSION && memcmp(again.data + 1, from, len) == 0);
    changes_destroy(&list);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct change_reader reader;
    struct change change;
    struct fault why;
    enum err err = change_reader_init(&reader, (struct bytes){(const char *)bytes, len}, &why);
    while (err == ERR_OK) {
        const char *from = reader.from.at;
        err = change_reader_next(&reader, &change, &why);
        if (err == ERR_OK)
            expect_same_bytes(&change, from, (size_t)(reader.from.at - from));
    }
    must(err == ERR_END || err == ERR_INVALID || err == ERR_UNSUPPORTED);
    return 0;
}
