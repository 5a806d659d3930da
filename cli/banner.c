#include "banner.h"

#include "server_address.h"
#include "text_width.h"

#include <stdio.h>

static enum err add_edge(struct buf *out, const char *left, const char *right)
{
    enum err err = buf_add_text(out, left);
    for (int i = 0; i < BANNER_COLUMNS && err == ERR_OK; i++)
        err = buf_add_text(out, "═");
    return err == ERR_OK ? buf_printf(out, "%s\n", right) : err;
}

static enum err add_line(struct buf *out, const char *text)
{
    struct buf cut = BUF_INIT(4096);
    enum err err = text_width_cut(&cut, text, BANNER_COLUMNS);
    if (err == ERR_OK)
        err = buf_printf(out, "║%s%*s║\n", buf_text(&cut), BANNER_COLUMNS - text_width(buf_text(&cut)), "");
    buf_fini(&cut);
    return err;
}

enum err banner_text(struct buf *out, const struct settings *settings)
{
    char rest[SERVER_ADDRESS_MAX], ws[SERVER_ADDRESS_MAX], lines[4][SERVER_ADDRESS_MAX + 64];
    server_address_rest(settings, rest);
    server_address_ws(settings, ws);
    snprintf(lines[0], sizeof lines[0], "   🚀 %.200s - Excel/CSV Processing, live", settings->app.name);
    snprintf(lines[1], sizeof lines[1], "   Version:    v%s", SHEETWIRE_VERSION);
    snprintf(lines[2], sizeof lines[2], "   REST API:   %s", rest);
    if (settings->chat_workflows.enabled)
        snprintf(lines[3], sizeof lines[3], "   WebSocket:  ✓ Running on %s", ws);
    else
        snprintf(lines[3], sizeof lines[3], "   WebSocket:  ✗ Disabled (chat_workflows.enabled: false)");
    enum err err = add_edge(out, "╔", "╗");
    for (size_t i = 0; i < 4 && err == ERR_OK; i++)
        err = add_line(out, lines[i]);
    return err == ERR_OK ? add_edge(out, "╚", "╝") : err;
}
