#include "table/source.h"

#include "table/encoding.h"

#include <errno.h>
#include <strings.h>
#include <unistd.h>

#define PROBE_BYTES  4096
#define ENDING_MAX   16 /* bytes of a file name's ending that are looked at and shown */
#define READABLE_MAX 256

const struct source_kind *const source_kinds[] = {
    &csv_source, &xlsx_source, &xls_source, &json_source, NULL,
};

/* What the first bytes say is believed before the file's name. */
struct magic {
    const char *bytes;
    size_t len;
    const struct source_kind *kind; /* NULL when there is no reader ... */
    const char *refusal;            /* ... and this is why */
};

static const struct magic magics[] = {
    {"PK\3\4", 4, &xlsx_source, NULL},
    {SPOOL_MAGIC, sizeof SPOOL_MAGIC - 1, &spool_source, NULL},
    {"PK\5\6", 4, NULL, "The file is an empty ZIP package, not a workbook"},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8, &xls_source, NULL},
};

static const struct source_kind *kind_by_name(const char *name)
{
    for (const struct source_kind *const *kind = source_kinds; *kind; kind++)
        if (strcmp((*kind)->name, name) == 0)
            return *kind;
    return NULL;
}

static bool in_list(const char *list, const char *word)
{
    size_t len = strlen(word);
    while (len > 0 && *list) {
        size_t item = strcspn(list, ",");
        if (item == len && strncasecmp(list, word, len) == 0)
            return true;
        list += item + (list[item] == ',');
    }
    return false;
}

static const struct source_kind *kind_by_ending(const char *ending)
{
    for (const struct source_kind *const *kind = source_kinds; *kind; kind++)
        if (in_list((*kind)->suffixes, ending))
            return *kind;
    return NULL;
}

/* The part after the last dot, cut at ENDING_MAX; "" when there is none. */
static void name_ending(const char *name, char out[ENDING_MAX])
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(slash ? slash + 1 : name, '.');
    size_t len = dot ? strnlen(dot + 1, ENDING_MAX - 1) : 0;
    if (len > 0)
        memcpy(out, dot + 1, len);
    out[len] = '\0';
}

/* Text of any encoding this engine reads holds no control characters but tab and line ends, UTF-16 apart. */
static bool looks_like_text(const unsigned char *bytes, size_t len)
{
    enum encoding guess;
    if (encoding_guess_utf16(bytes, len, &guess))
        return true;
    if (len >= 2 && ((bytes[0] == 0xFF && bytes[1] == 0xFE) || (bytes[0] == 0xFE && bytes[1] == 0xFF)))
        return true;
    for (size_t i = 0; i < len; i++)
        if (bytes[i] < 0x20 && !memchr("\t\n\r\f", bytes[i], 4))
            return false;
    return true;
}

static void readable_endings(char out[READABLE_MAX])
{
    size_t len = 0;
    out[0] = '\0';
    for (const struct source_kind *const *kind = source_kinds; *kind; kind++) {
        for (const char *at = (*kind)->suffixes; *at;) {
            size_t item = strcspn(at, ",");
            if (len + item + 4 > READABLE_MAX)
                return;
            if (len > 0) {
                memcpy(out + len, ", ", 2);
                len += 2;
            }
            out[len++] = '.';
            memcpy(out + len, at, item);
            len += item;
            out[len] = '\0';
            at += item + (at[item] == ',');
        }
    }
}

static enum err refuse(const char *ending, struct fault *why)
{
    char readable[READABLE_MAX];
    readable_endings(readable);
    if (ending[0] == '\0')
        return fault_set(why, ERR_UNSUPPORTED, "Unsupported file: it has no ending and is not text. Readable: %s",
                         readable);
    return fault_set(why, ERR_UNSUPPORTED, "Unsupported file format: .%s. Readable: %s", ending, readable);
}

static enum err choose(const struct source_kind **out, const unsigned char *bytes, size_t len, const char *ending,
                       struct fault *why)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const struct magic *magic = &magics[i];
        if (len < magic->len || memcmp(bytes, magic->bytes, magic->len) != 0)
            continue;
        if (magic->refusal)
            return fault_set(why, ERR_UNSUPPORTED, "%s", magic->refusal);
        *out = magic->kind;
        return *out ? ERR_OK : refuse(ending, why);
    }
    *out = kind_by_ending(ending);
    if (!*out && looks_like_text(bytes, len))
        *out = kind_by_name("csv");
    return *out ? ERR_OK : refuse(ending, why);
}

enum err source_open(struct source **out, int fd, const char *name, const struct read_options *how, struct fault *why)
{
    *out = NULL;
    unsigned char probe[PROBE_BYTES];
    ssize_t len;
    do
        len = pread(fd, probe, sizeof probe, 0);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return fault_errno(why, "cannot read the file");
    char ending[ENDING_MAX];
    name_ending(name, ending);
    const struct source_kind *kind;
    enum err err = choose(&kind, probe, (size_t)len, ending, why);
    if (err != ERR_OK)
        return err;
    struct read_options options = how ? *how : (struct read_options){.sheet = NULL};
    if (options.delimiter == '\0' && strcasecmp(ending, "tsv") == 0)
        options.delimiter = '\t';
    return kind->open(out, fd, &options, why);
}

bool source_is_spool(int fd)
{
    char head[sizeof SPOOL_MAGIC - 1];
    return pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && memcmp(head, SPOOL_MAGIC, sizeof head) == 0;
}
