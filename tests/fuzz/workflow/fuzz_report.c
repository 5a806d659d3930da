/* The pipe of a step's process: any bytes, in any pieces, are messages or one refusal, and never more than was sent. */
#include "process/report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct report *report)
{
    if (report->percent > 100 || strlen(report->text) >= sizeof report->text || report->result.len > REPORT_BYTES_MAX)
        abort();
    if (report->kind == REPORT_FAILED && report->code == ERR_OK)
        abort();
    if (strchr(report->suffix, '/'))
        abort();
    for (size_t i = 0; i < report->result.len; i++)
        if ((unsigned char)report->result.at[i] > 255)
            abort(); /* every byte is readable */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report_reader reader = REPORT_READER_INIT;
    size_t piece = size > 0 ? 1 + data[0] % 64u : 1;
    for (size_t at = 0; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        struct report report;
        if (report_reader_feed(&reader, data + at, len) != ERR_OK)
            abort(); /* complete messages are taken out at once, so the room suffices */
        while (report_reader_next(&reader, &report) == ERR_OK)
            check(&report);
    }
    report_reader_fini(&reader);
    return 0;
}
