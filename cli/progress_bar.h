/* progress_bar - a run as lines on a terminal: one bar a step, drawn again in place. Widths are terminal columns, not
 * bytes or characters (Unicode Standard Annex 11). Drawing returns text; printing it is the caller's. */
#ifndef PROGRESS_BAR_H
#define PROGRESS_BAR_H

#include "buf.h"
#include "run_view.h"

#define PROGRESS_BAR_COLUMNS 80 /* when the terminal does not say */

/* One line without its end, at most `columns` wide: " 1/3 csv/search  [####----]  45% message". */
enum err progress_bar_line(struct buf *out, const struct run_view *run, size_t step, int columns) MUST_CHECK;
/* All lines; `again` moves the cursor to the first line drawn before. */
enum err progress_bar_draw(struct buf *out, const struct run_view *run, int columns, bool again) MUST_CHECK;
int progress_bar_columns(int fd); /* of the terminal behind the descriptor */

#endif
