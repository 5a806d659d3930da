#include "operations/fold.h"

#include <stdlib.h>
#include <unicase.h>

static bool make_room(struct fold_room *room, size_t len)
{
    if (room->bytes && len <= room->room)
        return true;
    size_t size = len < 256 ? 256 : len + len / 2;
    uint8_t *bytes = realloc(room->bytes, size);
    if (!bytes) {
        room->failed = true;
        return false;
    }
    room->bytes = bytes;
    room->room = size;
    return true;
}

/* Folds A-Z and tells whether there was nothing but ASCII. One plain loop, which the compiler turns into vectors. */
static bool fold_ascii(uint8_t *to, const char *from, size_t len)
{
    uint8_t seen = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)from[i];
        seen |= c;
        to[i] = (uint8_t)(c + ((uint8_t)(c - 'A') < 26 ? 32 : 0));
    }
    return seen < 0x80;
}

/* Lets the library write into our room; when that is too small it allocates, and its memory becomes our room. */
static bool fold_unicode(struct fold_room *room, const char *text, size_t *len)
{
    size_t folded_len = room->room;
    uint8_t *folded = u8_casefold((const uint8_t *)text, *len, NULL, NULL, room->bytes, &folded_len);
    if (!folded)
        return false;
    if (folded != room->bytes) {
        free(room->bytes);
        room->bytes = folded;
        room->room = folded_len;
    }
    *len = folded_len;
    return true;
}

bool fold_text(struct fold_room *room, const char *text, size_t len, const char **out, size_t *out_len)
{
    if (!make_room(room, len))
        return false;
    *out_len = len;
    if (!fold_ascii(room->bytes, text, len) && !fold_unicode(room, text, out_len)) {
        room->failed = true;
        return false;
    }
    *out = (const char *)room->bytes;
    return true;
}

void fold_room_fini(struct fold_room *room)
{
    free(room->bytes);
    *room = (struct fold_room){.bytes = NULL};
}
