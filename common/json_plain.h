/* json_plain - the bytes that stand in a JSON string as they are: ASCII but for controls, quotes and backslashes. What
 * reads strings and what writes them passes over runs of such bytes, eight at a time. Any thread. */
#ifndef JSON_PLAIN_H
#define JSON_PLAIN_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool json_is_plain(char byte)
{
    return (unsigned char)byte >= 0x20 && (unsigned char)byte < 0x80 && byte != '"' && byte != '\\';
}

/* The lowest bit that is set lies in the first of eight bytes that is not plain; 0: all are. A subtraction makes the
 * high bit of a control, or of what is zero where a quote or a backslash is; its borrow spoils later bytes only. */
static inline uint64_t json_not_plain(const char bytes[8])
{
    const uint64_t each = UINT64_MAX / 0xFF;
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    word = le64toh(word);
    uint64_t control = word - 0x20 * each;
    uint64_t quote = (word ^ '"' * each) - each;
    uint64_t backslash = (word ^ '\\' * each) - each;
    return (word | control | quote | backslash) & 0x80 * each;
}

/* Behind the plain bytes from `at` on. */
static inline const char *json_behind_plain(const char *at, const char *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t other = json_not_plain(at);
        if (other != 0)
            return at + __builtin_ctzll(other) / 8;
    }
    while (at < end && json_is_plain(*at))
        at++;
    return at;
}

#endif
