#include "http/file_name.h"

#include "utf8.h"

#include <string.h>

#define CLEAN_INPUT_MAX 1024 /* more of a name is not looked at: five times what can stay */
#define EXTENSION_MAX   16   /* bytes after the last dot that are kept when a long name is cut */
#define NOT_A_CHARACTER 0xFFFFFFFFu

/* The character at *at, which moves on; NOT_A_CHARACTER (one byte is skipped) where the bytes are not UTF-8. */
static uint32_t next_character(const unsigned char **at, const unsigned char *end)
{
    const unsigned char *p = *at;
    size_t len = utf8_sequence(p, (size_t)(end - p));
    *at = p + (len ? len : 1);
    if (len == 0)
        return NOT_A_CHARACTER;
    uint32_t c = len == 1 ? *p : *p & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3Fu);
    return c;
}

struct span {
    uint32_t first, last;
};

static bool within(uint32_t c, const struct span *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c >= spans[i].first && c <= spans[i].last)
            return true;
    return false;
}

#define WITHIN(c, spans) within(c, spans, sizeof(spans) / sizeof *(spans))

/* White space of Unicode, and the slash: what separates words of a name. */
static bool separates(uint32_t c)
{
    static const struct span spaces[] = {{'\t', '\r'},     {' ', ' '},       {'/', '/'},       {0x85, 0x85},
                                         {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029},
                                         {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
    return WITHIN(c, spaces);
}

static bool stays(uint32_t c)
{
    static const struct span ascii[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}, {'.', '.'}, {'-', '-'}};
    /* Controls, invisible format characters, direction overrides, interlinear and tag characters, noncharacters. */
    static const struct span unseen[] = {{0x80, 0x9F},     {0xAD, 0xAD},     {0x061C, 0x061C}, {0x180E, 0x180E},
                                         {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F}, {0xFDD0, 0xFDEF},
                                         {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE0FFF}};
    if (c < 0x80)
        return WITHIN(c, ascii);
    return c != NOT_A_CHARACTER && (c & 0xFFFE) != 0xFFFE && !WITHIN(c, unseen);
}

/* First pass: separators and unwanted characters. *dropped tells whether a character went without a trace. */
static size_t filter(const char *name, size_t len, char *out, bool *dropped)
{
    const unsigned char *at = (const unsigned char *)name;
    const unsigned char *end = at + len;
    size_t used = 0;
    bool gap = false;
    while (at < end) {
        const unsigned char *start = at;
        uint32_t c = next_character(&at, end);
        if (separates(c)) {
            gap = used > 0;
        } else if (stays(c)) {
            if (gap)
                out[used++] = '_';
            gap = false;
            memcpy(out + used, start, (size_t)(at - start));
            used += (size_t)(at - start);
        } else {
            *dropped = true;
        }
    }
    return used;
}

static bool edge(char c)
{
    return c == '.' || c == '_';
}

/* Length of the extension with its dot; 0 when there is none worth keeping. */
static size_t extension_len(const char *name, size_t len)
{
    for (size_t i = len; i > 0 && len - i <= EXTENSION_MAX; i--)
        if (name[i - 1] == '.')
            return len - i > 0 ? len - i + 1 : 0;
    return 0;
}

static size_t cut_to(const char *name, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)name[max] & 0xC0) == 0x80)
        max--;
    return max;
}

static void join(char out[FILE_NAME_MAX + 1], const char *stem, size_t stem_len, const char *extension,
                 size_t extension_size)
{
    stem_len = cut_to(stem, stem_len, FILE_NAME_MAX - extension_size);
    while (extension_size == 0 && edge(stem[stem_len - 1])) /* the cut may have made a new end */
        stem_len--;
    memcpy(out, stem, stem_len);
    memcpy(out + stem_len, extension, extension_size);
    out[stem_len + extension_size] = '\0';
}

void file_name_clean(const char *name, size_t len, char out[FILE_NAME_MAX + 1])
{
    char kept[2 * CLEAN_INPUT_MAX];
    bool dropped = false;
    /* The end of a too long name holds its extension, so its middle is what is not looked at. */
    char shortened[CLEAN_INPUT_MAX];
    if (len > CLEAN_INPUT_MAX) {
        memcpy(shortened, name, CLEAN_INPUT_MAX / 2);
        memcpy(shortened + CLEAN_INPUT_MAX / 2, name + len - CLEAN_INPUT_MAX / 2, CLEAN_INPUT_MAX / 2);
        name = shortened;
        len = CLEAN_INPUT_MAX;
    }
    size_t kept_len = filter(name, len, kept, &dropped);
    const char *text = kept;
    while (kept_len > 0 && edge(text[kept_len - 1]))
        kept_len--;
    size_t extension = extension_len(text, kept_len);
    size_t stem_start = 0;
    while (stem_start < kept_len && edge(text[stem_start]))
        stem_start++;
    if (stem_start == kept_len) {
        memcpy(out, "file", 5);
    } else if (dropped && extension > 0 && stem_start >= kept_len - extension + 1) {
        join(out, "file", 4, text + kept_len - extension, extension);
    } else {
        text += stem_start;
        kept_len -= stem_start;
        extension = extension_len(text, kept_len);
        join(out, text, kept_len - extension, text + kept_len - extension, extension);
    }
}

static bool unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-._~", c));
}

enum err file_name_percent(struct buf *out, const char *name)
{
    enum err err = ERR_OK;
    for (const unsigned char *p = (const unsigned char *)name; *p && err == ERR_OK; p++)
        err = unreserved(*p) ? buf_add_byte(out, *p) : buf_printf(out, "%%%02X", *p);
    return err;
}

enum err file_name_disposition(struct buf *out, const char *name)
{
    bool plain = true;
    enum err err = buf_add_text(out, "attachment; filename=\"");
    for (const unsigned char *p = (const unsigned char *)name; *p && err == ERR_OK; p++) {
        bool ascii = *p >= ' ' && *p < 0x7F && *p != '"' && *p != '\\';
        plain = plain && ascii;
        if (ascii)
            err = buf_add_byte(out, *p);
        else if ((*p & 0xC0) != 0x80) /* one underscore for a character of several bytes */
            err = buf_add_byte(out, '_');
    }
    if (err == ERR_OK)
        err = buf_add_text(out, "\"");
    if (plain || err != ERR_OK)
        return err;
    err = buf_add_text(out, "; filename*=UTF-8''");
    return err == ERR_OK ? file_name_percent(out, name) : err;
}

const char *file_name_media_type(const char *name)
{
    static const struct {
        const char *extension, *type;
    } types[] = {
        {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {".csv", "text/csv"},
        {".json", "application/json"},
        {".txt", "text/plain"},
        {".sql", "text/plain"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(dot, types[i].extension) == 0)
            return types[i].type;
    return "application/octet-stream";
}

bool file_name_plausible(const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    const unsigned char *end = at + strlen(name);
    if (at == end)
        return false;
    while (at < end) {
        uint32_t c = next_character(&at, end);
        if (c == NOT_A_CHARACTER || c < ' ' || c == 0x7F)
            return false;
    }
    return true;
}
