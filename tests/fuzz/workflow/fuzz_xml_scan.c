/* Our XML scanner against expat: what expat reads, ours reads, as the same elements and the same text, wherever the
 * stream's blocks end. Ours is more lenient in places, so the reverse is not asked. */
#include "table/xml_scan.h"

#include "buf.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct stream {
    const uint8_t *bytes;
    size_t left, block;
};

struct oracle {
    struct buf seen;
    uint32_t depth;
    bool limits; /* beyond what ours takes, or what it refuses on purpose */
};

static void must(bool yes)
{
    if (!yes)
        abort();
}

static enum err read_stream(void *from, void *to, size_t room, size_t *len, struct fault *why)
{
    (void)why;
    struct stream *self = from;
    *len = self->left < self->block ? self->left : self->block;
    if (*len > room)
        *len = room;
    memcpy(to, self->bytes, *len);
    self->bytes += *len;
    self->left -= *len;
    return ERR_OK;
}

static const char *local(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static void note(struct buf *to, char mark, const char *text, size_t len)
{
    must(buf_add_byte(to, (uint8_t)mark) == ERR_OK && buf_add(to, text, len) == ERR_OK);
}

static void on_open(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct oracle *self = user;
    uint32_t count = 0;
    note(&self->seen, '<', local(name), strlen(local(name)));
    for (; attributes[2 * count]; count++)
        note(&self->seen, ' ', local(attributes[2 * count]), strlen(local(attributes[2 * count])));
    note(&self->seen, '>', "", 0);
    self->limits = self->limits || ++self->depth > XML_DEPTH_MAX || count > XML_ATTRIBUTES_MAX;
}

static void on_close(void *user, const XML_Char *name)
{
    struct oracle *self = user;
    self->depth--;
    note(&self->seen, '/', local(name), strlen(local(name)));
    note(&self->seen, '>', "", 0);
}

static void on_text(void *user, const XML_Char *text, int len)
{
    struct oracle *self = user;
    must(buf_add(&self->seen, text, (size_t)len) == ERR_OK);
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    ((struct oracle *)user)->limits = true;
}

static void on_declaration(void *user, const XML_Char *version, const XML_Char *encoding, int standalone)
{
    (void)version, (void)standalone;
    struct oracle *self = user;
    self->limits = self->limits || (encoding && strcasecmp(encoding, "utf-8") != 0);
}

static bool ask_oracle(struct oracle *self, const uint8_t *bytes, size_t len)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    must(parser != NULL);
    XML_SetUserData(parser, self);
    XML_SetElementHandler(parser, on_open, on_close);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    XML_SetXmlDeclHandler(parser, on_declaration);
    bool well_formed = XML_Parse(parser, (const char *)bytes, (int)len, 1) == XML_STATUS_OK;
    XML_ParserFree(parser);
    return well_formed && !self->limits;
}

static void note_token(struct xml_scan *scan, enum xml_token token, struct buf *seen, struct fault *why)
{
    char *at;
    size_t len;
    switch (token) {
    case XML_OPEN:
        note(seen, '<', scan->name, scan->name_len);
        for (uint32_t i = 0; i < scan->attribute_count; i++)
            note(seen, ' ', scan->attribute[i].name, scan->attribute[i].name_len);
        note(seen, '>', "", 0);
        break;
    case XML_CLOSE:
        note(seen, '/', scan->name, scan->name_len);
        note(seen, '>', "", 0);
        break;
    case XML_TEXT:
        must(buf_extend(seen, scan->text_len, &at) == ERR_OK);
        seen->len -= scan->text_len;
        why->code = xml_scan_text(scan, at, &len, why);
        seen->len += why->code == ERR_OK ? len : 0;
        break;
    case XML_END: break;
    }
}

static enum err scan_all(struct stream *stream, size_t window_bytes, struct buf *seen, struct fault *why)
{
    struct xml_scan scan;
    enum err err = xml_scan_init(&scan, read_stream, stream, window_bytes, why);
    enum xml_token token = XML_TEXT;
    while (err == ERR_OK && token != XML_END) {
        err = xml_scan_next(&scan, &token, why);
        if (err != ERR_OK)
            break;
        why->code = ERR_OK;
        note_token(&scan, token, seen, why);
        err = why->code;
    }
    xml_scan_fini(&scan);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    struct stream stream = {.bytes = bytes + 1, .left = len - 1, .block = 1 + (size_t)bytes[0]};
    struct oracle oracle = {.seen = BUF_INIT(1u << 30)};
    struct buf seen = BUF_INIT(1u << 30);
    struct fault why = {.text = ""};
    bool good = ask_oracle(&oracle, bytes + 1, len - 1);
    enum err err = scan_all(&stream, 4 * (size_t)bytes[0], &seen, &why);
    if (err != ERR_OK && !why.text[0])
        abort();
    if (strstr(why.text, "too long")) /* a tag longer than the window */
        good = false;
    if (good && (err != ERR_OK || seen.len != oracle.seen.len ||
                 (seen.len > 0 && memcmp(seen.data, oracle.seen.data, seen.len) != 0)))
        abort();
    buf_fini(&oracle.seen);
    buf_fini(&seen);
    return 0;
}
