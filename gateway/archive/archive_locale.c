#include "archive/archive_locale.h"

void archive_locale_enter(struct archive_locale *self)
{
    self->own = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    self->before = self->own ? uselocale(self->own) : (locale_t)0;
}

void archive_locale_leave(struct archive_locale *self)
{
    if (!self->own)
        return;
    uselocale(self->before);
    freelocale(self->own);
}
