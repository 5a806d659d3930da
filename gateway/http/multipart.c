#include "http/multipart.h"

#include "http/disposition.h"
#include "http/fields.h"

#include <stdio.h>
#include <string.h>

static bool boundary_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("'()+_,-./:=? ", c));
}

enum err multipart_boundary(const char *content_type, char out[MULTIPART_BOUNDARY_MAX + 1], struct fault *why)
{
    if (!content_type || !field_media_type_is(content_type, "multipart/form-data"))
        return fault_set(why, ERR_UNSUPPORTED, "The Content-Type is not multipart/form-data");
    char boundary[MULTIPART_BOUNDARY_MAX + 2];
    if (!disposition_parameter(content_type, "boundary", boundary, sizeof boundary) || !boundary[0])
        return fault_set(why, ERR_INVALID, "The Content-Type names no boundary");
    size_t len = strlen(boundary);
    if (len > MULTIPART_BOUNDARY_MAX || boundary[len - 1] == ' ')
        return fault_set(why, ERR_INVALID, "The boundary is longer than %d characters or ends in a blank",
                         MULTIPART_BOUNDARY_MAX);
    for (size_t i = 0; i < len; i++)
        if (!boundary_char((unsigned char)boundary[i]))
            return fault_set(why, ERR_INVALID, "The boundary has a character that RFC 2046 does not allow");
    memcpy(out, boundary, len + 1);
    return ERR_OK;
}

static enum err content(struct multipart *self, const char *bytes, size_t len, struct fault *why)
{
    return self->in_part && len > 0 ? self->sink.data(self->sink.context, bytes, len, why) : ERR_OK;
}

/* What looked like the beginning of a delimiter was content. */
static enum err give_back(struct multipart *self, struct fault *why)
{
    const char *bytes = self->delimiter + self->assumed;
    size_t len = self->matched - self->assumed;
    self->matched = 0;
    self->assumed = 0;
    return content(self, bytes, len, why);
}

/* A body, and a part's content, begin like a line: a boundary there has no CR LF of its own before it. */
static void assume_line_start(struct multipart *self)
{
    self->matched = 2;
    self->assumed = 2;
}

void multipart_init(struct multipart *self, const char *boundary, const struct multipart_sink *sink)
{
    self->state = MULTIPART_PREAMBLE;
    self->sink = *sink;
    self->delimiter_len = (size_t)snprintf(self->delimiter, sizeof self->delimiter, "\r\n--%s", boundary);
    self->padding = 0;
    self->in_part = false;
    self->parts = 0;
    self->header_len = 0;
    assume_line_start(self);
}

static enum err broken(struct multipart *self, struct fault *why, const char *reason)
{
    self->state = MULTIPART_BROKEN;
    return fault_set(why, ERR_INVALID, "The multipart body is malformed: %s", reason);
}

static enum multipart_state resting_state(const struct multipart *self)
{
    return self->in_part ? MULTIPART_CONTENT : MULTIPART_PREAMBLE;
}

/* Reads content up to the end of the piece or to a whole delimiter, and hands it on in one go: a form is mostly
 * content, and random bytes have a CR every 256. A CR can only be the delimiter's first byte, so after a mismatch
 * nothing but the current byte can begin a new one. */
static enum err read_content(struct multipart *self, const char *bytes, size_t len, size_t *used, struct fault *why)
{
    bool carried = self->matched > 0; /* what matches so far began in an earlier piece */
    size_t start = 0;                 /* of content not yet handed on */
    size_t at = 0;
    enum err err = ERR_OK;
    while (at < len && self->matched < self->delimiter_len && err == ERR_OK) {
        if (bytes[at] == self->delimiter[self->matched]) {
            self->matched++;
            at++;
        } else if (carried) {
            err = give_back(self, why);
            carried = false;
            start = at;
        } else if (self->matched > 0) {
            self->matched = 0;
        } else {
            const char *cr = memchr(bytes + at, '\r', len - at);
            at = cr ? (size_t)(cr - bytes) : len;
        }
    }
    if (err == ERR_OK && !carried)
        err = content(self, bytes + start, at - self->matched - start, why);
    if (self->matched == self->delimiter_len)
        self->state = MULTIPART_BOUNDARY;
    *used = at;
    return err;
}

static enum err end_part(struct multipart *self, struct fault *why)
{
    bool open = self->in_part;
    self->in_part = false;
    self->matched = 0;
    self->assumed = 0;
    return open ? self->sink.end(self->sink.context, why) : ERR_OK;
}

static enum err start_header(struct multipart *self, struct fault *why)
{
    enum err err = end_part(self, why);
    self->state = MULTIPART_HEADER;
    self->header_len = 0;
    if (err == ERR_OK && ++self->parts > MULTIPART_PARTS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "The form has more than %d parts", MULTIPART_PARTS_MAX);
    return err;
}

/* After a delimiter: two dashes end the body, blanks and a line end begin a part, and with anything else the delimiter
 * was content that only looked like one. *taken is false when the byte is to be read again as content. */
static enum err after_boundary(struct multipart *self, char c, bool *taken, struct fault *why)
{
    *taken = true;
    if (c == '-') {
        self->state = MULTIPART_DASH;
    } else if (c == '\r') {
        self->state = MULTIPART_LINE_END;
    } else if (c == ' ' || c == '\t') {
        self->state = MULTIPART_PADDING;
        self->padding = 1;
    } else {
        *taken = false;
        self->state = resting_state(self);
        return give_back(self, why);
    }
    return ERR_OK;
}

static enum err after_dash(struct multipart *self, char c, bool *taken, struct fault *why)
{
    *taken = true;
    if (c == '-') {
        self->state = MULTIPART_EPILOGUE;
        return end_part(self, why);
    }
    *taken = false;
    self->state = resting_state(self);
    enum err err = give_back(self, why);
    return err == ERR_OK ? content(self, "-", 1, why) : err;
}

static enum err after_padding(struct multipart *self, char c, struct fault *why)
{
    if (c == '\r')
        self->state = MULTIPART_LINE_END;
    else if ((c != ' ' && c != '\t') || ++self->padding > MULTIPART_PADDING_MAX)
        return broken(self, why, "a boundary is followed by more than blanks");
    return ERR_OK;
}

/* Finds a field of the part's header; folded lines are unfolded by the caller. Returns its value or NULL. */
static char *find_field(char *header, const char *name)
{
    size_t len = strlen(name);
    for (char *line = header; *line; line += strlen(line) + 1)
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " \t");
    return NULL;
}

/* Turns the header into lines that each end in a NUL, the last followed by another. */
static bool split_header(struct multipart *self)
{
    char *out = self->header;
    const char *end = self->header + self->header_len;
    for (const char *in = self->header; in < end; in++) {
        if (in[0] == '\r' && end - in > 1 && in[1] == '\n') {
            bool folded = end - in > 2 && (in[2] == ' ' || in[2] == '\t');
            *out++ = folded ? ' ' : '\0';
            in += 1;
        } else if (((unsigned char)*in < ' ' && *in != '\t') || *in == 0x7F) {
            return false;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return true;
}

static enum err begin_part(struct multipart *self, struct fault *why)
{
    if (!split_header(self))
        return broken(self, why, "a part's header has a control character");
    const char *disposition = find_field(self->header, "Content-Disposition");
    const char *type = find_field(self->header, "Content-Type");
    char name[MULTIPART_TEXT_MAX];
    char filename[MULTIPART_TEXT_MAX];
    if (!disposition || !field_media_type_is(disposition, "form-data"))
        return broken(self, why, "a part has no Content-Disposition: form-data");
    if (!disposition_parameter(disposition, "name", name, sizeof name))
        return broken(self, why, "a part has no name");
    bool is_file = disposition_filename(disposition, filename, sizeof filename);
    self->state = MULTIPART_CONTENT;
    self->in_part = true;
    assume_line_start(self);
    struct multipart_part part = {name, is_file ? filename : NULL, type ? type : ""};
    return self->sink.begin(self->sink.context, &part, why);
}

static enum err read_header(struct multipart *self, const char *bytes, size_t len, size_t *used, struct fault *why)
{
    for (size_t at = 0; at < len; at++) {
        if (self->header_len == MULTIPART_HEADER_MAX) {
            self->state = MULTIPART_BROKEN;
            return fault_set(why, ERR_TOO_LARGE, "The header of a form part is longer than %d bytes",
                             MULTIPART_HEADER_MAX);
        }
        self->header[self->header_len++] = bytes[at];
        bool ended = self->header_len >= 4 && memcmp(self->header + self->header_len - 4, "\r\n\r\n", 4) == 0;
        if (ended || (self->header_len == 2 && memcmp(self->header, "\r\n", 2) == 0)) {
            *used = at + 1;
            self->header_len -= 2;
            return begin_part(self, why);
        }
    }
    *used = len;
    return ERR_OK;
}

/* Reads as much as one state takes: one byte in the small states, a run of bytes in the others. */
static enum err take(struct multipart *self, const char *bytes, size_t len, size_t *used, struct fault *why)
{
    bool taken = true;
    enum err err = ERR_OK;
    switch (self->state) {
    case MULTIPART_PREAMBLE:
    case MULTIPART_CONTENT: return read_content(self, bytes, len, used, why);
    case MULTIPART_HEADER: return read_header(self, bytes, len, used, why);
    case MULTIPART_BOUNDARY: err = after_boundary(self, *bytes, &taken, why); break;
    case MULTIPART_DASH: err = after_dash(self, *bytes, &taken, why); break;
    case MULTIPART_PADDING: err = after_padding(self, *bytes, why); break;
    case MULTIPART_LINE_END:
        err = *bytes == '\n' ? start_header(self, why) : broken(self, why, "a boundary's line does not end in CR LF");
        break;
    case MULTIPART_EPILOGUE: *used = len; return ERR_OK;
    case MULTIPART_BROKEN: err = broken(self, why, "it was refused before"); break;
    }
    *used = taken ? 1 : 0;
    return err;
}

enum err multipart_feed(struct multipart *self, const char *bytes, size_t len, struct fault *why)
{
    size_t used = 0;
    for (; len > 0; bytes += used, len -= used) {
        enum err err = take(self, bytes, len, &used, why);
        if (err != ERR_OK) {
            self->state = MULTIPART_BROKEN;
            return err;
        }
    }
    return ERR_OK;
}

enum err multipart_finish(struct multipart *self, struct fault *why)
{
    return self->state == MULTIPART_EPILOGUE ? ERR_OK : broken(self, why, "it ends before its closing boundary");
}
