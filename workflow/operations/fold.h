/* fold - text without its case, for comparing: Unicode full case folding (CaseFolding.txt, status C and F), so that
 * STRASSE finds Straße. The room is reused: folding allocates only while the longest text grows. */
#ifndef FOLD_H
#define FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fold_room { /* zero-initialised */
    uint8_t *bytes;
    size_t room;
    bool failed; /* there was no memory; stays true */
};

/* The folded text lives in the room until the next call. false: no memory (room->failed). Bytes that are not UTF-8
 * become U+FFFD. */
bool fold_text(struct fold_room *room, const char *text, size_t len, const char **out, size_t *out_len);
void fold_room_fini(struct fold_room *room);

#endif
