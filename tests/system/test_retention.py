"""Events older than what is kept: gone, and never in silence."""

import contextlib
import json
import sqlite3

from stack import wait_until
from test_archive import CSV, STEPS, Client, events


def busy_chat(stack, runs):
    chat = stack.create_chat()
    stack.upload(chat, "a.csv", CSV)
    for _ in range(runs):
        assert stack.execute(chat, STEPS).status == 200
    return chat


def restart(stack):
    stack.end(stack.broker)
    stack.restart(stack.broker)
    stack.wait_ready()


def connected(stack, chat, query):
    client = Client("%s/chat/%s%s" % (stack.ws_url, chat, query))
    try:
        return client.first(lambda m: m["type"] == "connected", "connected")
    finally:
        client.close()


def test_the_oldest_events_go_and_resume_says_so(make_stack):
    stack = make_stack(settings={"broker.retention_events_max": 4, "broker.chat_events_kept": 1})
    chat = busy_chat(stack, 5)
    other = busy_chat(stack, 1)
    head = events(stack, chat)["head"]
    assert head > 10
    told = wait_until(lambda: (lambda e: e if e["oldest"] == head - 3 else None)(events(stack, chat)), 30, "the trim")
    assert [e["seq"] for e in told["events"]] == list(range(head - 3, head + 1))
    assert told["head"] == head
    assert connected(stack, chat, "?since=2&epoch=" + told["epoch"])["resume"] == "gap"
    fresh = connected(stack, chat, "?since=%d&epoch=%s" % (head - 4, told["epoch"]))
    assert (fresh["resume"], fresh["seq"], fresh["head"]) == ("resumed", head - 4, head)
    small = events(stack, other)
    assert small["oldest"] == 1 or small["head"] > 4
    assert stack.execute(chat, STEPS).status == 200
    assert events(stack, chat)["head"] > head
    restart(stack)
    assert connected(stack, chat, "?since=2&epoch=" + told["epoch"])["resume"] == "gap"


def test_events_go_by_age(make_stack):
    stack = make_stack(settings={"broker.retention_days": 30})
    chat = busy_chat(stack, 2)
    before = events(stack, chat)
    assert before["oldest"] == 1
    stack.end(stack.broker)
    with contextlib.closing(sqlite3.connect(stack.settings["chat_workflows.storage.sqlite_path"])) as db:
        db.execute("UPDATE events SET created_us = created_us - 31 * 86400000000 WHERE seq <= 3")
        db.commit()
    stack.restart(stack.broker)
    stack.wait_ready()
    wait_until(lambda: events(stack, chat)["oldest"] == 4, 30, "the trim")
    after = events(stack, chat)
    assert (after["head"], after["epoch"]) == (before["head"], before["epoch"])
    assert after["events"] == before["events"][3:]


def test_a_chat_that_waits_for_a_worker_keeps_everything(make_stack):
    stack = make_stack(settings={"broker.retention_events_max": 1})
    chat = busy_chat(stack, 1)
    idle = busy_chat(stack, 1)
    head = events(stack, idle)["head"]
    stack.end(stack.workers[0])
    assert stack.execute(chat, STEPS, {"Prefer": "respond-async"}).status == 202
    kept = events(stack, chat)["oldest"]
    wait_until(lambda: events(stack, idle)["oldest"] == head, 30, "the idle chat's trim")
    assert events(stack, chat)["oldest"] == kept
    assert json.dumps(events(stack, idle, "?since=%d" % head)["events"]) == "[]"
