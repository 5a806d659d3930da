/* json_scan says yes exactly where jansson does (whose limits on depth and members are its own). */
#include "json_scan.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_members(const struct json_members *members, const json_t *object)
{
    for (uint32_t i = 0; i < members->count; i++) {
        const struct json_member *member = &members->member[i];
        char key[256];
        if (member->key.len >= sizeof key || memchr(member->key.at, '\\', member->key.len))
            continue;
        memcpy(key, member->key.at, member->key.len);
        key[member->key.len] = '\0';
        const json_t *value = json_object_get(object, key);
        if (!value)
            abort();
        const struct json_member *last = json_members_find(members, key);
        int64_t n;
        char text[256];
        if (json_is_integer(value) && (!json_member_int(last, &n) || n != json_integer_value(value)))
            abort();
        if (json_member_plain_text(last, text, sizeof text) && strcmp(text, json_string_value(value)) != 0)
            abort();
    }
}

/* A key with escapes is another key for us and the same key for jansson, which then keeps the later value. */
static int has_escaped_key(const struct json_members *members)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (memchr(members->member[i].key.at, '\\', members->member[i].key.len))
            return 1;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_members members;
    struct fault why;
    enum err err = json_scan_object((const char *)data, size, &members, &why);
    if (err == ERR_TOO_LARGE)
        return 0;
    if (size > 0 && memchr(data, '\0', size)) { /* never JSON; jansson overlooks one behind a number */
        if (err == ERR_OK)
            abort();
        return 0;
    }
    json_error_t error;
    json_t *tree = json_loadb((const char *)data, size, 0, &error);
    bool object = json_is_object(tree);
    if (object != (err == ERR_OK))
        abort();
    if (object && !has_escaped_key(&members))
        check_members(&members, tree);
    json_decref(tree);
    return 0;
}
