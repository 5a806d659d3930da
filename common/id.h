/* id - identifiers nobody can guess, from getrandom(2). Any thread. */
#ifndef ID_H
#define ID_H

#include "err.h"

#include <stdint.h>

#define ID_UUID_LEN 36
#define ID_HEX_LEN  32
#define ID_JOB_MAX  200 /* a job id: {chat}_workflow_{ms}_{8 hex} */
#define ID_CHAT_MAX 128 /* a chat id is 1 to 128 of A-Z a-z 0-9 . _ ~ : - */

void id_random(void *out, size_t len); /* aborts if the kernel has no randomness: nothing can go on then */
/* 16 bytes that grow with the wall clock's milliseconds (RFC 9562 version 7 without its marks): neighbours in an index.
 */
void id_sortable(unsigned char out[16]);
uint64_t id_u64(void);                    /* never 0 */
void id_uuid4(char out[ID_UUID_LEN + 1]); /* RFC 9562 version 4, lower case */
void id_hex(char *out, size_t digits);    /* writes `digits` hex digits and a NUL; digits <= ID_HEX_LEN */
/* The same from bytes somebody else drew: two digits a byte and a NUL; 16 bytes as a UUID of version 4. */
void id_write_hex(char *out, const unsigned char *bytes, size_t len);
void id_write_uuid4(char out[ID_UUID_LEN + 1], const unsigned char bytes[16]);
bool id_chat_valid(const char *text, size_t len);

#endif
