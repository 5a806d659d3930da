"""Records in dumps that are small to send and large to read: what they may cost, and that ours are never refused."""

import gzip
import io
import json
import re
import tarfile
import time

import pytest

from test_archive import chat_with_a_run, dump, restore

MIB = 1 << 20
CHAT = "heavy"
BROKER_MIB, GATEWAY_MIB = 320, 384
TOO_MANY = "chat_workflows.dump.record_mb_max"


def archive_of(record, **members):
    """A dump of nothing but a conversation_metadata.json; `record` and members are JSON texts."""
    fields = {"chat_id": json.dumps(CHAT), "status": '"created"', "record": record, **members}
    content = ("{%s}" % ",".join('"%s":%s' % item for item in fields.items())).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(CHAT + "/conversation_metadata.json")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), 1)


def listed(one, count):
    return "[%s]" % ",".join([one] * count)


def record_of(name, items):
    return '{"version":1,"%s":%s}' % (name, items)


def highest_mib(program):
    with open("/proc/%d/status" % program.pid) as text:
        return int(re.search(r"VmHWM:\s*(\d+)", text.read()).group(1)) // 1024


EVENT = '{"type":"a","body":"{}"}'
MESSAGE = '{"message_type":"a","content":""}'
STEP = '{"operation":"a","status":"pending","arguments":"{}"}'


def job(steps):
    return '[{"job_id":"heavy_workflow_1_00000000","status":"completed","steps":%s}]' % listed(STEP, steps)


HOSTILE = {
    "events": lambda: archive_of(record_of("events", listed(EVENT, 15 * MIB // len(EVENT + ",")))),
    "steps": lambda: archive_of(record_of("jobs", job(15 * MIB // len(STEP + ",")))),
    "messages": lambda: archive_of(record_of("files", "[]"), messages=listed(MESSAGE, 15 * MIB // len(MESSAGE + ","))),
    "lists": lambda: archive_of(record_of("files", "[]"), metadata='{"a":%s}' % listed("[]", 5 * MIB)),
    "objects": lambda: archive_of(record_of("files", "[]"), metadata='{"a":%s}' % listed("{}", 5 * MIB)),
}


def test_dense_records_are_refused_before_they_cost_anything(make_stack):
    stack = make_stack()
    before = highest_mib(stack.broker)
    for what, make in HOSTILE.items():
        answer = restore(stack, make())
        assert (answer.status, TOO_MANY in answer.message) == (413, True), (what, answer)
    assert stack.get("/chat/workflows/" + CHAT).status == 404
    assert highest_mib(stack.broker) <= before + 8
    assert highest_mib(stack.gateway) < GATEWAY_MIB


# As many as the bounds let through.
LARGEST = {
    "events": lambda: archive_of(record_of("events", listed(EVENT, 16 * MIB // 192))),
    "messages": lambda: archive_of(record_of("files", "[]"), messages=listed(MESSAGE, 16 * MIB // 160)),
    "lists": lambda: archive_of(record_of("files", "[]"), metadata='{"a":%s}' % listed("[]", 16 * MIB * 6 // 184)),
}


@pytest.mark.slow  # under a sanitizer memory weighs several times as much
@pytest.mark.parametrize("what", LARGEST)
def test_the_largest_records_cost_the_broker_what_is_said(make_stack, what):
    stack = make_stack()
    started = time.monotonic()
    answer = restore(stack, LARGEST[what]())
    print("%s: %.1f s, broker %d MiB, gateway %d MiB" % (
        what, time.monotonic() - started, highest_mib(stack.broker), highest_mib(stack.gateway)))
    assert answer.status == 200, answer
    assert highest_mib(stack.broker) < BROKER_MIB
    assert highest_mib(stack.gateway) < GATEWAY_MIB
    chat = chat_with_a_run(stack)
    again = restore(stack, dump(stack, chat)[1])
    assert again.status == 200, again
