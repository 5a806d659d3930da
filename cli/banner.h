/* banner - the box `sheetwire serve` prints once everything is ready. */
#ifndef BANNER_H
#define BANNER_H

#include "buf.h"
#include "settings.h"

#define BANNER_COLUMNS 67 /* inside the box */

enum err banner_text(struct buf *out, const struct settings *settings) MUST_CHECK;

#endif
