#include "table/xlsx_part.h"

#include "table/zip_member.h"

#include <expat.h>
#include <string.h>

#define BLOCK_BYTES (16u << 10)

struct reading {
    XML_Parser parser;
    const struct xlsx_part_handler *handler;
    void *context;
    struct fault *why;
    enum err err; /* why the parser was stopped */
    uint32_t depth;
};

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

const char *xlsx_part_attribute(const char *const *attributes, const char *name)
{
    for (size_t i = 0; attributes[i]; i += 2)
        if (strcmp(local_name(attributes[i]), name) == 0)
            return attributes[i + 1];
    return NULL;
}

const char *xlsx_part_short_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static void stop(struct reading *self, enum err err)
{
    if (err == ERR_OK || self->err != ERR_OK)
        return;
    self->err = err;
    XML_StopParser(self->parser, XML_FALSE);
}

static void on_open(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *self = user;
    if (self->err != ERR_OK)
        return;
    if (++self->depth > XLSX_PART_DEPTH_MAX) {
        stop(self, fault_set(self->why, ERR_INVALID, "elements are nested too deeply"));
        return;
    }
    stop(self, self->handler->open(self->context, local_name(name), (const char *const *)attributes, self->why));
}

static void on_close(void *user, const XML_Char *name)
{
    struct reading *self = user;
    self->depth--;
    if (self->err == ERR_OK && self->handler->close)
        stop(self, self->handler->close(self->context, local_name(name), self->why));
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    struct reading *self = user;
    stop(self, fault_set(self->why, ERR_INVALID, "a document type declaration (DTD) is not allowed"));
}

static enum err parse_block(struct reading *self, const char *block, size_t len)
{
    if (XML_Parse(self->parser, block, (int)len, len == 0) == XML_STATUS_OK)
        return ERR_OK;
    if (self->err != ERR_OK)
        return self->err;
    enum XML_Error code = XML_GetErrorCode(self->parser);
    if (code == XML_ERROR_NO_MEMORY)
        return fault_set(self->why, ERR_MEMORY, "Out of memory");
    return fault_set(self->why, ERR_INVALID, "not well-formed XML at line %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(self->parser), XML_ErrorString(code));
}

static enum err parse_member(struct reading *self, struct zip_member *member)
{
    char block[BLOCK_BYTES];
    size_t len;
    do {
        enum err err = zip_member_read(member, block, sizeof block, &len, self->why);
        if (err == ERR_OK)
            err = parse_block(self, block, len);
        if (err != ERR_OK)
            return err;
    } while (len > 0);
    return ERR_OK;
}

enum err xlsx_part_read(struct zip_archive *archive, struct zip_entry *entry, const struct xlsx_part_handler *handler,
                        void *context, struct fault *why)
{
    const char *name = xlsx_part_short_name(entry->name);
    if (entry->bytes > XLSX_PART_BYTES_MAX)
        return fault_set(why, ERR_TOO_LARGE, "%s: larger than %u bytes", name, XLSX_PART_BYTES_MAX);
    struct zip_member *member;
    enum err err = zip_member_new(&member, archive, entry, why);
    if (err != ERR_OK)
        return err;
    struct reading reading = {.parser = XML_ParserCreate(NULL), .handler = handler, .context = context, .why = why};
    if (reading.parser) {
        XML_SetUserData(reading.parser, &reading);
        XML_SetElementHandler(reading.parser, on_open, on_close);
        XML_SetStartDoctypeDeclHandler(reading.parser, on_doctype);
        err = parse_member(&reading, member);
        XML_ParserFree(reading.parser);
    } else {
        err = fault_set(why, ERR_MEMORY, "Out of memory");
    }
    zip_member_destroy(&member);
    if (err != ERR_OK)
        fault_prefix(why, "%s: ", name);
    return err;
}
