/* phone_format: ten digits, or eleven that begin with 1, in the North American form; anything else stays. */
#include "operations/normalize/normalizer.h"

#include <unictype.h>
#include <unistr.h>

#define DIGITS_MAX 11

/* The digits, of any script, each with its bytes. */
struct digits {
    int count; /* more than DIGITS_MAX: not gathered any further */
    struct {
        const char *at;
        size_t len;
    } digit[DIGITS_MAX];
};

static void gather(struct digits *out, const char *text, size_t len)
{
    out->count = 0;
    for (size_t at = 0; at < len && out->count <= DIGITS_MAX;) {
        ucs4_t c;
        size_t bytes = (size_t)u8_mbtouc(&c, (const uint8_t *)text + at, len - at);
        if (uc_decimal_value(c) >= 0 && out->count++ < DIGITS_MAX) {
            out->digit[out->count - 1].at = text + at;
            out->digit[out->count - 1].len = bytes;
        }
        at += bytes;
    }
}

/* `#` in the form takes the next digit. */
static enum err fill(struct buf *to, const struct digits *digits, int next, const char *form)
{
    enum err err = ERR_OK;
    for (; *form && err == ERR_OK; form++) {
        if (*form == '#') {
            err = buf_add(to, digits->digit[next].at, digits->digit[next].len);
            next++;
        } else {
            err = buf_add(to, form, 1);
        }
    }
    return err;
}

static enum err apply_phone(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    *out = *in;
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(in, space, &len);
    struct digits digits;
    gather(&digits, text, len);
    bool long_form = digits.count == 11 && *digits.digit[0].at == '1';
    if (digits.count != 10 && !long_form)
        return ERR_OK;
    buf_clear(&self->text);
    enum err err = fill(&self->text, &digits, long_form, long_form ? "+1 (###) ###-####" : "(###) ###-####");
    return normalization_text(self, err, out, why);
}

const struct normalizer phone_format_normalizer = {
    .name = "phone_format",
    .help = "ten digits become `(555) 123-4567`, eleven that begin with 1 `+1 (555) 123-4567`; anything else stays",
    .apply = apply_phone,
};
