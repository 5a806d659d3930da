#include "operations/operation.h"

#include <string.h>

extern const struct operation convert_operation;       /* convert.c */
extern const struct operation csv_search_operation;    /* search.c */
extern const struct operation excel_search_operation;  /* search.c */
extern const struct operation extract_file_operation;  /* extract_file.c */
extern const struct operation map_operation;           /* map.c */
extern const struct operation json_generate_operation; /* json_generate.c */

const struct operation *const operations[] = {
    &convert_operation,
    &csv_search_operation,
    &excel_search_operation,
    &extract_file_operation,
    &map_operation,
    &json_generate_operation,
    NULL,
};

const struct operation *operation_find(const char *name)
{
    for (size_t i = 0; operations[i]; i++) {
        if (strcmp(operations[i]->name, name) == 0)
            return operations[i];
    }
    return NULL;
}
