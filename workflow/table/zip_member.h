/* zip_member - the bytes of one member of a zip archive, unpacked block by block.
 *
 * What the directory promises is checked against what comes out: the size while reading, the CRC at the end. All bytes
 * unpacked from one archive count against its inflated_bytes_max. Faults leave the member's name to the caller. Used by
 * one thread. */
#ifndef ZIP_MEMBER_H
#define ZIP_MEMBER_H

#include "table/zip_archive.h"

struct zip_member;

/* Both archive and entry are borrowed until the member is destroyed.
 * ERR_UNSUPPORTED: encrypted, or packed by a method other than stored and deflated. */
enum err zip_member_new(struct zip_member **out, struct zip_archive *archive, struct zip_entry *entry,
                        struct fault *why) MUST_CHECK;
/* An independent reader that stands at the same place. `from` stays as it is. */
enum err zip_member_clone(struct zip_member **out, struct zip_member *from, struct fault *why) MUST_CHECK;
void zip_member_destroy(struct zip_member **self_p);

/* Up to room bytes; *len is 0 only at the end, when size and CRC were found right. `self` is a struct zip_member *
 * (the type that xml_scan reads from). */
enum err zip_member_read(void *self, void *to, size_t room, size_t *len, struct fault *why) MUST_CHECK;

/* Packed bytes read so far. */
uint64_t zip_member_consumed(const struct zip_member *self);

#endif
