/* Whatever the file holds, reading it ends with rows of the promised width or an error, at any block size; the second
 * reading says the same as the first, and what the CSV writer makes of it reads back as the same cells. */
#include "read_twice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct read_options how = {.block_bytes = data[0]};
    uint64_t first = read_twice(&json_source, data + 1, size - 1, &how);
    how.block_bytes = 4096;
    uint64_t second = read_twice(&json_source, data + 1, size - 1, &how);
    must(first == second);
    must_survive_csv(&json_source, data + 1, size - 1, &how);
    return 0;
}
