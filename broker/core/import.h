/* import - the record of a dump takes the place of a chat's record, in one transaction. CALL_IMPORT_CHAT's body:
 *
 *   {"participant_name","status","partition_key","metadata":{},"created_us",
 *    "messages":[{"message_type","content","metadata":{},"created_us"}],
 *    "files":[{"name","type","key","bytes","job_id","created_us"}],
 *    "jobs":[...],"events":[...]}        the last two as store_read_export() writes them; any list may be missing
 *
 * What a dump says is anybody's invention, so all of it is checked before anything changes, and nothing in it can name
 * a row of another chat: messages, files and steps get new ids, a job's id must be one of this chat. The history begins
 * again at 1 under a new epoch; events get new stamps. A run that had not ended when the dump was made has failed. */
#ifndef IMPORT_H
#define IMPORT_H

#include "core/answer.h"

#define IMPORT_JOBS_MAX     100000
#define IMPORT_STEPS_MAX    1000 /* of one job */
#define IMPORT_EVENTS_MAX   1000000
#define IMPORT_MESSAGES_MAX 1000000

void import_handle(struct core *core, const struct ask *ask, struct chat *chat);

#endif
