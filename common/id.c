#include "id.h"

#include "clock.h"

#include <stdio.h>
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

void id_hex(char *out, size_t digits)
{
    unsigned char bytes[ID_HEX_LEN / 2];
    char text[ID_HEX_LEN + 1];
    id_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    if (digits > ID_HEX_LEN)
        digits = ID_HEX_LEN;
    memcpy(out, text, digits);
    out[digits] = '\0';
}

void id_uuid4(char out[ID_UUID_LEN + 1])
{
    unsigned char b[16];
    id_random(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(out, ID_UUID_LEN + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
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
