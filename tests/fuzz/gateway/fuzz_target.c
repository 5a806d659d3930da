/* Any text as a request target and a file name: decoded within bounds, and names made harmless stay as they are. */
#include "http/file_name.h"
#include "http/range.h"
#include "http/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_name(const char *bytes, size_t len)
{
    char once[FILE_NAME_MAX + 1];
    char twice[FILE_NAME_MAX + 1];
    file_name_clean(bytes, len, once);
    if (!once[0] || once[0] == '.' || strchr(once, '/') || !file_name_plausible(once))
        abort();
    file_name_clean(once, strlen(once), twice);
    if (strcmp(once, twice) != 0)
        abort();
}

static void check_target(const char *text)
{
    struct target target;
    struct fault why = {.text = ""};
    if (target_parse(&target, text, &why) != ERR_OK && !why.text[0])
        abort();
    size_t len = 0;
    for (size_t i = 0; i < target.segment_count; i++)
        len += strlen(target.segment[i]);
    for (size_t i = 0; i < target.parameter_count; i++)
        len += strlen(target.parameter[i].name) + strlen(target.parameter[i].value);
    if (len > strlen(text))
        abort();
    target_fini(&target);
}

static void check_range(const char *text)
{
    struct range range;
    for (uint64_t size = 0; size < 12; size++)
        if (range_parse(text, size, &range) == RANGE_PART &&
            (range.length == 0 || range.first + range.length > size || range.first + range.length < range.first))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len + 1);
    if (!text)
        return 0;
    if (len)
        memcpy(text, bytes, len);
    text[len] = '\0';
    check_name(text, len);
    check_target(text);
    check_range(text);
    free(text);
    return 0;
}
