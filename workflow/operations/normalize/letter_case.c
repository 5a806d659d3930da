#include "operations/normalize/letter_case.h"

#include "operations/normalize/normalizer.h"

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

#define GROWTH_MAX   3  /* no character's mapping has more than three times its bytes */
#define SUFFIX_BYTES 64 /* how far to look behind a run for what decides about its last sigma */

static bool is_ascii(const char *text, size_t len)
{
    uint8_t seen = 0;
    for (size_t i = 0; i < len; i++)
        seen |= (uint8_t)text[i];
    return seen < 0x80;
}

static bool is_ascii_letter(char c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

static enum err add_ascii(struct buf *to, enum letter_case wanted, const char *text, size_t len)
{
    char *at;
    enum err err = buf_extend(to, len, &at);
    bool in_run = false;
    for (size_t i = 0; i < len && err == ERR_OK; i++) {
        bool letter = is_ascii_letter(text[i]);
        bool upper = wanted == CASE_UPPER || (wanted == CASE_TITLE && !in_run);
        at[i] = !letter ? text[i] : upper ? (char)(text[i] & ~0x20) : (char)(text[i] | 0x20);
        in_run = letter;
    }
    return err;
}

/* Python asks for whole runs; the library maps a text within its surroundings. */
struct surroundings {
    casing_prefix_context_t before;
    casing_suffix_context_t after;
};

/* The library writes into the buffer's room, or, when that is too little or cannot be had, into memory of its own. */
static enum err add_mapped(struct buf *to, enum letter_case wanted, const uint8_t *text, size_t len,
                           const struct surroundings *around)
{
    size_t start = to->len, room = len * GROWTH_MAX;
    char *at;
    uint8_t *own = buf_extend(to, room, &at) == ERR_OK ? (uint8_t *)at : NULL, *made = NULL;
    to->len = start;
    switch (wanted) {
    case CASE_UPPER: made = u8_ct_toupper(text, len, around->before, around->after, NULL, NULL, own, &room); break;
    case CASE_LOWER: made = u8_ct_tolower(text, len, around->before, around->after, NULL, NULL, own, &room); break;
    case CASE_TITLE: made = u8_ct_totitle(text, len, around->before, around->after, NULL, NULL, own, &room); break;
    }
    if (!made)
        return ERR_MEMORY;
    if (made == own) {
        to->len = start + room;
        return ERR_OK;
    }
    enum err err = buf_add(to, made, room);
    free(made);
    return err;
}

/* Bytes of a run of characters that all have case, or all have none. */
static size_t run_length(const uint8_t *text, size_t len, bool *cased, size_t *first_len)
{
    size_t at = 0;
    while (at < len) {
        ucs4_t c;
        size_t bytes = (size_t)u8_mbtouc(&c, text + at, len - at);
        bool has_case = uc_is_property_cased(c);
        if (at == 0) {
            *cased = has_case;
            *first_len = bytes;
        } else if (has_case != *cased) {
            break;
        }
        at += bytes;
    }
    return at;
}

/* What stands behind a run matters to a sigma only until the next letter; a window keeps long texts linear. */
static casing_suffix_context_t context_behind(const uint8_t *text, size_t len)
{
    size_t window = len;
    if (len > SUFFIX_BYTES)
        for (window = SUFFIX_BYTES; window > 0 && (text[window] & 0xc0) == 0x80;)
            window--;
    return u8_casing_suffix_context(text, window);
}

static enum err add_title_run(struct buf *to, const uint8_t *run, size_t len, size_t first_len, size_t behind)
{
    struct surroundings around = {unicase_empty_prefix_context, unicase_empty_suffix_context};
    enum err err = add_mapped(to, CASE_TITLE, run, first_len, &around);
    if (err != ERR_OK || len == first_len)
        return err;
    around.before = u8_casing_prefix_context(run, first_len);
    around.after = context_behind(run + len, behind);
    return add_mapped(to, CASE_LOWER, run + first_len, len - first_len, &around);
}

static enum err add_title(struct buf *to, const uint8_t *text, size_t len)
{
    enum err err = ERR_OK;
    while (len > 0 && err == ERR_OK) {
        bool cased = false;
        size_t first_len = 0;
        size_t run = run_length(text, len, &cased, &first_len);
        err = cased ? add_title_run(to, text, run, first_len, len - run) : buf_add(to, text, run);
        text += run;
        len -= run;
    }
    return err;
}

enum err letter_case_add(struct buf *to, enum letter_case wanted, const char *text, size_t len)
{
    if (is_ascii(text, len))
        return add_ascii(to, wanted, text, len);
    if (wanted == CASE_TITLE)
        return add_title(to, (const uint8_t *)text, len);
    const struct surroundings none = {unicase_empty_prefix_context, unicase_empty_suffix_context};
    return add_mapped(to, wanted, (const uint8_t *)text, len, &none);
}

static bool is_blank(ucs4_t c)
{
    return (c >= 0x1c && c <= 0x1f) || uc_is_property_white_space(c);
}

void letter_case_strip(const char **text, size_t *len)
{
    const uint8_t *at = (const uint8_t *)*text, *end = at + *len;
    ucs4_t c;
    while (at < end) {
        int bytes = u8_mbtouc(&c, at, (size_t)(end - at));
        if (!is_blank(c))
            break;
        at += bytes;
    }
    const uint8_t *before;
    while (at < end && (before = u8_prev(&c, end, at)) && is_blank(c))
        end = before;
    *text = (const char *)at;
    *len = (size_t)(end - at);
}

/* --- the types --- */

static enum err apply_case(struct normalization *self, enum letter_case wanted, const struct cell *in, bool strip,
                           struct cell *out, struct fault *why)
{
    *out = *in;
    if (cell_is_null(in) || in->kind == CELL_EMPTY)
        return ERR_OK;
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(in, space, &len);
    buf_clear(&self->text);
    enum err err = normalization_text(self, letter_case_add(&self->text, wanted, text, len), out, why);
    if (err == ERR_OK && strip) {
        const char *at = self->text.data;
        size_t rest = self->text.len;
        letter_case_strip(&at, &rest);
        *out = cell_text(at, rest);
    }
    return err;
}

static enum err apply_upper(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    return apply_case(self, CASE_UPPER, in, false, out, why);
}

static enum err apply_lower(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    return apply_case(self, CASE_LOWER, in, false, out, why);
}

static enum err apply_title(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    return apply_case(self, CASE_TITLE, in, false, out, why);
}

static enum err apply_email(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    return apply_case(self, CASE_LOWER, in, true, out, why);
}

static enum err apply_name(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    return apply_case(self, CASE_TITLE, in, true, out, why);
}

static enum err apply_trim(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    *out = *in;
    if (in->kind == CELL_TEXT) {
        const char *text = in->is.text;
        size_t len = in->len;
        letter_case_strip(&text, &len);
        *out = cell_text(text, len);
        return ERR_OK;
    }
    if (cell_is_null(in) || in->kind == CELL_EMPTY)
        return ERR_OK;
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(in, space, &len);
    buf_clear(&self->text);
    return normalization_text(self, buf_add(&self->text, text, len), out, why);
}

const struct normalizer uppercase_normalizer = {
    .name = "uppercase",
    .help = "capital letters, in every script (`straße` becomes `STRASSE`)",
    .apply = apply_upper,
};

const struct normalizer lowercase_normalizer = {
    .name = "lowercase",
    .help = "small letters",
    .apply = apply_lower,
};

const struct normalizer title_case_normalizer = {
    .name = "title_case",
    .help = "the first of each run of letters capital, the others small (`o'neil` becomes `O'Neil`)",
    .apply = apply_title,
};

const struct normalizer trim_whitespace_normalizer = {
    .name = "trim_whitespace",
    .alias = "trim",
    .help = "blanks at both ends go; `trim` is the same",
    .apply = apply_trim,
};

const struct normalizer email_format_normalizer = {
    .name = "email_format",
    .help = "`lowercase` and `trim_whitespace`",
    .apply = apply_email,
};

const struct normalizer name_format_normalizer = {
    .name = "name_format",
    .help = "`title_case` and `trim_whitespace`",
    .apply = apply_name,
};
