#include "core/snapshot.h"

#include "core/job.h"

static void write_step(const struct job *job, uint32_t i, bool results, struct compose *out)
{
    const struct step *step = &job->steps[i];
    compose_plain(out, i ? ",{" : "{");
    compose_text(out, "step_id", step->id);
    compose_text(out, "operation", step->operation);
    compose_text(out, "status", step_status_name(step->status));
    compose_int(out, "attempt", job->attempts);
    compose_int(out, "progress", step->progress);
    compose_text_or_null(out, "message", step->error[0] ? step->error : step->message);
    compose_raw(out, "result", results ? step->result : "");
    compose_plain(out, "}");
}

static void write_job(const struct job *job, struct compose *out)
{
    compose_plain(out, ",\"job\":{");
    compose_text(out, "job_id", job->id);
    compose_text(out, "status", job_status_name(job->status));
    compose_int(out, "attempt", job->attempts);
    compose_int(out, "total_steps", job->step_count);
    compose_text_or_null(out, "error", job->error);
    compose_plain(out, "}");
}

static void write(const struct chat *chat, bool results, bool steps, struct compose *out)
{
    const struct job *job = chat->jobs ? chat->jobs : chat->newest;
    compose_plain(out, "{");
    compose_text_or_null(out, "status", chat->exists && !chat->room ? chat_status_name(chat->status) : "");
    if (job)
        write_job(job, out);
    else
        compose_raw(out, "job", "");
    compose_plain(out, ",\"steps\":[");
    for (uint32_t i = 0; job && steps && i < job->step_count; i++)
        write_step(job, i, results, out);
    compose_plain(out, results && steps ? "]}" : "],\"truncated\":true}");
}

void snapshot_write(const struct core *core, const struct chat *chat, struct compose *out)
{
    write(chat, true, true, out);
    for (int left = 1; left >= 0 && out->err == ERR_OK && out->buf.len > core->settings.event_bytes_max; left--) {
        buf_clear(&out->buf);
        write(chat, false, left == 1, out);
    }
}
