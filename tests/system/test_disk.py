"""A disk that is full or broken: new work is refused, nothing acknowledged is lost, and it heals by itself."""

import json
import os

import pytest
import zmq

from stack import BUILD, Program, wait_until

pytestmark = pytest.mark.slow  # a sanitizer does not like another library before it

LIBRARY = os.path.join(BUILD, "system", "failing_disk.so")
CSV = "n,word\n" + "".join("%d,%s\n" % (i, "x" * 60) for i in range(2000))
STEPS = [
    {"operation": "csv/search", "arguments": {"conditions": [{"column": "word", "operator": "contains", "value": "X"}]}},
    {"operation": "json/generate", "arguments": {"column_mapping": {"n": "n"}}},
]


class Disk:
    """Tells a program what its disk does from now on."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "disk")
        self.heal()

    def environment(self):
        return {"LD_PRELOAD": LIBRARY, "FAILING_DISK": self.path}

    def be(self, word):
        with open(self.path + ".new", "w") as control:
            control.write(word)
        os.rename(self.path + ".new", self.path)

    def heal(self):
        self.be("well")


def publish(stack, chat, event_id):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect("tcp://127.0.0.1:%d" % stack.publish_ack_port)
        event = {"type": "note", "event_id": event_id, "pad": "p" * 20000}
        socket.send_multipart([chat.encode(), json.dumps(event).encode()])
        assert socket.poll(10000), "no answer to a publish"
        return json.loads(socket.recv_multipart()[-1])


def test_a_full_record_disk_refuses_new_work_and_heals(make_stack):
    stack = make_stack(start=False)
    disk = Disk(stack.folder)
    stack.broker.environment.update(disk.environment())
    stack.start()
    broker = stack.broker.pid
    chats = [stack.create_chat()]
    assert stack.upload(chats[0], "words.csv", CSV).status == 200
    assert publish(stack, chats[0], "before")["ok"] is True
    head = stack.get("/chat/workflows/%s/events?since=0" % chats[0]).data["head"]

    disk.be("full")
    events = {}

    def refused():  # what the log of the record still has room for is accepted, and must then be there
        number = "e%d" % len(events)
        events[number] = publish(stack, chats[0], number)
        return "error" in events[number]

    wait_until(refused, 20, "a refused publish")
    answer = stack.execute(chats[0], STEPS)
    assert answer.status == 507, answer
    answer = stack.request("POST", "/chat/workflows")
    assert answer.status == 507, answer
    assert stack.get("/chat/workflows/" + chats[0]).status == 200

    disk.heal()
    stack.wait_ready()  # workers and gateways have to introduce themselves again to a memory that was thrown away
    chats.append(stack.create_chat())
    answer = stack.execute(chats[0], STEPS)
    assert answer.status == 200, answer
    seqs = [publish(stack, chats[0], event_id)["seq"] for event_id in events]
    kept = [seq for seq, answer in zip(seqs, events.values()) if "seq" in answer]
    assert kept == [answer["seq"] for answer in events.values() if "seq" in answer]
    assert kept == list(range(head + 1, head + 1 + len(kept)))
    assert all(stack.get("/chat/workflows/" + chat).status == 200 for chat in chats)
    assert stack.broker.pid == broker and stack.broker.running


def test_a_full_file_disk_refuses_uploads_and_heals(make_stack):
    stack = make_stack(start=False)
    disk = Disk(stack.folder)
    stack.gateway.environment.update(disk.environment())
    stack.start()
    chat = stack.create_chat()
    disk.be("full")
    answer = stack.upload(chat, "words.csv", CSV)
    assert answer.status == 507, answer
    assert stack.get("/chat/workflows/%s/files/words.csv" % chat).status == 404
    disk.heal()
    assert stack.upload(chat, "words.csv", CSV).status == 200
    assert stack.get("/chat/workflows/%s/files/words.csv" % chat).body == CSV.encode()


@pytest.mark.parametrize("failing", ["sync", "write"])
def test_a_failed_sync_or_write_ends_the_broker_and_serve_starts_it_again(make_stack, failing):
    stack = make_stack(start=False)
    disk = Disk(stack.folder)
    log_path = os.path.join(stack.folder, "sheetwire.log")
    environment = {**stack.environment({"logging.file": log_path}), **disk.environment()}
    stack.programs = {"serve": Program("serve", [os.path.join(BUILD, "sheetwire"), "serve"], stack.folder, environment)}
    stack.start()
    # Until its banner serve takes a program that dies again and again for one that cannot start.
    wait_until(lambda: "╚" in stack.programs["serve"].log(), 15, "the banner of serve")

    def log():
        with open(log_path, errors="replace") as text:
            return text.read()

    chat = stack.create_chat()
    assert stack.upload(chat, "words.csv", CSV).status == 200
    disk.be(failing)
    answer = stack.request("POST", "/chat/workflows")
    assert answer.status in (503, 504), answer
    wait_until(lambda: 'broker stopped error="record: ' in log(), 10, "the broker's last word")
    wait_until(lambda: "program ended, it is started again program=broker" in log(), 10, "serve's word about it")
    disk.heal()
    stack.wait_ready()
    assert stack.get("/chat/workflows/" + chat).status == 200
    assert stack.get("/chat/workflows/%s/files/words.csv" % chat).body == CSV.encode()
    assert publish(stack, chat, "after")["ok"] is True
