#include "text_width.h"

#include <unistr.h>
#include <uniwidth.h>

int text_width(const char *text)
{
    return u8_strwidth((const uint8_t *)text, "UTF-8");
}

enum err text_width_cut(struct buf *out, const char *text, int columns)
{
    const uint8_t *at = (const uint8_t *)text;
    ucs4_t c;
    for (const uint8_t *next = u8_next(&c, at); next; next = u8_next(&c, at)) {
        int width = uc_width(c, "UTF-8");
        columns -= width > 0 ? width : 0;
        if (columns < 0)
            break;
        at = next;
    }
    return buf_add(out, text, (size_t)(at - (const uint8_t *)text));
}
