/* results - what the steps of a run returned, as REST clients see it: files have a download_url, and a member that is
 * too large for an event stands in its place, streamed from the file that holds it. HTTP thread. */
#ifndef RESULTS_H
#define RESULTS_H

#include "http/splice.h"
#include "rest/rest.h"

#include <jansson.h>

/* Appends {"results":[...],"output_files":[...]} from the broker's members of these names; the objects are changed on
 * the way. */
enum err results_write(const struct request *request, json_t *from, struct buf *out, struct splices *files,
                       struct fault *why) MUST_CHECK;

#endif
