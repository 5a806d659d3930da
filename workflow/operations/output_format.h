/* output_format - the argument `output_format` of the operations that let the user choose. */
#ifndef OUTPUT_FORMAT_H
#define OUTPUT_FORMAT_H

#include "table/sink.h"

/* By any case; "excel" is what users have always called xlsx. NULL: there is none. */
const struct sink_kind *output_format_find(const char *name);
enum err output_format_fault(const char *name, struct fault *why) MUST_CHECK; /* names those that there are */

#endif
