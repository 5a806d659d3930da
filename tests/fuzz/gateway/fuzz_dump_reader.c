/* Any bytes as a dump, and what was read of it as a record to import. First byte: even, the rest is the file as it is;
 * odd, the rest is put into a gzip frame first (stored, so that the tar inside can be varied). */
#include "archive/dump_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define FILES_MAX 8

struct seen {
    struct dump_file list[FILES_MAX];
    size_t count;
    bool open;
};

static enum err begin(void *context, const char *chat, enum dump_folder folder, const char *name, struct fault *why)
{
    struct seen *seen = context;
    if (!id_chat_valid(chat, strlen(chat)) || strchr(name, '/') || !name[0] || strcmp(name, "..") == 0 || seen->open)
        abort();
    if (seen->count == FILES_MAX)
        return fault_set(why, ERR_TOO_LARGE, "enough");
    struct dump_file *file = &seen->list[seen->count];
    *file = (struct dump_file){.folder = folder, .key = "k"};
    snprintf(file->member, sizeof file->member, "%s/%s", dump_folder_name(folder), name);
    seen->open = true;
    return ERR_OK;
}

static enum err data(void *context, const void *content, size_t len, struct fault *why)
{
    struct seen *seen = context;
    (void)why;
    if (!seen->open || !content)
        abort();
    seen->list[seen->count].bytes += len;
    return ERR_OK;
}

static enum err end(void *context, struct fault *why)
{
    struct seen *seen = context;
    (void)why;
    if (!seen->open || seen->list[seen->count].bytes > 4096)
        abort();
    seen->open = false;
    seen->count++;
    return ERR_OK;
}

static void put(int fd, const void *bytes, size_t len)
{
    if (write(fd, bytes, len) != (ssize_t)len)
        abort();
}

/* RFC 1951 3.2.4: stored blocks; the checksum at the end is not looked at. */
static void put_stored(int fd, const uint8_t *bytes, size_t len)
{
    static const uint8_t head[10] = {0x1F, 0x8B, 8}, tail[8];
    put(fd, head, sizeof head);
    do {
        size_t part = len < 0xFFFF ? len : 0xFFFF;
        uint8_t block[5] = {part == len, (uint8_t)part, (uint8_t)(part >> 8), (uint8_t)~part, (uint8_t)(~part >> 8)};
        put(fd, block, sizeof block);
        put(fd, bytes, part);
        bytes += part;
        len -= part;
    } while (len > 0);
    put(fd, tail, sizeof tail);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct dump_limits limits = {
        .unpacked_bytes_max = 1 << 20, .member_bytes_max = 4096, .record_bytes_max = 4096, .members_max = 16};
    struct seen seen = {.count = 0};
    struct dump_sink sink = {&seen, begin, data, end};
    struct buf metadata = BUF_INIT(4096), import = BUF_INIT(1 << 20);
    struct fault why = {.text = ""};
    char chat[ID_CHAT_MAX + 1];
    int fd = len > 0 ? memfd_create("dump", MFD_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    if (bytes[0] & 1)
        put_stored(fd, bytes + 1, len - 1);
    else
        put(fd, bytes + 1, len - 1);
    lseek(fd, 0, SEEK_SET);
    enum err err = dump_read(fd, &limits, &sink, chat, &metadata, &why);
    if (err == ERR_OK)
        err = dump_record_import(&metadata, chat, seen.list, seen.count, &import, &why);
    if (err != ERR_OK && !why.text[0])
        abort();
    close(fd);
    buf_fini(&metadata);
    buf_fini(&import);
    return 0;
}
