/* A spool of any bytes ends with rows or an error. (The checksum is looked at last and keeps the fuzzer out of
 * nothing.) */
#include "read_twice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct read_options how = {.block_bytes = data[0]};
    read_twice(&spool_source, data + 1, size - 1, &how);
    return 0;
}
