/* What gateways say on :5560. Everything but a BEAT is only taken on an open link, so that a gateway learns at once
 * that this broker does not know it. */
#include "core/call.h"
#include "core/follow.h"
#include "core/handlers.h"

static void attach(struct core *core, struct feed_link *link, const struct request_frame *frame)
{
    struct chat *chat = chat_find(core, frame->chat);
    if (!chat) {
        core->frames_refused++; /* no chat id: the shell loads every valid one */
        return;
    }
    chat->used_ms = core->now.mono_ms;
    follow_attach(core, link, chat, frame);
}

void handle_request(struct core *core, const struct input *input)
{
    const struct request_frame *frame = input->of.request.frame;
    if (frame->kind == REQUEST_FORGET) {
        job_forget_waiter(core, frame->id);
        return;
    }
    struct feed_link *link = feed_link_find(core, frame->link);
    if (!link) {
        answer_hello(core, &input->peer);
        return;
    }
    switch (frame->kind) {
    case REQUEST_ATTACH: attach(core, link, frame); break;
    case REQUEST_DETACH: follow_detach(core, link, frame->attach); break;
    case REQUEST_BEAT: feed_link_heard(core, link, frame->number); break;
    case REQUEST_CALL: {
        struct ask ask = {&input->peer, frame, NULL};
        call_handle(core, &ask, input->of.request.prior, input->of.request.keyed);
        break;
    }
    case REQUEST_FORGET: break;
    case REQUEST_ANSWER:
    case REQUEST_ACCEPTED:
    case REQUEST_HELLO: core->frames_refused++; break;
    }
}
