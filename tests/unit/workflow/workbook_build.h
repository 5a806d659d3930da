/* workbook_build - for tests of the Excel reader: zip packages made part by part, honest or not. */
#ifndef WORKBOOK_BUILD_H
#define WORKBOOK_BUILD_H

#include "table_text.h"

#include <zlib.h>

struct part {
    const char *name;
    const char *content;
    size_t len; /* 0: strlen(content) */
    bool deflated;
    bool descriptor; /* sizes and CRC behind the data, zeros in the local header */
    bool zip64;      /* sizes in the directory's extra field */
    uint16_t flags;  /* more of them */
    uint16_t method; /* another than stored and deflated */
    uint32_t crc_error;
    int64_t size_error; /* added to the size that the directory says */
};

struct workbook {
    struct buf file, directory;
    uint32_t count;
};

static inline void workbook_put(struct buf *to, uint64_t value, size_t bytes)
{
    for (; bytes > 0; bytes--, value >>= 8)
        table_must(buf_add_byte(to, (uint8_t)value) == ERR_OK);
}

static inline struct workbook workbook_new(void)
{
    return (struct workbook){.file = BUF_INIT(1u << 30), .directory = BUF_INIT(1u << 26)};
}

static inline char *workbook_pack(const char *content, size_t len, size_t *packed_len)
{
    z_stream stream = {.zalloc = NULL};
    table_must(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&stream, len);
    char *copy = malloc(len + 1), *packed = malloc(room);
    table_must(copy && packed);
    memcpy(copy, content, len);
    stream.next_in = (Bytef *)copy;
    stream.avail_in = (uInt)len;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)room;
    table_must(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    *packed_len = stream.total_out;
    deflateEnd(&stream);
    free(copy);
    return packed;
}

/* What local header and directory have in common. */
static inline void workbook_record(struct buf *to, const struct part *part, uint32_t crc, uint64_t packed, uint64_t len,
                                   size_t extra)
{
    uint16_t method = part->method ? part->method : part->deflated ? 8 : 0;
    workbook_put(to, part->zip64 ? 45 : 20, 2);
    workbook_put(to, part->flags | (part->descriptor ? 8u : 0), 2);
    workbook_put(to, method, 2);
    workbook_put(to, 0x00210000, 4);
    workbook_put(to, crc, 4);
    workbook_put(to, packed, 4);
    workbook_put(to, len, 4);
    workbook_put(to, strlen(part->name), 2);
    workbook_put(to, extra, 2);
}

static inline void workbook_add(struct workbook *self, struct part part)
{
    size_t len = part.len ? part.len : strlen(part.content), packed_len = len;
    char *packed = part.deflated ? workbook_pack(part.content, len, &packed_len) : NULL;
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)part.content, (uInt)len) ^ part.crc_error;
    uint64_t said = (uint64_t)((int64_t)len + part.size_error), offset = self->file.len;
    workbook_put(&self->file, 0x04034b50, 4);
    workbook_record(&self->file, &part, part.descriptor ? 0 : crc, part.descriptor ? 0 : packed_len,
                    part.descriptor ? 0 : said, 0);
    table_must(buf_add_text(&self->file, part.name) == ERR_OK);
    table_must(buf_add(&self->file, packed ? packed : part.content, packed_len) == ERR_OK);
    if (part.descriptor) {
        workbook_put(&self->file, 0x08074b50, 4);
        workbook_put(&self->file, crc, 4);
        workbook_put(&self->file, packed_len, 4);
        workbook_put(&self->file, said, 4);
    }
    free(packed);
    struct buf *directory = &self->directory;
    workbook_put(directory, 0x02014b50, 4);
    workbook_put(directory, 20, 2);
    workbook_record(directory, &part, crc, part.zip64 ? UINT32_MAX : packed_len, part.zip64 ? UINT32_MAX : said,
                    part.zip64 ? 28 : 0);
    workbook_put(directory, 0, 2 + 2 + 2 + 4);
    workbook_put(directory, part.zip64 ? UINT32_MAX : offset, 4);
    table_must(buf_add_text(directory, part.name) == ERR_OK);
    if (part.zip64) {
        workbook_put(directory, 1, 2);
        workbook_put(directory, 24, 2);
        workbook_put(directory, said, 8);
        workbook_put(directory, packed_len, 8);
        workbook_put(directory, offset, 8);
    }
    self->count++;
}

/* Ends the package and gives it as a file. */
static inline int workbook_file(struct workbook *self)
{
    size_t offset = self->file.len;
    if (self->directory.len > 0)
        table_must(buf_add(&self->file, self->directory.data, self->directory.len) == ERR_OK);
    workbook_put(&self->file, 0x06054b50, 4);
    workbook_put(&self->file, 0, 4);
    workbook_put(&self->file, self->count, 2);
    workbook_put(&self->file, self->count, 2);
    workbook_put(&self->file, self->directory.len, 4);
    workbook_put(&self->file, offset, 4);
    workbook_put(&self->file, 0, 2);
    int fd = table_file(self->file.data, self->file.len);
    buf_fini(&self->file);
    buf_fini(&self->directory);
    return fd;
}

#define OFFICE_TYPE "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
#define MAIN_SPACE  "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\""

#define ROOT_RELATIONSHIPS                                                                                             \
    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"a\" "    \
    "Type=\"" OFFICE_TYPE "/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"

#define WORKBOOK_RELATIONSHIPS                                                                                         \
    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">"                           \
    "<Relationship Id=\"r1\" Type=\"" OFFICE_TYPE "/worksheet\" Target=\"worksheets/sheet1.xml\"/>"                    \
    "<Relationship Id=\"r2\" Type=\"" OFFICE_TYPE "/sharedStrings\" Target=\"sharedStrings.xml\"/>"                    \
    "<Relationship Id=\"r3\" Type=\"" OFFICE_TYPE "/styles\" Target=\"styles.xml\"/></Relationships>"

#define WORKBOOK_PART                                                                                                  \
    "<workbook " MAIN_SPACE " xmlns:r=\"" OFFICE_TYPE "\"><sheets>"                                                    \
    "<sheet name=\"One\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"

/* The parts every workbook has. */
static inline struct workbook workbook_start(void)
{
    struct workbook book = workbook_new();
    workbook_add(&book, (struct part){.name = "_rels/.rels", .content = ROOT_RELATIONSHIPS});
    workbook_add(&book, (struct part){.name = "xl/workbook.xml", .content = WORKBOOK_PART});
    workbook_add(&book, (struct part){.name = "xl/_rels/workbook.xml.rels", .content = WORKBOOK_RELATIONSHIPS});
    return book;
}

/* A workbook of one sheet. strings and styles are whole parts or NULL. */
static inline int workbook_with(const char *sheet, const char *strings, const char *styles)
{
    struct workbook book = workbook_start();
    if (strings)
        workbook_add(&book, (struct part){.name = "xl/sharedStrings.xml", .content = strings, .deflated = true});
    if (styles)
        workbook_add(&book, (struct part){.name = "xl/styles.xml", .content = styles});
    workbook_add(&book, (struct part){.name = "xl/worksheets/sheet1.xml", .content = sheet, .deflated = true});
    return workbook_file(&book);
}

static inline void workbook_check(int fd, const struct read_options *how, const char *expected)
{
    char *got = table_show(&xlsx_source, fd, how);
    assert_string_equal(got, expected);
    free(got);
    close(fd);
}

#endif
