"""Outside programs: publishing into a chat and tapping it, with nothing but zmq."""

import json
import socket as sockets

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from reader import Reader
from stack import wait_until

SECONDS = 10


@pytest.fixture
def context():
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


def publisher(context, stack):
    """Ready to send: the broker has subscribed."""
    socket = context.socket(zmq.XPUB)
    socket.connect("tcp://127.0.0.1:%d" % stack.publish_port)
    assert socket.poll(SECONDS * 1000), "the broker did not subscribe"
    socket.recv()
    return socket


def publish(socket, chat, event):
    socket.send_multipart([chat.encode(), event if isinstance(event, bytes) else json.dumps(event).encode()])


def test_the_guides_events_reach_a_browser(shared_stack, context):
    reader = Reader(shared_stack, "outside-1")
    socket = publisher(context, shared_stack)
    publish(socket, "outside-1", {"type": "progress", "step_id": "s", "progress": 45, "status": "running", "message": "m"})
    publish(socket, "outside-1", {"type": "step_result", "step_id": "s", "result": {"output_file_path": "/p"}})
    publish(socket, "outside-1", {"type": "error", "step_id": "s", "message": "Column 'invalid_col' not found"})
    reader.wait_for("error")
    assert reader.states[0]["progress"] == 45
    assert reader.records[0]["result"] == {"output_file_path": "/p"}
    assert all(e["source"] == "outside" and e["chat_id"] == "outside-1" for e in reader.records + reader.states)
    assert reader.close() == []


def test_a_thousand_events_come_once_and_in_order(shared_stack, context):
    reader = Reader(shared_stack, "outside-2")
    socket = publisher(context, shared_stack)
    for i in range(1000):
        publish(socket, "outside-2", {"type": "note", "i": i})
    reader.wait_for("note", 1000)
    assert [e["i"] for e in reader.records] == list(range(1000))
    assert reader.close() == []


def test_what_only_the_broker_may_say_is_stripped_or_refused(shared_stack, context):
    reader = Reader(shared_stack, "outside-3")
    socket = publisher(context, shared_stack)
    publish(socket, "outside-3", {"type": "workflow_completed", "message": "forged"})
    publish(socket, "outside-3", b"not json")
    publish(socket, "outside-3", b'["list"]')
    publish(socket, "no such/chat id", {"type": "note"})
    publish(socket, "outside-3", {"type": "note", "pad": "x" * 70000})
    publish(socket, "outside-3", {"type": "note", "seq": 99, "epoch": "e", "job_id": "j", "attempt": 7, "source": "me"})
    reader.wait_for("note")
    (event,) = reader.records
    assert event["seq"] == 1 and event["epoch"] == reader.epoch and event["source"] == "outside"
    assert "job_id" not in event and "attempt" not in event
    assert reader.close() == []


def test_an_acknowledged_event_is_in_the_record(shared_stack, context):
    socket = context.socket(zmq.DEALER)
    socket.connect("tcp://127.0.0.1:%d" % shared_stack.publish_ack_port)
    event = {"type": "note", "event_id": "once", "text": "kept"}
    answers = []
    for _ in range(2):
        publish(socket, "outside-4", event)
        assert socket.poll(SECONDS * 1000), "no acknowledgement"
        answers.append(json.loads(socket.recv_multipart()[-1]))
    assert answers[0]["ok"] is True and answers[0]["seq"] == answers[1]["seq"] == 1
    for frames in ([b"outside-4", b"{"], [b"outside-4"], [b"", b"outside-4", b'{"type":"note"}'], [b"connected", b'{"type":"connected"}']):
        socket.send_multipart(frames)
        assert socket.poll(SECONDS * 1000), frames
        assert "error" in json.loads(socket.recv_multipart()[-1]), frames
    reader = Reader(shared_stack, "outside-4")
    assert reader.greetings[0]["head"] == 1
    assert reader.close() == []


def test_heartbeats_and_noise_beside_them_do_not_break_a_connection(shared_stack, context):
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 50)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 500)
    ends = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    socket.connect("tcp://127.0.0.1:%d" % shared_stack.publish_ack_port)
    for i in range(3):
        publish(socket, "outside-5", {"type": "note", "i": i})
        assert socket.poll(SECONDS * 1000), "no acknowledgement"
        assert json.loads(socket.recv())["seq"] == i + 1
        with sockets.create_connection(("127.0.0.1", shared_stack.publish_ack_port), SECONDS) as noise:
            noise.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                while noise.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    # Silent for several timeouts: only the answers to its heartbeats keep it.
    assert not ends.poll(1500), recv_monitor_message(ends)
    socket.disable_monitor()


def test_a_tap_sees_one_chat_and_not_its_namesakes(shared_stack, context):
    tap = context.socket(zmq.SUB)
    tap.connect("tcp://127.0.0.1:%d" % shared_stack.tap_port)
    tap.subscribe(b"chat/tap-1/")
    socket = publisher(context, shared_stack)

    def seen():  # a tap is best effort: what comes before it is connected is not seen
        publish(socket, "tap-10", {"type": "note"})
        publish(socket, "tap-1", {"type": "note"})
        return tap.poll(50)

    wait_until(seen, SECONDS, "an event on the tap")
    while tap.poll(200):
        topic, body = tap.recv_multipart()
        assert topic == b"chat/tap-1/note"
        assert json.loads(body)["chat_id"] == "tap-1"
