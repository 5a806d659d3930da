"""`sheetwire publish`: nothing sent is lost, and what is acknowledged is on disk."""

import json
import os
import subprocess

from reader import Reader
from stack import BUILD, wait_until


def publish(stack, *arguments, seconds=30):
    return subprocess.run(
        [os.path.join(BUILD, "sheetwire"), "publish", *arguments],
        env=stack.environment(),
        cwd=stack.folder,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def test_an_event_reaches_its_readers(shared_stack):
    reader = Reader(shared_stack, "publish-1")
    for i in range(5):
        done = publish(shared_stack, "publish-1", json.dumps({"type": "note", "i": i}))
        assert done.returncode == 0, done
        reader.wait_for("note", i + 1)
    assert [event["i"] for event in reader.records] == list(range(5))
    assert reader.close() == []


def test_an_acknowledged_event_has_a_number(shared_stack):
    first = publish(shared_stack, "publish-2", '{"type": "note", "event_id": "e1"}', "--ack")
    again = publish(shared_stack, "publish-2", '{"type": "note", "event_id": "e1"}', "--ack")
    other = publish(shared_stack, "publish-2", '{"type": "note"}', "--ack")
    assert first.returncode == again.returncode == other.returncode == 0, (first, again, other)
    assert [json.loads(done.stdout)["seq"] for done in (first, again, other)] == [1, 1, 2]


def test_refusals_and_wrong_usage(shared_stack):
    refused = publish(shared_stack, "publish-3", '{"type": "workflow_failed"}', "--ack")
    assert refused.returncode == 1 and "workflow_failed" in refused.stderr, refused
    for arguments in (("publish-3",), ("no chat", "{}"), ("publish-3", "[1]"), ("publish-3", "{"), ("a", "{}", "--nack")):
        assert publish(shared_stack, *arguments).returncode == 2, arguments


def test_gaps_are_written_to_the_log(shared_stack):
    for number in (1, 2, 7):
        event = {"type": "note", "publisher": "counter", "pub_seq": number}
        assert publish(shared_stack, "publish-4", json.dumps(event), "--ack").returncode == 0
    wait_until(lambda: "publisher counter" in shared_stack.broker.log(), 10, "the line in the log")
