"""What existing WebSocket clients rely on: examples as users have them, small answers, limits, silent and slow clients."""

import base64
import json
import os
import socket
import struct
import subprocess
import sys
import time

import pytest
import zmq

from reader import Reader
from stack import wait_until

SHARED_SETTINGS = {"chat_workflows.max_connections": 50}
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

EXAMPLE = """
import asyncio
import websockets
import json

async def test():
    async with websockets.connect("ws://127.0.0.1:5051/chat/test") as ws:
        # Wait for welcome
        msg = await ws.recv()
        print("Connected:", json.loads(msg))

        # Send ping
        await ws.send(json.dumps({"type": "ping"}))

        # Get pong
        pong = await ws.recv()
        print("Response:", json.loads(pong))

asyncio.run(test())
"""


class Raw:
    """A WebSocket without a library's help: nothing is answered unless a test does."""

    def __init__(self, stack, path="/chat/raw", receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", stack.ws_port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            ("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (path, stack.host, key)).encode())
        self.bytes = b""
        while b"\r\n\r\n" not in self.bytes:
            self._more()
        self.head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)

    def _more(self):
        got = self.socket.recv(65536)
        if not got:
            raise EOFError("the server has closed")
        self.bytes += got

    def _take(self, count):
        while len(self.bytes) < count:
            self._more()
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def frame(self):
        """(opcode, payload) of the next frame."""
        first, second = self._take(2)
        size = second & 127
        if size > 125:
            size = struct.unpack(">H" if size == 126 else ">Q", self._take(2 if size == 126 else 8))[0]
        return first & 15, self._take(size)

    def message(self):
        opcode, payload = self.frame()
        assert opcode == TEXT, (opcode, payload)
        return json.loads(payload)

    def send(self, payload, opcode=TEXT, final=True):
        payload = payload if isinstance(payload, bytes) else payload.encode()
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xff" + struct.pack(">Q", len(payload))
        self.socket.sendall(bytes([0x80 * final | opcode]) + size + b"\0\0\0\0" + payload)

    def end(self):
        """The code the server closes with; None when it just goes."""
        try:
            while True:
                opcode, payload = self.frame()
                if opcode == CLOSE:
                    return struct.unpack(">H", payload[:2])[0]
        except (EOFError, ConnectionError):
            return None

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def is_taken_in(stack):
    """Whether a place is free for one more socket."""
    with Raw(stack) as raw:
        return raw.message()["type"] == "connected"


def test_an_example_of_the_guide_runs_as_printed(shared_stack):
    program = EXAMPLE.replace(":5051", ":%d" % shared_stack.ws_port)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    connected, pong = done.stdout.splitlines()
    assert connected.startswith("Connected: {'type': 'connected', 'chat_id': 'test', 'timestamp': '")
    assert pong == "Response: {'type': 'pong'}"


@pytest.mark.parametrize("path", ["/", "/chat"])
def test_a_socket_without_a_chat_gets_events_once_it_subscribes(shared_stack, path):
    with Raw(shared_stack, path) as raw:
        assert raw.message()["chat_id"] is None
        chat = shared_stack.create_chat()
        raw.send(json.dumps({"type": "subscribe", "chat_id": chat}))
        assert raw.message()["chat_id"] == chat
        assert shared_stack.upload(chat, "a.csv", "a\n1\n").status == 200
        assert shared_stack.execute(chat, []).status == 200
        assert raw.message()["type"] == "workflow_started"
        assert raw.message()["type"] == "workflow_completed"


@pytest.mark.parametrize("sent, answer", [
    ('{"type":"ping"}', {"type": "pong"}),
    ("ping", {"type": "pong"}),
    ('{"type":"hello","n":[1,{}]}', {"type": "ack", "original": {"type": "hello", "n": [1, {}]}}),
    ("hello", {"type": "error", "message": "Invalid JSON"}),
    ("[1]", {"type": "error"}),
    ('"text"', {"type": "error"}),
])
def test_small_messages_and_their_answers(shared_stack, sent, answer):
    with Raw(shared_stack) as raw:
        raw.message()
        raw.send(sent)
        got = raw.message()
        assert answer.items() <= got.items()
        assert "timestamp" in got or got == {"type": "pong"}
        raw.send("ping")  # the connection stays
        assert raw.message() == {"type": "pong"}


def test_messages_may_be_binary_or_in_pieces(shared_stack):
    with Raw(shared_stack) as raw:
        raw.message()
        raw.send('{"type":"ping"}', BINARY)
        assert raw.message() == {"type": "pong"}
        raw.send('{"type":', final=False)
        raw.send('"ping"}', opcode=0)
        assert raw.message() == {"type": "pong"}
        raw.send("abc", PING)
        assert raw.frame() == (PONG, b"abc")


def test_a_message_beyond_the_limit_closes_with_1009(shared_stack):
    with Raw(shared_stack) as raw:
        raw.message()
        raw.send('{"a":"%s"}' % ("x" * (1 << 20)))
        assert raw.end() == 1009


@pytest.mark.parametrize("path", ["/chat/" + "a" * 129, "/chat/a%20b", "/chat/a/b", "/chat/", "/chat/%C3%BC"])
def test_what_is_no_chat_id_is_refused_with_400(shared_stack, path):
    with Raw(shared_stack, path) as raw:
        assert raw.head.startswith(b"HTTP/1.1 400 ")


def test_beyond_max_connections_a_socket_is_told_and_closed_with_1013(make_stack):
    stack = make_stack(settings={"chat_workflows.max_connections": 3})
    with Raw(stack), Raw(stack, "/"), Raw(stack) as last, Raw(stack) as excess:
        last.message()
        assert excess.message()["message"] == "Maximum connections reached"
        assert excess.end() == 1013
        last.send("ping")
        assert last.message() == {"type": "pong"}


@pytest.mark.parametrize("leave", ["close", "reset", "close frame"])
def test_a_place_is_free_again_when_its_socket_is_gone(make_stack, leave):
    stack = make_stack(settings={"chat_workflows.max_connections": 1})
    raw = Raw(stack)
    raw.message()
    assert not is_taken_in(stack)
    if leave == "close":
        raw.socket.close()
    elif leave == "reset":
        raw.reset()
    else:
        raw.send(struct.pack(">H", 1000), CLOSE)
        assert raw.end() == 1000
    wait_until(lambda: is_taken_in(stack), 5, "a free place")
    raw.socket.close()


def test_the_server_pings_and_drops_who_does_not_answer(make_stack):
    stack = make_stack(settings={"chat_workflows.max_connections": 2, "chat_workflows.websocket.ping_interval": 2,
                                 "chat_workflows.websocket.ping_timeout": 2})
    with Raw(stack) as silent, Raw(stack) as answering:
        silent.message()
        answering.message()
        begin = time.monotonic()
        assert answering.frame()[0] == PING
        answering.send(b"", PONG)
        assert silent.frame()[0] == PING
        assert 1 <= time.monotonic() - begin < 10
        assert silent.end() is None
        assert time.monotonic() - begin < 15
        assert answering.frame()[0] == PING  # it is asked again and again
        answering.send(b"", PONG)
        wait_until(lambda: is_taken_in(stack), 5, "the silent one's place")


def test_a_slow_reader_is_closed_with_1013_resumes_and_delays_nobody(make_stack):
    stack = make_stack(settings={"chat_workflows.websocket.queue_bytes_max": 262144})
    quick = Reader(stack, "slow")
    events = 400
    with Raw(stack, "/chat/slow", receive_bytes=4096) as slow, zmq.Context() as context:
        slow.message()
        publisher = context.socket(zmq.XPUB)
        publisher.connect("tcp://127.0.0.1:%d" % stack.publish_port)
        publisher.recv()
        publisher.send_multipart([b"slow", b'{"type": "begin"}'])
        quick.wait_for("begin")  # from here on there is a history, and whoever follows it has a position in it
        for n in range(events):
            event = {"type": "note", "n": n, "text": "x" * 30000}
            publisher.send_multipart([b"slow", json.dumps(event).encode()])
        quick.wait_for("note", events, 90)  # while the other one reads nothing
        publisher.close(linger=0)
        held = 0
        try:
            while True:
                opcode, payload = slow.frame()
                if opcode == CLOSE:
                    assert struct.unpack(">H", payload[:2])[0] == 1013
                    break
                event = json.loads(payload)
                held = event["seq"]
                epoch = event["epoch"]
        except (EOFError, ConnectionError):
            pass  # it was so slow that the close frame did not fit either
    assert 0 < held <= events
    again = Reader(stack, "slow", since=held, epoch=epoch)
    again.wait_for("note", events + 1 - held, 90)
    assert again.greetings[0]["resume"] == "resumed"
    assert again.close() == [] and quick.close() == []


def test_handshakes_that_never_come_hold_up_nobody(shared_stack):
    silent = [socket.create_connection(("127.0.0.1", shared_stack.ws_port)) for _ in range(200)]
    try:
        assert is_taken_in(shared_stack)
    finally:
        for one in silent:
            one.close()
