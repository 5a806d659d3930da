#include "id.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void id_random(void *out, size_t len)
{
    char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0)
            abort();
        at += got;
        len -= (size_t)got;
    }
}

void id_sortable(unsigned char out[16])
{
    uint64_t ms = (uint64_t)clock_wall_us() / 1000;
    id_random(out, 16);
    for (int i = 5; i >= 0; i--, ms >>= 8)
        out[i] = (unsigned char)ms;
}

uint64_t id_u64(void)
{
    uint64_t value = 0;
    while (value == 0)
        id_random(&value, sizeof value);
    return value;
}

static const char hex_digits[] = "0123456789abcdef";

void id_write_hex(char *out, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        *out++ = hex_digits[bytes[i] >> 4];
        *out++ = hex_digits[bytes[i] & 15];
    }
    *out = '\0';
}

void id_write_uuid4(char out[ID_UUID_LEN + 1], const unsigned char bytes[16])
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    unsigned char marked[16];
    memcpy(marked, bytes, sizeof marked);
    marked[6] = (unsigned char)((marked[6] & 0x0F) | 0x40);
    marked[8] = (unsigned char)((marked[8] & 0x3F) | 0x80);
    const unsigned char *from = marked;
    for (size_t i = 0; i < sizeof groups; i++) {
        if (i > 0)
            *out++ = '-';
        id_write_hex(out, from, groups[i]);
        out += 2 * groups[i];
        from += groups[i];
    }
}

void id_hex(char *out, size_t digits)
{
    unsigned char bytes[ID_HEX_LEN / 2];
    char text[ID_HEX_LEN + 1];
    id_random(bytes, sizeof bytes);
    id_write_hex(text, bytes, sizeof bytes);
    if (digits > ID_HEX_LEN)
        digits = ID_HEX_LEN;
    memcpy(out, text, digits);
    out[digits] = '\0';
}

void id_uuid4(char out[ID_UUID_LEN + 1])
{
    unsigned char bytes[16];
    id_random(bytes, sizeof bytes);
    id_write_uuid4(out, bytes);
}

bool id_chat_valid(const char *text, size_t len)
{
    if (len < 1 || len > ID_CHAT_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  (c != '\0' && strchr("._~:-", c));
        if (!ok)
            return false;
    }
    return true;
}
