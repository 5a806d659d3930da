#include "result_file.h"

#include <stdio.h>
#include <string.h>

#define PLAIN_TEXT_MAX 256 /* bytes of a text that a summary repeats */
#define SUMMARY_MAX    32  /* members */

static size_t bytes_of(const json_t *value)
{
    return json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

static const char *largest(json_t *result)
{
    const char *found = NULL, *name;
    size_t most = 0;
    json_t *value;
    json_object_foreach(result, name, value)
    {
        size_t bytes = strlen(name) < RESULT_MEMBER_MAX ? bytes_of(value) : 0;
        if (bytes > most) {
            most = bytes;
            found = name;
        }
    }
    return found;
}

static void add_count(json_t *summary, const char *name, size_t count)
{
    char key[RESULT_MEMBER_MAX + sizeof "_count"];
    snprintf(key, sizeof key, "%.*s_count", RESULT_MEMBER_MAX - 1, name);
    json_object_set_new(summary, key, json_integer((json_int_t)count));
}

static void summarize_member(json_t *summary, const char *name, json_t *value)
{
    if (json_is_array(value))
        add_count(summary, name, json_array_size(value));
    else if (json_is_object(value))
        add_count(summary, name, json_object_size(value));
    else if (!json_is_string(value) || json_string_length(value) <= PLAIN_TEXT_MAX)
        json_object_set(summary, name, value);
}

static json_t *summarize(json_t *value)
{
    json_t *summary = json_object(), *inner;
    const char *name;
    if (json_is_array(value))
        json_object_set_new(summary, "count", json_integer((json_int_t)json_array_size(value)));
    json_object_foreach(value, name, inner)
    {
        if (json_object_size(summary) < SUMMARY_MAX && strlen(name) < RESULT_MEMBER_MAX)
            summarize_member(summary, name, inner);
    }
    return summary;
}

bool result_file_split(json_t *result, char member[RESULT_MEMBER_MAX], char **text)
{
    const char *name = largest(result);
    json_t *value = name ? json_object_get(result, name) : NULL;
    *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (!*text)
        return false;
    snprintf(member, RESULT_MEMBER_MAX, "%s", name);
    if (!json_object_get(result, "summary"))
        json_object_set_new(result, "summary", summarize(value));
    json_object_del(result, member);
    return true;
}
