/* admission - what happens to a request when its header is there: it is refused, answered at once (preflight), or led
 * to its route. HTTP thread. */
#ifndef ADMISSION_H
#define ADMISSION_H

#include "http/request.h"

struct admission {
    const struct route *const *routes;
    const char *method; /* as received */
    const char *version;
    size_t head_bytes; /* size of the header as received */
    bool excess;       /* the connection came when all places were taken */
};

/* Answers the request, or sets its route and runs the route's `begin`. request->uri and fields are set. */
void admission_decide(struct request *request, const struct admission *admission);

#endif
