#include "progress_bar.h"

#include "text_width.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define OPERATION_COLUMNS 31 /* excel/extract-columns-to-file and a blank */
#define BAR_COLUMNS       24
#define LINES_MAX         40 /* a terminal cannot be redrawn above its first line; longer runs show their newest steps */

int progress_bar_columns(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return PROGRESS_BAR_COLUMNS;
    return size.ws_col;
}

static enum err add_repeated(struct buf *out, const char *text, int times)
{
    enum err err = ERR_OK;
    for (; times > 0 && err == ERR_OK; times--)
        err = buf_add_text(out, text);
    return err;
}

static enum err add_padded(struct buf *out, const char *text, int columns)
{
    enum err err = text_width_cut(out, text, columns);
    return err == ERR_OK ? add_repeated(out, " ", columns - text_width(text)) : err;
}

static enum err add_bar(struct buf *out, const struct step_view *step)
{
    int full = step->progress * BAR_COLUMNS / 100;
    enum err err = buf_add_text(out, "[");
    if (err == ERR_OK)
        err = add_repeated(out, "█", full);
    if (err == ERR_OK)
        err = add_repeated(out, "░", BAR_COLUMNS - full);
    return err == ERR_OK ? buf_add_text(out, "]") : err;
}

static const char *mark(enum step_state state)
{
    switch (state) {
    case STEP_PENDING: return " ";
    case STEP_RUNNING: return "…";
    case STEP_COMPLETED: return "✓";
    case STEP_FAILED: return "✗";
    }
    return " ";
}

enum err progress_bar_line(struct buf *out, const struct run_view *run, size_t step, int columns)
{
    const struct step_view *view = &run->steps[step];
    struct buf whole = BUF_INIT(4096);
    enum err err = buf_printf(&whole, " %s %zu/%zu ", mark(view->state), step + 1, run->count);
    if (err == ERR_OK)
        err = add_padded(&whole, view->operation, OPERATION_COLUMNS);
    if (err == ERR_OK)
        err = add_bar(&whole, view);
    if (err == ERR_OK)
        err = buf_printf(&whole, " %3d%% %s", view->progress, view->message);
    if (err == ERR_OK)
        err = text_width_cut(out, buf_text(&whole), columns);
    buf_fini(&whole);
    return err;
}

enum err progress_bar_draw(struct buf *out, const struct run_view *run, int columns, bool again)
{
    size_t shown = run->count < LINES_MAX ? run->count : LINES_MAX, first = 0;
    while (first + shown < run->count && run->steps[first + shown - 1].state != STEP_PENDING)
        first++;
    enum err err = again && shown > 0 ? buf_printf(out, "\x1b[%zuA", shown) : ERR_OK;
    for (size_t i = first; i < first + shown && err == ERR_OK; i++) {
        err = buf_add_text(out, "\r\x1b[2K");
        if (err == ERR_OK)
            err = progress_bar_line(out, run, i, columns - 1); /* a full last column would wrap on some terminals */
        if (err == ERR_OK)
            err = buf_add_text(out, "\n");
    }
    return err;
}
