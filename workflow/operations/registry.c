#include "operations/operation.h"

#include <string.h>

/* A new operation is one file and one row here; the object is defined in the file named. */
#define OPERATIONS(ROW)                                                                                                \
    ROW(convert_operation)       /* convert.c */                                                                       \
    ROW(csv_search_operation)    /* search.c */                                                                        \
    ROW(excel_search_operation)  /* search.c */                                                                        \
    ROW(extract_data_operation)  /* extract_data.c */                                                                  \
    ROW(extract_file_operation)  /* extract_file.c */                                                                  \
    ROW(normalize_operation)     /* normalize/normalize.c */                                                           \
    ROW(map_operation)           /* map.c */                                                                           \
    ROW(json_generate_operation) /* json_generate.c */                                                                 \
    ROW(bind_single_operation)   /* bind.c */                                                                          \
    ROW(bind_multi_operation)    /* bind.c */                                                                          \
    ROW(json_template_operation) /* json_from_template.c */                                                            \
    ROW(sql_generate_operation)  /* sql/sql_generate.c */                                                              \
    ROW(sql_text_operation)      /* sql/sql_generate.c */                                                              \
    ROW(sql_custom_operation)    /* sql/sql_custom.c */

#define DECLARE(object) extern const struct operation object;
OPERATIONS(DECLARE)

#define POINT_TO(object) &object,
const struct operation *const operations[] = {OPERATIONS(POINT_TO) NULL};

const struct argument common_arguments[] = {
    [COMMON_SHEET] = {"sheet", NULL, ARGUMENT_ANY, NULL,
                      "of a workbook: the sheet to read, by its name or its number from 0; not given: the first"},
    [COMMON_DELIMITER] = {"delimiter", NULL, ARGUMENT_TEXT, NULL,
                          "of a CSV: the sign between its cells, or the word tab; not given or empty: it is found out"},
    [COMMON_OUTPUT_FILENAME] =
        {"output_filename", NULL, ARGUMENT_TEXT, NULL,
         "a name for the file that is made; its ending is the format's; not given or empty: named after the input"},
    {.name = NULL},
};

const struct operation *operation_find(const char *name)
{
    for (size_t i = 0; operations[i]; i++) {
        if (strcmp(operations[i]->name, name) == 0)
            return operations[i];
    }
    return NULL;
}
