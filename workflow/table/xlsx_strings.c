#include "table/xlsx_strings.h"

#include "table/source.h"
#include "table/xlsx_part.h"
#include "table/xlsx_text.h"
#include "table/zip_member.h"

#include <stdlib.h>

#define FIRST_ROOM 1024

static enum err add_failed(enum err err, struct fault *why)
{
    if (err == ERR_FULL)
        return fault_set(why, ERR_TOO_LARGE, "too much text");
    return fault_set(why, err, "Out of memory");
}

static enum err add_present_text(struct xml_scan *scan, struct buf *to, size_t start, struct fault *why)
{
    size_t before = to->len, len;
    char *at;
    if (before - start + scan->text_len > SOURCE_CELL_BYTES_MAX)
        return fault_set(why, ERR_TOO_LARGE, "the text of a cell is longer than %u bytes", SOURCE_CELL_BYTES_MAX);
    enum err err = buf_extend(to, scan->text_len, &at);
    if (err != ERR_OK)
        return add_failed(err, why);
    err = xml_scan_text(scan, at, &len, why);
    to->len = before + (err == ERR_OK ? len : 0);
    return err;
}

static enum err element_text(struct xml_scan *scan, struct buf *to, size_t start, struct fault *why)
{
    uint32_t outside = scan->depth - 1;
    while (scan->depth > outside) {
        enum xml_token token;
        enum err err = xml_scan_next(scan, &token, why);
        if (err == ERR_OK && token == XML_TEXT)
            err = add_present_text(scan, to, start, why);
        else if (err == ERR_OK && token == XML_OPEN)
            err = xml_scan_skip(scan, why);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

enum err xlsx_strings_text(struct xml_scan *scan, struct buf *to, struct fault *why)
{
    return add_present_text(scan, to, to->len, why);
}

enum err xlsx_strings_element(struct xml_scan *scan, struct buf *to, struct fault *why)
{
    return element_text(scan, to, to->len, why);
}

/* Takes <t> at the top and in runs (<r>); other children are phonetics and fonts. */
enum err xlsx_strings_item(struct xml_scan *scan, struct buf *to, struct fault *why)
{
    size_t start = to->len;
    uint32_t outside = scan->depth - 1;
    while (scan->depth > outside) {
        if (XML_LEAF(scan, "t")) {
            enum err err = add_present_text(scan, to, start, why);
            if (err != ERR_OK)
                return err;
        }
        enum xml_token token;
        enum err err = xml_scan_next(scan, &token, why);
        if (err == ERR_OK && token == XML_OPEN) {
            if (XML_IS(scan, "t"))
                err = element_text(scan, to, start, why);
            else if (!XML_IS(scan, "r"))
                err = xml_scan_skip(scan, why);
        }
        if (err != ERR_OK)
            return err;
    }
    to->len = start + (to->len > start ? xlsx_text_unescape(to->data + start, to->len - start) : 0);
    return ERR_OK;
}

static enum err end_string(struct xlsx_strings *self, struct fault *why)
{
    if (self->count == self->room) {
        if (self->room >= XLSX_STRINGS_MAX)
            return fault_set(why, ERR_TOO_LARGE, "more than %u strings", XLSX_STRINGS_MAX);
        uint32_t room = self->room ? 2 * self->room : FIRST_ROOM;
        uint32_t *end = realloc(self->end, room * sizeof *end);
        if (!end)
            return fault_set(why, ERR_MEMORY, "Out of memory");
        self->end = end;
        self->room = room;
    }
    self->end[self->count++] = (uint32_t)self->bytes.len;
    return ERR_OK;
}

static enum err load(struct xlsx_strings *self, struct xml_scan *scan, struct fault *why)
{
    for (;;) {
        enum xml_token token;
        enum err err = xml_scan_next(scan, &token, why);
        if (err != ERR_OK || token == XML_END)
            return err;
        if (token != XML_OPEN)
            continue;
        if (scan->depth == 1) {
            err = xml_scan_want_root(scan, "sst", why);
        } else if (XML_IS(scan, "si")) {
            err = xlsx_strings_item(scan, &self->bytes, why);
            if (err == ERR_OK)
                err = end_string(self, why);
        } else {
            err = xml_scan_skip(scan, why);
        }
        if (err != ERR_OK)
            return err;
    }
}

enum err xlsx_strings_load(struct xlsx_strings *out, struct zip_archive *archive, struct zip_entry *part,
                           struct fault *why)
{
    *out = (struct xlsx_strings){.bytes = BUF_INIT(XLSX_STRINGS_BYTES_MAX)};
    if (!part)
        return ERR_OK;
    struct zip_member *member;
    struct xml_scan scan = {.window = NULL};
    enum err err = zip_member_new(&member, archive, part, why);
    if (err == ERR_OK)
        err = xml_scan_init(&scan, zip_member_read, member, XML_WINDOW_BYTES, why);
    if (err == ERR_OK)
        err = load(out, &scan, why);
    xml_scan_fini(&scan);
    zip_member_destroy(&member);
    if (err != ERR_OK) {
        fault_prefix(why, "%s: ", xlsx_part_short_name(part->name));
        xlsx_strings_fini(out);
    }
    return err;
}

void xlsx_strings_fini(struct xlsx_strings *self)
{
    buf_fini(&self->bytes);
    free(self->end);
    self->end = NULL;
    self->count = self->room = 0;
}
