"""A WebSocket client as the protocol asks for: it keeps the last seq and epoch it applied and resumes with them.

It runs in a thread of its own, connects again whenever the socket goes away, and writes down every broken promise: a hole,
a repeated or reordered record event, a progress that goes back within one attempt of a step, an event after a run's last
word."""

import asyncio
import json
import threading
from urllib.parse import urlencode

import websockets

from stack import wait_until

TERMINAL = ("workflow_completed", "workflow_failed", "workflow_cancelled")


class Reader:
    """`stack` is anything with a `ws_url`; with `since` and `epoch` it resumes from the start."""

    def __init__(self, stack, chat, since=None, epoch=None):
        self.base, self.chat = "%s/chat/%s" % (stack.ws_url, chat), chat
        self.records, self.states, self.greetings, self.problems = [], [], [], []
        self.seq, self.epoch = since, epoch
        self.progress, self.ended = {}, set()
        self.connections = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.thread.start()
        wait_until(lambda: self.greetings, 15, "the first `connected` of " + chat)

    # --- for tests

    def types(self):
        return [event["type"] for event in self.records]

    def wait_for(self, event_type, count=1, seconds=30):
        wait_until(lambda: self.types().count(event_type) >= count, seconds, "%d %s in %s" % (count, event_type, self.chat))

    def close(self):
        """Stops reading; returns the broken promises, which should be none."""
        self.stopping.set()
        self.thread.join(15)
        assert not self.thread.is_alive(), "the reader did not stop"
        return self.problems

    # --- the thread

    def _url(self):
        if self.seq is None or not self.epoch:
            return self.base
        return self.base + "?" + urlencode({"since": self.seq, "epoch": self.epoch})

    async def _run(self):
        while not self.stopping.is_set():
            try:
                async with websockets.connect(self._url(), open_timeout=5, close_timeout=1) as socket:
                    self.connections += 1
                    await self._read(socket)
            except (OSError, asyncio.TimeoutError, websockets.exceptions.WebSocketException):
                await asyncio.sleep(0.05)

    async def _read(self, socket):
        while not self.stopping.is_set():
            try:
                self._apply(json.loads(await asyncio.wait_for(socket.recv(), 0.2)))
            except asyncio.TimeoutError:
                continue

    def _apply(self, event):
        if event["type"] == "connected":
            self._greet(event)
        elif "seq" in event:
            self._record(event)
        elif event["type"] == "progress":
            self._state(event)

    def _greet(self, event):
        if event["resume"] == "resumed" and event["seq"] != self.seq:
            self.problems.append("resumed at %r, not at our %r" % (event["seq"], self.seq))
        self.seq, self.epoch = event["seq"], event["epoch"]
        self.greetings.append(event)

    def _record(self, event):
        if event["seq"] != self.seq + 1 or event["epoch"] != self.epoch:
            self.problems.append("after seq %r came %r" % (self.seq, event))
        if event.get("job_id") in self.ended:
            self.problems.append("after the last word of its run came %r" % event)
        self.seq = event["seq"]
        if event["type"] in TERMINAL:
            self.ended.add(event["job_id"])
        self.records.append(event)

    def _state(self, event):
        key = (event.get("job_id"), event.get("attempt"), event["step_id"])
        if event["progress"] < self.progress.get(key, 0) and event["status"] != "failed":
            self.problems.append("progress went back: %r" % event)
        if event.get("job_id") in self.ended:
            self.problems.append("progress after the last word of its run: %r" % event)
        self.progress[key] = event["progress"]
        self.states.append(event)
