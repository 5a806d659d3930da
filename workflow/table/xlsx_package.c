#include "table/xlsx_package.h"

#include "table/xlsx_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CONTENT_TYPES      "[Content_Types].xml"
#define ROOT_RELATIONSHIPS "_rels/.rels"

/* What a relationship or content type must end in; both families of namespaces (transitional, strict) end alike. */
#define RELATION_WORKBOOK  "/officeDocument"
#define RELATION_WORKSHEET "/worksheet"
#define RELATION_STRINGS   "/sharedStrings"
#define RELATION_STYLES    "/styles"

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcasecmp(text + len - end_len, end) == 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The part that a relationship of `source` means: targets are relative to the source's folder or begin with a slash,
 * may hold `.`, `..` and %20. false: it cannot name a part. */
static bool resolve_target(const char *source, const char *target, char out[XLSX_NAME_BYTES_MAX])
{
    char whole[2 * XLSX_NAME_BYTES_MAX];
    const char *slash = strrchr(source, '/');
    int folder_len = slash && *target != '/' ? (int)(slash - source) : 0;
    int len = snprintf(whole, sizeof whole, "%.*s/%s", folder_len, source, target);
    if (len < 0 || (size_t)len >= sizeof whole)
        return false;
    size_t used = 0;
    for (char *rest = whole, *step; (step = strsep(&rest, "/")) != NULL;) {
        if (*step == '\0' || strcmp(step, ".") == 0)
            continue;
        if (strcmp(step, "..") == 0) {
            while (used > 0 && out[--used] != '/')
                ;
            continue;
        }
        if (used + strlen(step) + 2 > XLSX_NAME_BYTES_MAX)
            return false;
        if (used > 0)
            out[used++] = '/';
        for (; *step; step++) {
            bool escaped = *step == '%' && hex_digit(step[1]) >= 0 && hex_digit(step[2]) >= 0;
            out[used++] = escaped ? (char)(hex_digit(step[1]) * 16 + hex_digit(step[2])) : *step;
            step += escaped ? 2 : 0;
        }
    }
    out[used] = '\0';
    return used > 0;
}

/* "xl/workbook.xml" -> "xl/_rels/workbook.xml.rels" */
static bool relationships_of(const char *part, char out[XLSX_NAME_BYTES_MAX])
{
    const char *name = xlsx_part_short_name(part);
    int len = snprintf(out, XLSX_NAME_BYTES_MAX, "%.*s_rels/%s.rels", (int)(name - part), part, name);
    return len > 0 && len < XLSX_NAME_BYTES_MAX;
}

/* What is gathered while the package is opened. */
struct finding {
    struct xlsx_package *package;
    const char *source;                                              /* part whose relationships are being read */
    struct zip_entry *workbook;                                      /* by relationship */
    struct zip_entry *typed_workbook, *typed_strings, *typed_styles; /* by content type */
    bool binary;                                                     /* an .xlsb */
    uint32_t relationships;
};

static enum err on_content_type(void *context, const char *name, const char *const *attributes, struct fault *why)
{
    (void)why;
    struct finding *self = context;
    const char *type = xlsx_part_attribute(attributes, "ContentType");
    const char *part = xlsx_part_attribute(attributes, "PartName");
    char path[XLSX_NAME_BYTES_MAX];
    if (strcmp(name, "Override") != 0 || !type || !part || !resolve_target("", part, path))
        return ERR_OK;
    struct zip_entry *entry = zip_archive_find(self->package->archive, path);
    if (ends_with(type, "sheet.main+xml") || ends_with(type, "sheet.macroEnabled.main+xml") ||
        ends_with(type, "template.main+xml") || ends_with(type, "template.macroEnabled.main+xml"))
        self->typed_workbook = entry;
    else if (ends_with(type, "sharedStrings+xml"))
        self->typed_strings = entry;
    else if (ends_with(type, "spreadsheetml.styles+xml"))
        self->typed_styles = entry;
    else if (ends_with(type, "sheet.binary.macroEnabled.main"))
        self->binary = true;
    return ERR_OK;
}

/* A relationship that leads to a part of this package: its type and the part (NULL: not there). */
static bool take_relationship(const struct finding *self, const char *name, const char *const *attributes,
                              const char **type, struct zip_entry **part)
{
    const char *target = xlsx_part_attribute(attributes, "Target");
    const char *mode = xlsx_part_attribute(attributes, "TargetMode");
    *type = xlsx_part_attribute(attributes, "Type");
    char path[XLSX_NAME_BYTES_MAX];
    if (strcmp(name, "Relationship") != 0 || !*type || !target || (mode && strcasecmp(mode, "External") == 0) ||
        !resolve_target(self->source, target, path))
        return false;
    *part = zip_archive_find(self->package->archive, path);
    return true;
}

static enum err on_root_relationship(void *context, const char *name, const char *const *attributes, struct fault *why)
{
    (void)why;
    struct finding *self = context;
    const char *type;
    struct zip_entry *part;
    if (take_relationship(self, name, attributes, &type, &part) && ends_with(type, RELATION_WORKBOOK) && part)
        self->workbook = part;
    return ERR_OK;
}

static enum err on_workbook_relationship(void *context, const char *name, const char *const *attributes,
                                         struct fault *why)
{
    struct finding *self = context;
    struct xlsx_package *package = self->package;
    const char *type, *id = xlsx_part_attribute(attributes, "Id");
    struct zip_entry *part;
    if (++self->relationships > XLSX_RELATIONSHIPS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "more than %d relationships", XLSX_RELATIONSHIPS_MAX);
    if (!take_relationship(self, name, attributes, &type, &part))
        return ERR_OK;
    if (ends_with(type, RELATION_STRINGS))
        package->strings = part;
    else if (ends_with(type, RELATION_STYLES))
        package->styles = part;
    else if (ends_with(type, RELATION_WORKSHEET) && id)
        for (uint32_t i = 0; i < package->worksheet_count; i++)
            if (strcmp(package->worksheet[i].relationship, id) == 0) {
                package->worksheet[i].part = part;
                if (!part)
                    return fault_set(why, ERR_INVALID, "the part of sheet '%s' is missing", package->worksheet[i].name);
            }
    return ERR_OK;
}

static enum err add_sheet(struct xlsx_package *self, const char *name, const char *id, struct fault *why)
{
    if (self->worksheet_count == XLSX_SHEETS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "more than %d sheets", XLSX_SHEETS_MAX);
    if (!self->worksheet) /* untouched memory costs nothing */
        self->worksheet = calloc(XLSX_SHEETS_MAX, sizeof *self->worksheet);
    if (!self->worksheet)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    struct xlsx_worksheet *sheet = &self->worksheet[self->worksheet_count];
    sheet->name = strndup(name, XLSX_NAME_BYTES_MAX);
    sheet->relationship = strndup(id, XLSX_NAME_BYTES_MAX);
    if (!sheet->name || !sheet->relationship) {
        free(sheet->name);
        free(sheet->relationship);
        return fault_set(why, ERR_MEMORY, "Out of memory");
    }
    self->worksheet_count++;
    return ERR_OK;
}

static enum err on_workbook(void *context, const char *name, const char *const *attributes, struct fault *why)
{
    struct finding *self = context;
    const char *date1904 = xlsx_part_attribute(attributes, "date1904");
    if (strcmp(name, "workbookPr") == 0 && date1904)
        self->package->date1904 = strcmp(date1904, "1") == 0 || strcasecmp(date1904, "true") == 0;
    const char *sheet = xlsx_part_attribute(attributes, "name"), *id = xlsx_part_attribute(attributes, "id");
    if (strcmp(name, "sheet") == 0 && sheet && id)
        return add_sheet(self->package, sheet, id, why);
    return ERR_OK;
}

/* Reads a part if it is there. */
static enum err read_optional(struct finding *self, const char *part,
                              enum err (*open)(void *, const char *, const char *const *, struct fault *),
                              struct fault *why)
{
    struct zip_entry *entry = zip_archive_find(self->package->archive, part);
    struct xlsx_part_handler handler = {.open = open};
    return entry ? xlsx_part_read(self->package->archive, entry, &handler, self, why) : ERR_OK;
}

static enum err no_workbook(const struct finding *self, struct fault *why)
{
    if (self->binary)
        return fault_set(why, ERR_UNSUPPORTED, "The file is a binary workbook (.xlsb); save it as .xlsx");
    return fault_set(why, ERR_INVALID, "The file is a zip archive but holds no Excel workbook");
}

static enum err find_workbook(struct finding *self, struct fault *why)
{
    enum err err = read_optional(self, CONTENT_TYPES, on_content_type, why);
    if (err == ERR_OK)
        err = read_optional(self, ROOT_RELATIONSHIPS, on_root_relationship, why);
    if (err != ERR_OK)
        return err;
    if (!self->workbook || self->binary)
        self->workbook = self->typed_workbook;
    return self->workbook ? ERR_OK : no_workbook(self, why);
}

/* Sheets without a worksheet part (chart sheets, macro sheets) go; the order of the others stays. */
static void drop_other_sheets(struct xlsx_package *self)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->worksheet_count; i++) {
        struct xlsx_worksheet sheet = self->worksheet[i];
        if (sheet.part) {
            self->worksheet[kept++] = sheet;
        } else {
            free(sheet.name);
            free(sheet.relationship);
        }
    }
    self->worksheet_count = kept;
}

static enum err read_workbook(struct finding *self, struct fault *why)
{
    struct xlsx_package *package = self->package;
    struct xlsx_part_handler handler = {.open = on_workbook};
    enum err err = xlsx_part_read(package->archive, self->workbook, &handler, self, why);
    char relationships[XLSX_NAME_BYTES_MAX];
    if (err != ERR_OK)
        return err;
    if (!relationships_of(self->workbook->name, relationships))
        return fault_set(why, ERR_INVALID, "The workbook's part name is too long");
    self->source = self->workbook->name;
    err = read_optional(self, relationships, on_workbook_relationship, why);
    if (err != ERR_OK)
        return err;
    drop_other_sheets(package);
    if (!package->strings)
        package->strings = self->typed_strings;
    if (!package->styles)
        package->styles = self->typed_styles;
    return package->worksheet_count > 0 ? ERR_OK : fault_set(why, ERR_INVALID, "The workbook has no worksheet");
}

/* Workbooks with a password and the old .xls are OLE compound files ([MS-CFB] 2.2). */
static enum err refuse_ole(int fd, struct fault *why)
{
    static const unsigned char magic[8] = {0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1};
    unsigned char start[sizeof magic];
    if (pread(fd, start, sizeof start, 0) != sizeof start || memcmp(start, magic, sizeof magic) != 0)
        return ERR_OK;
    return fault_set(
        why, ERR_UNSUPPORTED,
        "The file is protected by a password or an old .xls workbook; save it as .xlsx without a password");
}

enum err xlsx_package_new(struct xlsx_package **out, int fd, uint64_t inflated_bytes_max, struct fault *why)
{
    *out = NULL;
    struct xlsx_package *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    enum err err = refuse_ole(fd, why);
    if (err == ERR_OK)
        err = zip_archive_new(&self->archive, fd, inflated_bytes_max, why);
    struct finding finding = {.package = self, .source = ""};
    if (err == ERR_OK)
        err = find_workbook(&finding, why);
    if (err == ERR_OK)
        err = read_workbook(&finding, why);
    if (err != ERR_OK)
        xlsx_package_destroy(&self);
    *out = self;
    return err;
}

void xlsx_package_destroy(struct xlsx_package **self_p)
{
    struct xlsx_package *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->worksheet_count; i++) {
        free(self->worksheet[i].name);
        free(self->worksheet[i].relationship);
    }
    free(self->worksheet);
    zip_archive_destroy(&self->archive);
    free(self);
}

static bool parse_index(const char *text, uint32_t *out)
{
    uint32_t value = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9' || value > XLSX_SHEETS_MAX)
            return false;
        value = value * 10 + (uint32_t)(*at - '0');
    }
    *out = value;
    return *text != '\0';
}

static enum err sheet_not_found(const struct xlsx_package *self, const char *name, struct fault *why)
{
    char names[512] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < self->worksheet_count; i++) {
        const char *more = self->worksheet[i].name;
        if (used + strlen(more) + sizeof ", ''..." > sizeof names) {
            snprintf(names + used, sizeof names - used, ", ...");
            break;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "%s'%s'", i ? ", " : "", more);
    }
    return fault_set(why, ERR_NOT_FOUND, "Worksheet '%s' not found. Available sheets: %s", name, names);
}

enum err xlsx_package_worksheet(const struct xlsx_package *self, const char *name, const struct xlsx_worksheet **out,
                                struct fault *why)
{
    uint32_t index = 0;
    *out = &self->worksheet[0];
    if (!name)
        return ERR_OK;
    for (uint32_t i = 0; i < self->worksheet_count; i++)
        if (strcmp(self->worksheet[i].name, name) == 0) {
            *out = &self->worksheet[i];
            return ERR_OK;
        }
    if (!parse_index(name, &index) || index >= self->worksheet_count)
        return sheet_not_found(self, name, why);
    *out = &self->worksheet[index];
    return ERR_OK;
}
