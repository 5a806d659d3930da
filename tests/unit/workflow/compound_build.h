/* compound_build - wraps bytes as the stream "Workbook" of an OLE compound file, for tests and fuzzing of the XLS
 * reader. Streams of less than 4096 bytes are put where small streams belong. */
#ifndef COMPOUND_BUILD_H
#define COMPOUND_BUILD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COMPOUND_SECTOR  512u
#define COMPOUND_MINI    64u
#define COMPOUND_END     0xFFFFFFFEu
#define COMPOUND_FREE    0xFFFFFFFFu
#define COMPOUND_FAT     0xFFFFFFFDu
#define COMPOUND_CUTOFF  4096u
#define COMPOUND_PER_FAT (COMPOUND_SECTOR / 4)

static inline void compound_put(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++, value >>= 8)
        at[i] = (unsigned char)value;
}

static inline uint32_t compound_units(size_t len, size_t unit)
{
    return (uint32_t)((len + unit - 1) / unit);
}

/* Marks sectors from..from+count as a chain. */
static inline void compound_chain(unsigned char *table, uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        compound_put(table + 4 * (size_t)(from + i), i + 1 < count ? from + i + 1 : COMPOUND_END);
}

static inline void compound_entry(unsigned char *at, const char *name, unsigned char type, uint32_t start, size_t size)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        at[2 * i] = (unsigned char)name[i];
    at[64] = (unsigned char)(2 * (len + 1));
    at[66] = type;
    compound_put(at + 116, start);
    compound_put(at + 120, (uint32_t)size);
}

/* A memfd, the caller's. Sectors: the FAT, the folder, the table of small sectors, the data. */
static inline int compound_build_named(const void *stream, size_t len, const char *name)
{
    int small = len < COMPOUND_CUTOFF;
    uint32_t minis = small ? compound_units(len, COMPOUND_MINI) : 0;
    uint32_t mini_table = minis ? compound_units(4 * (size_t)minis, COMPOUND_SECTOR) : 0;
    uint32_t data = compound_units(len, COMPOUND_SECTOR), fats = 1;
    while (fats * COMPOUND_PER_FAT < fats + 1 + mini_table + data)
        fats++;
    size_t bytes = (size_t)(1 + fats + 1 + mini_table + data) * COMPOUND_SECTOR;
    unsigned char *file = calloc(1, bytes);
    if (!file || fats > 109)
        abort();
    unsigned char *fat = file + COMPOUND_SECTOR, *folder = fat + fats * COMPOUND_SECTOR;
    memcpy(file, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8);
    file[24] = 0x3E, file[26] = 3, file[28] = 0xFE, file[29] = 0xFF, file[30] = 9, file[32] = 6;
    compound_put(file + 44, fats);
    compound_put(file + 48, fats);
    compound_put(file + 56, COMPOUND_CUTOFF);
    compound_put(file + 60, mini_table ? fats + 1 : COMPOUND_END);
    compound_put(file + 64, mini_table);
    compound_put(file + 68, COMPOUND_END);
    memset(file + 76, 0xFF, 4 * 109);
    memset(fat, 0xFF, fats * COMPOUND_SECTOR);
    for (uint32_t i = 0; i < fats; i++) {
        compound_put(file + 76 + 4 * i, i);
        compound_put(fat + 4 * i, COMPOUND_FAT);
    }
    compound_chain(fat, fats, 1);
    compound_chain(fat, fats + 1, mini_table);
    compound_chain(fat, fats + 1 + mini_table, data);
    if (mini_table) {
        memset(folder + COMPOUND_SECTOR, 0xFF, mini_table * COMPOUND_SECTOR);
        compound_chain(folder + COMPOUND_SECTOR, 0, minis);
    }
    compound_entry(folder, "Root Entry", 5, small && data ? fats + 1 + mini_table : COMPOUND_END, small ? len : 0);
    compound_entry(folder + 128, name, 2, small ? (minis ? 0 : COMPOUND_END) : fats + 1 + mini_table, len);
    if (len > 0)
        memcpy(file + (size_t)(1 + fats + 1 + mini_table) * COMPOUND_SECTOR, stream, len);
    int fd = memfd_create("compound", MFD_CLOEXEC);
    if (fd < 0 || write(fd, file, bytes) != (ssize_t)bytes)
        abort();
    free(file);
    return fd;
}

static inline int compound_build(const void *stream, size_t len)
{
    return compound_build_named(stream, len, "Workbook");
}

#endif
