#include "archive/json_weight.h"

#include <stdbool.h>

/* jansson 2.14 on 64 bits: json_object_t and its first eight buckets, json_array_t and its first eight places, a pair
 * and its share of grown buckets, json_string_t and the block of its text, a number or a place in a grown array. */
#define OBJECT_BYTES 256
#define ARRAY_BYTES  128
#define MEMBER_BYTES 96
#define STRING_BYTES 80
#define VALUE_BYTES  48

static size_t weight_of(char c)
{
    switch (c) {
    case '{': return OBJECT_BYTES;
    case '[': return ARRAY_BYTES;
    case ':': return MEMBER_BYTES;
    case ',': return VALUE_BYTES;
    case '"': return STRING_BYTES;
    default: return 0;
    }
}

size_t json_weight(const char *text, size_t len)
{
    size_t weight = len;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"' && in_string)
            in_string = false;
        else if (!in_string) {
            weight += weight_of(text[i]);
            in_string = text[i] == '"';
        }
    }
    return weight;
}
