"""What is old and nobody needs goes by itself: rooms, answers to requests, dumps, files of killed gateways."""

import contextlib
import os
import socket
import sqlite3
import time

import pytest
import zmq

from stack import multipart, wait_until
from test_archive import CSV, Client, dump
from test_retention import restart

HOUR, DAY = 3600, 86400
SLOW = 40


def rewrite(stack, *statements):
    """SQL into the record; the broker must be down."""
    with contextlib.closing(sqlite3.connect(stack.settings["chat_workflows.storage.sqlite_path"])) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def ask(stack, query):
    """SQL from the record. What the broker reads for others is in the file by then; what it has just accepted need not be."""
    stack.get("/chat/workflows?limit=1")
    path = stack.settings["chat_workflows.storage.sqlite_path"]
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as db:
        return db.execute(query).fetchall()


def grow_old(stack, seconds):
    """Everything in the record was written that much earlier."""
    us = seconds * 1000000
    rewrite(
        stack,
        "UPDATE events SET created_us = created_us - %d" % us,
        "UPDATE conversations SET created_us = created_us - %d, updated_us = updated_us - %d" % (us, us),
        "UPDATE answers SET created_us = created_us - %d" % us,
        "UPDATE meta SET value = value - %d WHERE key = 'born_us'" % us,
    )


@pytest.fixture
def publish():
    context = zmq.Context()

    def publish(stack, chat, event):
        with context.socket(zmq.DEALER) as dealer:
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.setsockopt(zmq.RCVTIMEO, 10000)
            dealer.connect("tcp://127.0.0.1:%d" % stack.publish_ack_port)
            dealer.send_multipart([chat.encode(), event.encode()])
            return dealer.recv_json()

    yield publish
    context.destroy(linger=0)


def test_quiet_rooms_are_forgotten_unless_somebody_reads_them(make_stack, publish):
    stack = make_stack(settings={"broker.room_days": 2, "wire.beat_ms": 100})
    chat = stack.create_chat()
    for room in ("quiet", "read", chat):
        assert publish(stack, room, '{"type": "note"}')["seq"] >= 1
    reader = Client("%s/chat/read" % stack.ws_url)
    try:
        first = reader.first(lambda m: m["type"] == "connected", "connected")
        stack.end(stack.broker)
        grow_old(stack, 3 * DAY)
        stack.restart(stack.broker)
        stack.wait_ready()
        assert publish(stack, "young", '{"type": "note"}')["seq"] == 1
        wait_until(lambda: not ask(stack, "SELECT 1 FROM conversations WHERE chat_id = 'quiet'"), SLOW, "the room's end")
        assert not ask(stack, "SELECT 1 FROM events WHERE chat_id = 'quiet'")
        left = {row[0] for row in ask(stack, "SELECT chat_id FROM conversations")}
        assert left == {"read", "young", chat}
        assert publish(stack, "read", '{"type": "note", "text": "still"}')["seq"] == 2
        event = reader.first(lambda m: m.get("text") == "still", "the event")
        assert event["epoch"] == first["epoch"]
        assert publish(stack, "quiet", '{"type": "note"}')["seq"] == 1
    finally:
        reader.close()


def test_answers_are_kept_longer_than_any_resend_and_then_go(make_stack):
    stack = make_stack()
    key = {"Idempotency-Key": "once"}
    made = stack.request("POST", "/chat/workflows", headers=key).data["chat_id"]
    stack.create_chat()
    count = lambda keyed: ask(stack, "SELECT COUNT(*) FROM answers WHERE keyed = %d" % keyed)[0][0]
    assert count(0) >= 2 and count(1) == 1
    stack.end(stack.broker)
    grow_old(stack, 47 * HOUR)
    stack.restart(stack.broker)
    stack.wait_ready()
    assert stack.upload(made, "a.csv", CSV).status == 200
    before = count(0)
    assert before >= 3
    stack.end(stack.broker)
    grow_old(stack, 2 * HOUR)
    stack.restart(stack.broker)
    stack.wait_ready()
    wait_until(lambda: count(0) == 1, SLOW, "the end of old answers")  # the upload's is two hours old
    assert count(1) == 1
    assert stack.request("POST", "/chat/workflows", headers=key).data["chat_id"] == made


def test_old_dumps_are_removed(make_stack):
    stack = make_stack()
    chat = stack.create_chat()
    assert stack.upload(chat, "a.csv", CSV).status == 200
    old, new = dump(stack, chat)[0]["dump_file"], dump(stack, chat)[0]["dump_file"]
    folder = stack.settings["chat_workflows.storage.dumps_path"]
    then = time.time() - 31 * DAY
    os.utime(os.path.join(folder, old), (then, then))
    restart(stack)
    wait_until(lambda: stack.get("/chat/downloads/" + old).status == 404, SLOW, "the dump's end")
    assert stack.get("/chat/downloads/" + new).status == 200


def files_below(stack):
    root = stack.settings["chat_workflows.storage.workflows_path"]
    return {os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names}


def test_a_file_of_a_killed_gateway_is_removed_and_no_other(make_stack):
    stack = make_stack()
    chat = stack.create_chat()
    assert stack.upload(chat, "kept.csv", CSV).status == 200
    kept = files_below(stack)
    body, content_type = multipart("file", "lost.csv", "x" * 200000)
    head = "POST /api/v1/chat/workflows/%s/upload HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", stack.port)) as client:
        client.sendall((head % (chat, content_type, len(body))).encode() + body[:150000])
        orphans = wait_until(lambda: files_below(stack) - kept, 10, "the file that is being written")
        stack.kill(stack.gateway)
    stack.restart(stack.gateway)
    stack.wait_ready()
    assert files_below(stack) == kept | orphans and len(orphans) == 1 and len(kept) == 1
    then = time.time() - 3 * HOUR
    for path in kept | orphans:
        os.utime(path, (then, then))
    restart(stack)
    # They are older than the record: a record that has just been made takes nobody's files away.
    dumped = dump(stack, chat)[0]["dump_file"]
    os.utime(os.path.join(stack.settings["chat_workflows.storage.dumps_path"], dumped), (0, 0))
    restart(stack)
    wait_until(lambda: stack.get("/chat/downloads/" + dumped).status == 404, SLOW, "a whole look at the disk")
    assert files_below(stack) == kept | orphans
    stack.end(stack.broker)
    grow_old(stack, DAY)
    stack.restart(stack.broker)
    stack.wait_ready()
    wait_until(lambda: files_below(stack) == kept, SLOW, "the orphan's end")
    assert stack.get("/chat/workflows/%s/files/kept.csv" % chat).body == CSV.encode()
