"""Several chats on one socket, leaving them, and cancelling a run over the socket."""

import asyncio
import json

import pytest
import websockets

from stack import wait_until

SHARED_SETTINGS = {"broker.lease_ms": 1500, "wire.beat_ms": 100, "chat_workflows.max_connections": 50}
CSV = "n,word\n" + "".join("%d,%s\n" % (i, "x" * 60) for i in range(120000))
STEPS = [
    {"operation": "csv/search", "arguments": {"conditions": [{"column": "word", "operator": "contains", "value": "X"}]}},
    {"operation": "excel/map-columns", "arguments": {"mapping": {"Number": "n"}}},
]
CHATS_MAX = 64


class Socket:
    """A WebSocket in a loop of its own; what it was sent, in order."""

    def __init__(self, stack, path):
        self.loop = asyncio.new_event_loop()
        self.socket = self.loop.run_until_complete(self._connect(stack.ws_url + path))
        self.seen = []

    @staticmethod
    async def _connect(url):
        return await websockets.connect(url, open_timeout=10)

    def send(self, **message):
        self.loop.run_until_complete(self.socket.send(json.dumps(message)))

    def read(self, seconds=15):
        event = json.loads(self.loop.run_until_complete(asyncio.wait_for(self.socket.recv(), seconds)))
        self.seen.append(event)
        return event

    def until(self, event_type, seconds=30, **members):
        while True:
            event = self.read(seconds)
            if event["type"] == event_type and all(event.get(k) == v for k, v in members.items()):
                return event

    def close(self):
        self.loop.run_until_complete(self.socket.close())
        self.loop.close()


@pytest.fixture
def open_socket(shared_stack):
    sockets = []

    def make(path):
        sockets.append(Socket(shared_stack, path))
        return sockets[-1]

    yield make
    for socket in sockets:
        socket.close()


def prepare(stack, content="n,word\n1,xX\n"):
    chat = stack.create_chat()
    assert stack.upload(chat, "words.csv", content).status == 200
    return chat


def run(stack, chat):
    answer = stack.execute(chat, STEPS, {"Prefer": "respond-async"})
    assert answer.status == 202, answer
    return answer.data["job_id"]


def test_added_chats_are_followed_side_by_side(shared_stack, open_socket):
    one, two = prepare(shared_stack), prepare(shared_stack)
    socket = open_socket("/chat/" + one)
    assert socket.read()["chat_id"] == one
    socket.send(type="subscribe", chat_id=two, add=True)
    assert socket.read()["chat_id"] == two
    for chat in (one, two):
        run(shared_stack, chat)
        socket.until("workflow_completed", chat_id=chat)
    socket.send(type="subscribe", chat_id=two)  # without add: leaves both, follows this one anew
    assert socket.until("connected")["chat_id"] == two
    before = len(socket.seen)
    run(shared_stack, one)
    run(shared_stack, two)
    socket.until("workflow_completed")
    assert {event["chat_id"] for event in socket.seen[before:]} == {two}


def test_added_chats_resume(shared_stack, open_socket):
    one, two = prepare(shared_stack), prepare(shared_stack)
    run(shared_stack, two)
    watcher = open_socket("/chat/" + two)
    connected = watcher.read()
    wait_until(lambda: shared_stack.get("/chat/workflows/" + two).data["status"] == "completed", 30)
    socket = open_socket("/chat/" + one)
    socket.read()
    socket.send(type="subscribe", chat_id=two, add=True, since=0, epoch=connected["epoch"])
    answer = socket.read()
    assert answer["chat_id"] == two and answer["resume"] == "resumed" and answer["seq"] == 0
    assert [socket.read()["seq"] for _ in range(4)] == [1, 2, 3, 4]


def test_nothing_of_a_chat_follows_its_unsubscribed(shared_stack, open_socket):
    one, two = prepare(shared_stack, CSV), prepare(shared_stack)
    socket = open_socket("/chat/" + one)
    socket.read()
    socket.send(type="subscribe", chat_id=two, add=True)
    socket.until("connected", chat_id=two)
    run(shared_stack, one)
    socket.until("workflow_started", chat_id=one)
    socket.send(type="unsubscribe", chat_id=one)
    socket.until("unsubscribed", chat_id=one)
    before = len(socket.seen)
    run(shared_stack, two)
    socket.until("workflow_completed")
    wait_until(lambda: shared_stack.get("/chat/workflows/" + one).data["status"] == "completed", 60)
    socket.send(type="ping")
    socket.until("pong")
    assert {event.get("chat_id") for event in socket.seen[before:]} <= {two, None}
    socket.send(type="unsubscribe", chat_id=two)
    socket.until("unsubscribed", chat_id=two)
    socket.send(type="subscribe", chat_id=two, add=True)
    assert socket.until("connected", chat_id=two)["resume"] == "snapshot"
    socket.send(type="unsubscribe", chat_id="never-followed")
    assert socket.read() == {**socket.seen[-1], "type": "unsubscribed", "chat_id": "never-followed"}


def test_the_number_of_chats_is_bounded(shared_stack, open_socket):
    socket = open_socket("/chat/bound-0")
    socket.read()
    for i in range(1, CHATS_MAX):
        socket.send(type="subscribe", chat_id="bound-%d" % i, add=True)
        assert socket.read()["type"] == "connected"
    socket.send(type="subscribe", chat_id="bound-1", add=True)  # one it has: anew
    assert socket.read()["type"] == "connected"
    socket.send(type="subscribe", chat_id="one-too-many", add=True)
    error = socket.read()
    assert error["type"] == "error" and str(CHATS_MAX) in error["message"] and "seq" not in error
    socket.send(type="unsubscribe", chat_id="bound-7")
    assert socket.read()["type"] == "unsubscribed"
    socket.send(type="subscribe", chat_id="one-too-many", add=True)
    assert socket.read()["type"] == "connected"


def test_cancel_is_answered_by_the_event(shared_stack, open_socket):
    chat = prepare(shared_stack, CSV)
    socket = open_socket("/chat/" + chat)
    socket.read()
    job = run(shared_stack, chat)
    socket.until("workflow_started")
    socket.send(type="cancel", job_id=job)
    event = socket.until("workflow_cancelled")
    assert event["job_id"] == job and event["seq"] and event["message"]
    socket.send(type="cancel", job_id=job)
    error = socket.until("error")
    assert "cancelled" in error["message"] and "seq" not in error
    for wrong in ("nonsense", chat + "_workflow_1_00000000", "other_workflow_1_00000000", 7):
        socket.send(type="cancel", job_id=wrong)
        assert "job" in socket.until("error")["message"].lower()
