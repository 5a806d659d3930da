#include "operations/mapping.h"

bool mapping_has_columns(json_t *mapping, const struct columns *in, enum mapping_side side)
{
    const char *key;
    size_t key_len;
    json_t *value;
    json_object_keylen_foreach(mapping, key, key_len, value)
    {
        if (!json_is_string(value))
            return false;
        bool is_column[] = {
            [MAPPING_KEYS] = columns_find(in, key, key_len) >= 0,
            [MAPPING_VALUES] = columns_find(in, json_string_value(value), json_string_length(value)) >= 0,
        };
        if (!is_column[side] || is_column[side == MAPPING_KEYS ? MAPPING_VALUES : MAPPING_KEYS])
            return false;
    }
    return json_object_size(mapping) > 0;
}
