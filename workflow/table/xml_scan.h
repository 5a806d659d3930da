/* xml_scan - a pull scanner for large XML parts: one token a call out of a fixed window over a stream of blocks.
 *
 * It knows as much XML 1.0 as spreadsheet parts may use: elements with any prefix (names are given without it),
 * attributes in either kind of quotes, character data, CDATA, comments and processing instructions (skipped), character
 * references and the five predefined entities. UTF-8 only. A document type declaration is refused, so no entity can be
 * declared. Small parts are read with expat instead (xlsx_part.h); this scanner is for those where that would cost the
 * time. Used by one thread. */
#ifndef XML_SCAN_H
#define XML_SCAN_H

#include "err.h"

#include <stdint.h>

#define XML_WINDOW_BYTES_MIN 64
#define XML_WINDOW_BYTES     (128u << 10) /* the usual window, and so the longest tag */
#define XML_DEPTH_MAX        128
#define XML_ATTRIBUTES_MAX   64

enum xml_token {
    XML_OPEN,  /* name and attributes are set; an empty element is followed by its XML_CLOSE */
    XML_CLOSE, /* name is set */
    XML_TEXT,  /* a piece of character data, raw: xml_scan_text() decodes it */
    XML_END,   /* after the root element */
};

struct xml_attribute {
    const char *name;  /* without prefix */
    const char *value; /* raw */
    uint32_t name_len;
    uint32_t value_len;
};

struct xml_scan {
    enum err (*read)(void *from, void *to, size_t room, size_t *len, struct fault *why);
    void *from;
    char *window;
    size_t room;     /* of the window */
    size_t pos, end; /* of what is not scanned yet */
    uint64_t offset; /* of window[0] in the part */
    bool at_end;     /* the stream has no more bytes */
    bool close_next; /* the token after an empty element */
    bool root_seen;
    bool in_cdata; /* pos stands in a CDATA section */
    uint32_t depth;
    uint32_t open[XML_DEPTH_MAX]; /* hashes of the full names, to tell a wrong end tag */

    /* The present token: borrowed from the window, valid until the next call. */
    const char *name;
    const char *text;
    size_t text_len;
    uint32_t name_len;
    bool cdata; /* the text is taken as it is */
    uint32_t attribute_count;
    struct xml_attribute attribute[XML_ATTRIBUTES_MAX];
};

/* read(from, ...) gives up to room bytes, *len 0 at the end. window_bytes is XML_WINDOW_BYTES but in tests, which meet
 * every split of the input with a small one. */
enum err xml_scan_init(struct xml_scan *self,
                       enum err (*read)(void *from, void *to, size_t room, size_t *len, struct fault *why), void *from,
                       size_t window_bytes, struct fault *why) MUST_CHECK;
/* The same place in an equal stream `from_copy`. */
enum err xml_scan_clone(struct xml_scan *out, const struct xml_scan *self, void *from_copy,
                        struct fault *why) MUST_CHECK;
void xml_scan_fini(struct xml_scan *self);

/* A fault says at which byte of the part. */
enum err xml_scan_next(struct xml_scan *self, enum xml_token *token, struct fault *why) MUST_CHECK;

/* A short cut for the commonest content: when a whole element `<name>text</name>` without attributes, prefix and markup
 * in its text comes next and lies in the window, takes it at once: its text is the present token. false: nothing is
 * taken, which never means that no such element comes. */
bool xml_scan_leaf(struct xml_scan *self, const char *name, size_t len);

#define XML_LEAF(scan, literal) xml_scan_leaf((scan), (literal), sizeof(literal) - 1)

/* For short cuts of callers that know their format: the bytes that come next, borrowed; *len is 0 when a token is
 * pending that is not among them. xml_scan_take() makes text[0..len) the present XML_TEXT token and goes on at `next`,
 * all of them among the bytes ahead; what is passed over must be whole elements. */
const char *xml_scan_ahead(const struct xml_scan *self, size_t *len);
void xml_scan_take(struct xml_scan *self, const char *text, size_t len, const char *next);

/* After XML_OPEN: goes on to behind the end tag of that element. */
enum err xml_scan_skip(struct xml_scan *self, struct fault *why) MUST_CHECK;

/* After the XML_OPEN of the root: ERR_INVALID when the part is of another kind. */
enum err xml_scan_want_root(const struct xml_scan *self, const char *name, struct fault *why) MUST_CHECK;

/* The text of the present XML_TEXT token decoded into `out`, which has room for text_len bytes: references replaced,
 * line ends made LF, valid UTF-8 of characters that XML 1.0 allows. */
enum err xml_scan_text(const struct xml_scan *self, char *out, size_t *len, struct fault *why) MUST_CHECK;

/* Names have one to ten bytes: a loop beats a call of memcmp(). */
static inline bool xml_scan_same(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static inline bool xml_scan_is(const struct xml_scan *self, const char *name, size_t len)
{
    return self->name_len == len && xml_scan_same(self->name, name, len);
}

#define XML_IS(scan, literal) xml_scan_is((scan), (literal), sizeof(literal) - 1)

#endif
