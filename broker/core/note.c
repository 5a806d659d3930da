#include "core/note.h"

#include "core/job.h"

#include <stdio.h>

void note_write(struct core *core, bool warning, const char *sentence, const struct job *job, const char *worker,
                const char *detail)
{
    if (!warning && core->settings.warnings_only)
        return;
    struct effect *effect = core_effect(core, EFFECT_NOTE);
    struct note *note = effect ? core_alloc(core, sizeof *note) : NULL;
    if (!note)
        return;
    note->warning = warning;
    note->sentence = sentence;
    snprintf(note->chat, sizeof note->chat, "%s", job ? job->chat->id : "");
    snprintf(note->job, sizeof note->job, "%s", job ? job->id : "");
    snprintf(note->trace, sizeof note->trace, "%s", job ? job->trace : "");
    snprintf(note->worker, sizeof note->worker, "%s", worker ? worker : "");
    snprintf(note->detail, sizeof note->detail, "%s", detail ? detail : "");
    effect->note = note;
}
