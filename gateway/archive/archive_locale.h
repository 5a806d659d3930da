/* archive_locale - libarchive turns member names into the locale's character set, even those that stay UTF-8 all the
 * way, and gives up where that fails; programs start in "C", which is ASCII. So whoever works with an archive does it
 * in a UTF-8 locale of his thread. */
#ifndef ARCHIVE_LOCALE_H
#define ARCHIVE_LOCALE_H

#include <locale.h>

struct archive_locale {
    locale_t own, before; /* own 0: there is no UTF-8 locale; names beyond ASCII are then refused */
};

void archive_locale_enter(struct archive_locale *self);
void archive_locale_leave(struct archive_locale *self);

#endif
