"""Any one process may be killed and come back, idle or busy: the others stay, nothing accepted is lost, readers resume."""

import json
import os
import signal
import threading

import pytest
import zmq

from reader import Reader
from stack import wait_until

SETTINGS = {"broker.lease_ms": 1500, "wire.beat_ms": 100, "http.idle_timeout_seconds": 10}
CSV = "n,word\n" + "".join("%d,%s\n" % (i, "x" * 60) for i in range(60000))
STEPS = [
    {"operation": "csv/search", "arguments": {"conditions": [{"column": "word", "operator": "contains", "value": "X"}]}},
    {"operation": "excel/map-columns", "arguments": {"mapping": {"Number": "n"}}},
    {"operation": "json/generate", "arguments": {"column_mapping": {"Number": "n"}}},
]
RECORD = ["workflow_started", "step_result", "step_result", "step_result", "workflow_completed"]


def prepare(stack):
    chat = stack.create_chat()
    assert stack.upload(chat, "words.csv", CSV).status == 200
    return chat


def run(stack, chat):
    answer = stack.execute(chat, STEPS, {"Prefer": "respond-async"})
    assert answer.status == 202, answer
    return answer.data["job_id"]


def finished(stack, chat, job):
    answer = stack.get("/chat/workflows/%s/jobs/%s" % (chat, job))
    return answer.status == 200 and answer.data["status"] in ("completed", "failed")


def pids(stack, but):
    return {p.name: p.pid for p in stack.programs.values() if p is not but}


@pytest.mark.parametrize("which", ["broker", "gateway", "worker"])
def test_killed_while_idle(make_stack, which):
    stack = make_stack(settings=SETTINGS)
    victim = {"broker": stack.broker, "gateway": stack.gateway, "worker": stack.workers[0]}[which]
    others = pids(stack, victim)
    chat = prepare(stack)
    reader = Reader(stack, chat)
    stack.kill(victim)
    stack.restart(victim)
    stack.wait_ready()
    wait_until(lambda: stack.execute(chat, STEPS).status == 200, 30, "a run after the restart")
    reader.wait_for("workflow_completed")
    assert reader.types()[-5:] == RECORD
    assert pids(stack, victim) == others
    assert reader.close() == []


@pytest.mark.parametrize("which", ["broker", "gateway", "worker"])
@pytest.mark.parametrize("moment", ["workflow_started", "step_result"])
def test_killed_while_busy(make_stack, which, moment):
    stack = make_stack(settings=SETTINGS)
    victim = {"broker": stack.broker, "gateway": stack.gateway, "worker": stack.workers[0]}[which]
    others = pids(stack, victim)
    chat = prepare(stack)
    reader = Reader(stack, chat)
    job = run(stack, chat)
    reader.wait_for(moment)
    stack.kill(victim)
    stack.restart(victim)
    stack.wait_ready()
    reader.wait_for("workflow_completed", seconds=60)
    assert reader.types() == RECORD
    assert finished(stack, chat, job)
    assert pids(stack, victim) == others
    assert reader.close() == []


def test_a_waiting_execute_outlives_a_broker_restart(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack)
    reader = Reader(stack, chat)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(stack.execute(chat, STEPS, timeout=60)))
    waiting.start()
    reader.wait_for("workflow_started")
    stack.kill(stack.broker)
    stack.restart(stack.broker)
    waiting.join(60)
    assert answers and answers[0].status == 200, answers
    assert len(answers[0].data["results"]) == 3
    assert reader.close() == []


def test_another_worker_takes_over_after_the_last_finished_step(make_stack):
    stack = make_stack(workers=2, settings=SETTINGS)
    chat = prepare(stack)
    reader = Reader(stack, chat)
    run(stack, chat)
    reader.wait_for("step_result")
    busy = [w for w in stack.workers if reader.records[0]["job_id"] in w.log()]
    assert len(busy) == 1, "the log of one worker names the job"
    stack.kill(busy[0])
    reader.wait_for("workflow_completed", seconds=60)
    assert reader.types() == RECORD
    assert reader.close() == []


def test_broker_away_answers_503_and_loses_nobody(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack)
    reader = Reader(stack, chat)
    stack.kill(stack.broker)
    # A request that was handed to the dying connection may end as 504: nobody knows what became of it.
    wait_until(lambda: stack.get("/health/ready").status == 503, 15, "the gateway to miss the broker")
    answer = stack.request("POST", "/chat/workflows")
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, answer
    assert stack.get("/health").status == 200
    assert stack.get("/health/ready").status == 503
    assert reader.connections == 1
    stack.restart(stack.broker)
    stack.wait_ready()
    assert stack.execute(chat, STEPS).status == 200
    reader.wait_for("workflow_completed")
    assert reader.connections == 1 and reader.types() == RECORD
    assert reader.close() == []


def test_who_was_told_of_no_record_gets_all_of_it_after_a_silent_broker(make_stack):
    stack = make_stack(settings=SETTINGS)
    reader = Reader(stack, "no-record-yet")
    assert (reader.greetings[0]["epoch"], reader.greetings[0]["seq"]) == (None, 0)
    context = zmq.Context()
    try:
        socket = context.socket(zmq.XPUB)
        socket.connect("tcp://127.0.0.1:%d" % stack.publish_port)
        assert socket.poll(10000), "the broker did not subscribe"
        socket.recv()
        os.kill(stack.broker.pid, signal.SIGSTOP)
        try:
            for i in range(400):
                socket.send_multipart([b"no-record-yet", json.dumps({"type": "note", "i": i}).encode()])
            wait_until(lambda: "link to the broker lost" in stack.gateway.log(), 15, "the gateway to miss the broker")
        finally:
            os.kill(stack.broker.pid, signal.SIGCONT)
        reader.wait_for("note", 400)
    finally:
        context.destroy(linger=0)
    assert [event["i"] for event in reader.records] == list(range(400))
    assert reader.connections == 1
    assert [(hello["resume"], hello["seq"]) for hello in reader.greetings] == [("snapshot", 0)] * 2
    assert reader.close() == []


def test_any_order_of_start(make_stack):
    stack = make_stack(settings=SETTINGS, start=False)
    stack.workers[0].start()
    stack.gateway.start()
    wait_until(lambda: "listening" in stack.gateway.log(), 15, "the gateway without a broker")
    stack.broker.start()
    stack.wait_ready()
    chat = prepare(stack)
    assert stack.execute(chat, STEPS).status == 200
