/* A spool of any bytes ends with rows or an error. The trailer's checksum would keep the fuzzer out, so it is put right
 * for every second input. */
#include "read_twice.h"

#include <zlib.h>

#define CRC_BYTES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 + CRC_BYTES)
        return 0;
    struct read_options how = {.block_bytes = data[0] / 2};
    size_t len = size - 1;
    uint8_t *copy = malloc(len);
    must(copy != NULL);
    memcpy(copy, data + 1, len);
    if (data[0] % 2 == 0) {
        uLong crc = crc32_z(0, copy, len - CRC_BYTES);
        for (int i = 0; i < CRC_BYTES; i++)
            copy[len - CRC_BYTES + (size_t)i] = (uint8_t)(crc >> 8 * i);
    }
    read_twice(&spool_source, copy, len, &how);
    free(copy);
    return 0;
}
