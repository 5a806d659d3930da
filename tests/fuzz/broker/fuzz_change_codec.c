/* Any bytes as the payload of a journal record: reading ends, and what reads is written again as the same bytes. */
#include "store/change_codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct change_reader reader;
    struct change change;
    struct fault why;
    struct changes *list = NULL;
    struct buf again = BUF_INIT((size_t)64 << 20);
    enum err err = change_reader_init(&reader, (struct bytes){(const char *)bytes, len}, &why);
    must(changes_new(&list) == ERR_OK);
    while (err == ERR_OK && (err = change_reader_next(&reader, &change, &why)) == ERR_OK)
        must(changes_add(list, &change) == ERR_OK);
    if (err == ERR_END) {
        must(changes_encode(list, &again) == ERR_OK);
        must(again.len == len && memcmp(again.data, bytes, len) == 0);
    }
    changes_destroy(&list);
    buf_fini(&again);
    return 0;
}
