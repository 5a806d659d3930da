/* The parts of a workbook as any bytes, in an honest zip package: the input is the sheet, the shared strings, the
 * styles, the workbook and its relationships, with a NUL between two. Without a NUL the input is the package itself. */
#include "../../unit/workflow/zip_build.h"

#include "table/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ROWS_MAX 5000 /* a sheet may say that it has a million rows of sixteen thousand columns */

static const char *const names[] = {"xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml",
                                    "xl/workbook.xml", "xl/_rels/workbook.xml.rels"};
static const char *const standard[] = {
    NULL, NULL, NULL, "<workbook><sheets><sheet name='S' id='1'/></sheets></workbook>",
    "<Relationships><Relationship Id='1' Type='/worksheet' Target='worksheets/sheet1.xml'/><Relationship Id='2' "
    "Type='/sharedStrings' Target='sharedStrings.xml'/><Relationship Id='3' Type='/styles' Target='styles.xml'/>"
    "</Relationships>"};

static int make_package(const char *bytes, size_t len)
{
    struct zip_build zip = zip_build_new();
    zip_build_add(&zip, (struct part){.name = "_rels/.rels",
                                      .content = "<Relationships><Relationship Id='1' Type='/officeDocument' "
                                                 "Target='xl/workbook.xml'/></Relationships>"});
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t part_len = strnlen(bytes, len);
        const char *content = part_len > 0 ? bytes : standard[i];
        if (content)
            zip_build_add(&zip,
                          (struct part){.name = names[i], .content = content, .len = part_len, .deflated = i == 0});
        part_len += part_len < len;
        bytes += part_len;
        len -= part_len;
    }
    return zip_build_file(&zip);
}

static int plain_file(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("package", MFD_CLOEXEC);
    zip_build_must(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    return fd;
}

static void read_all(struct source *source)
{
    for (int pass = 0; pass < 2; pass++) {
        struct fault why = {.text = ""};
        struct row row;
        enum err err = ERR_OK;
        for (uint64_t rows = 0; rows < ROWS_MAX && err == ERR_OK; rows++) {
            err = source_next(source, &row, &why);
            if (err == ERR_OK && (row.number != rows + 1 || row.count != source->columns.count))
                abort();
        }
        if (err != ERR_OK && err != ERR_END && !why.text[0])
            abort();
        if (source_rewind(source, &why) != ERR_OK)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    bool parts = len > 0 && memchr(bytes, '\0', len) && memcmp(bytes, "PK", len < 2 ? len : 2) != 0;
    int fd = parts ? make_package((const char *)bytes, len) : plain_file(bytes, len);
    struct fault why = {.text = ""};
    struct source *source;
    struct read_options how = {.inflated_bytes_max = 64u << 20};
    enum err err = xlsx_source.open(&source, fd, &how, &why);
    if (err == ERR_OK)
        read_all(source);
    else if (source || strncmp(why.text, xlsx_source.read_prefix, strlen(xlsx_source.read_prefix)) != 0)
        abort();
    source_destroy(&source);
    close(fd);
    return 0;
}
