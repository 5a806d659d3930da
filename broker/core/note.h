/* note - what operators read in the log: an effect like any other, so it is written after the commit and in order. */
#ifndef NOTE_H
#define NOTE_H

#include "core/state.h"

/* sentence: a literal. job, worker, detail may be NULL. Log level "warning" when something was lost. */
void note_write(struct core *core, bool warning, const char *sentence, const struct job *job, const char *worker,
                const char *detail);

#endif
