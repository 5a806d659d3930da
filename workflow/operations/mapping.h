/* mapping - which way round a front end wrote an argument that maps names to columns. Existing ones differ: some write
 * {column: new name}, others {new name: column}. Used by one thread. */
#ifndef MAPPING_H
#define MAPPING_H

#include "table/cell.h"

#include <jansson.h>

enum mapping_side { MAPPING_KEYS, MAPPING_VALUES };

/* Whether all values are texts, every text of that side is a column, and none of the other side is. */
bool mapping_has_columns(json_t *mapping, const struct columns *in, enum mapping_side side);

#endif
