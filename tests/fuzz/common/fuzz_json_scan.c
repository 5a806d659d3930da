/* json_scan says yes exactly where jansson does (whose limits on depth and members are its own), and its walk meets
 * what jansson's tree holds. */
#include "json_scan.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

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
        must(value != NULL);
        const struct json_member *last = json_members_find(members, key);
        int64_t n;
        char text[256];
        must(!json_is_integer(value) || (json_member_int(last, &n) && n == json_integer_value(value)));
        must(!json_member_plain_text(last, text, sizeof text) || strcmp(text, json_string_value(value)) == 0);
    }
}

/* A key with escapes is another key for the list and the same key for jansson, which then keeps the later value. */
static bool has_escaped_key(const struct json_members *members)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (memchr(members->member[i].key.at, '\\', members->member[i].key.len))
            return true;
    return false;
}

static bool text_is(const struct json_member *member, const char *text)
{
    size_t len = json_member_text(member, (char[1]){'x'}, 1);
    char *whole = malloc(len + 1);
    must(json_member_text(member, whole, len + 1) == len && strlen(whole) == len);
    bool equal = strcmp(whole, text) == 0;
    free(whole);
    return equal;
}

static bool key_is(const struct json_span *key, const char *name)
{
    const struct json_member as_text = {.value = {key->at - 1, key->len + 2}, .kind = JSON_KIND_STRING};
    bool equal = text_is(&as_text, name);
    must(strpbrk(name, "\"\\") || json_key_is(key, name) == equal);
    return equal;
}

static void check_value(const struct json_member *member, json_t *tree);

static void check_object(struct json_span object, json_t *tree)
{
    struct json_member member, last = {.kind = JSON_KIND_NULL};
    size_t members = 0, named = 0;
    struct json_walk walk = json_walk_begin(object);
    while (json_walk_next(&walk, &member))
        members++;
    for (void *at = json_object_iter(tree); at; at = json_object_iter_next(tree, at)) {
        size_t before = named;
        for (walk = json_walk_begin(object); json_walk_next(&walk, &member);)
            if (key_is(&member.key, json_object_iter_key(at))) {
                last = member;
                named++;
            }
        must(named > before);
        check_value(&last, json_object_iter_value(at));
    }
    must(named == members);
}

static void check_array(struct json_span array, json_t *tree)
{
    struct json_member element;
    size_t count = 0;
    struct json_walk walk = json_walk_begin(array);
    while (json_walk_next(&walk, &element)) {
        must(element.key.len == 0 && count < json_array_size(tree));
        check_value(&element, json_array_get(tree, count++));
    }
    must(count == json_array_size(tree));
}

static void check_value(const struct json_member *member, json_t *tree)
{
    switch (member->kind) {
    case JSON_KIND_NULL: must(json_is_null(tree)); break;
    case JSON_KIND_TRUTH: must(json_is_boolean(tree) && (*member->value.at == 't') == json_is_true(tree)); break;
    case JSON_KIND_NUMBER: must(json_is_number(tree)); break;
    case JSON_KIND_STRING: must(json_is_string(tree) && text_is(member, json_string_value(tree))); break;
    case JSON_KIND_ARRAY:
        must(json_is_array(tree));
        check_array(member->value, tree);
        break;
    case JSON_KIND_OBJECT:
        must(json_is_object(tree));
        check_object(member->value, tree);
        break;
    }
}

static bool has_blanks(const char *text, size_t len)
{
    bool within = false;
    for (size_t i = 0; i < len; i++) {
        if (within && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            within = !within;
        else if (!within && strchr(" \t\r\n", text[i]))
            return true;
    }
    return false;
}

static void check_compact(struct json_span object, json_t *tree)
{
    char *text = malloc(object.len);
    size_t len = json_compact(object, text);
    must(len <= object.len && !has_blanks(text, len));
    json_t *again = json_loadb(text, len, 0, NULL);
    must(json_equal(again, tree));
    json_decref(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_members members;
    struct fault why;
    struct json_span text = {(const char *)data, size};
    enum err listed = json_scan_object(text.at, size, &members, &why),
             err = json_scan_object(text.at, size, NULL, &why);
    must(listed == err || listed == ERR_TOO_LARGE);
    if (err == ERR_TOO_LARGE)
        return 0;
    if (size > 0 && memchr(data, '\0', size)) { /* never JSON; jansson overlooks one behind a number */
        must(err != ERR_OK);
        return 0;
    }
    json_error_t error;
    json_t *tree = json_loadb(text.at, size, 0, &error);
    must(json_is_object(tree) == (err == ERR_OK));
    if (err == ERR_OK) {
        check_object(text, tree);
        check_compact(text, tree);
        if (listed == ERR_OK && !has_escaped_key(&members))
            check_members(&members, tree);
    }
    json_decref(tree);
    return 0;
}
