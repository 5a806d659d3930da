#include "operations/output_format.h"

#include <strings.h>

const struct sink_kind *output_format_find(const char *name)
{
    if (strcasecmp(name, "excel") == 0)
        name = "xlsx";
    for (size_t i = 0; sink_kinds[i]; i++) {
        if (strcasecmp(sink_kinds[i]->name, name) == 0)
            return sink_kinds[i];
    }
    return NULL;
}

enum err output_format_fault(const char *name, struct fault *why)
{
    return fault_set(why, ERR_INVALID, "Unsupported output format: %s. Supported formats: xlsx, csv, json", name);
}
