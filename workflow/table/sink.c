#include "table/sink.h"

const struct sink_kind *const sink_kinds[] = {
    &csv_sink,
    &xlsx_sink,
    &json_sink,
    NULL,
};

const struct sink_kind *sink_find(const char *name)
{
    for (const struct sink_kind *const *kind = sink_kinds; *kind; kind++)
        if (strcmp((*kind)->name, name) == 0)
            return *kind;
    return NULL;
}
