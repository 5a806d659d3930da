"""The clients of the chaos run: each does its work over and over and writes down what it was promised.

A promise is an answer: 201 of a create, 200 of an upload, 200, 202 or 422 of an execute, {ok, seq} of a publish. 503 is a
promise too: not accepted, and never will be. No answer, or 504, promises nothing."""

import collections
import hashlib
import http.client
import json
import random
import threading
import time
import uuid

import zmq

TIMEOUT = 25  # of one request; a paused process stays away for 5 s at most
ACK_SECONDS = 6
FAILED = "Workflow execution failed"


class Ledger:
    """What was promised. Every method may be called from any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.count = collections.Counter()
        self.chats = set()
        self.uploads = {}  # (chat, name) -> hash
        self.refused_uploads = set()
        self.executes = {}  # mark -> (chat, "accepted" | "refused" | "unknown", job id or None)
        self.cancelled = set()  # jobs
        self.events = {}  # (chat, event_id) -> seq
        self.surprises = []

    def put(self, kind, table, key, value):
        with self.lock:
            self.count[kind] += 1
            table[key] = value

    def add(self, kind, table, value):
        with self.lock:
            self.count[kind] += 1
            table.add(value)

    def surprise(self, text):
        with self.lock:
            self.surprises.append(text)

    def unanswered(self, kind):
        with self.lock:
            self.count["unanswered " + kind] += 1


def table(rows, salt=""):
    return "n,word\n" + "".join("%d,%s%s\n" % (i, "x" * 40, salt) for i in range(rows))


def words(seed):
    """A table of a seed; one in four is large enough for a step to be caught in the middle of it."""
    draw = random.Random(seed)
    return table(60000 if draw.random() < 0.25 else draw.randrange(50, 3000), draw.randrange(10**6))


def steps_of(mark):
    """Three steps whose arguments carry the mark, so that the record tells which request a job came from."""
    condition = {"column": "word", "operator": "contains", "value": "X"}
    return [
        {"operation": "csv/search", "arguments": {"conditions": [condition]}},
        {"operation": "excel/map-columns", "arguments": {"mapping": {mark: "n"}}},
        {"operation": "json/generate", "arguments": {"column_mapping": {mark: "n"}}},
    ]


class Load:
    def __init__(self, stack, ports, chats, poisoned, ledger, seed):
        self.stack, self.ports, self.chats, self.ledger = stack, ports, chats, ledger
        self.poisoned = poisoned
        self.seed = seed
        self.stopping = threading.Event()
        self.threads = []

    def start(self, executors=6, uploaders=2, creators=1, publishers=3):
        bodies = {self._execute: executors, self._upload: uploaders, self._create: creators, self._publish: publishers}
        bodies[self._poison] = len(self.poisoned)
        for body, count in bodies.items():
            for i in range(count):
                draw = random.Random("%s %s %d" % (self.seed, body.__name__, i))
                thread = threading.Thread(target=self._repeat, args=(body, draw), daemon=True)
                self.threads.append(thread)
                thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(3 * TIMEOUT)
        return [t for t in self.threads if t.is_alive()]

    def _repeat(self, body, draw):
        context = zmq.Context()
        while not self.stopping.is_set():
            try:
                body(draw, context)
            except (OSError, http.client.HTTPException):
                self.ledger.unanswered(body.__name__[1:])
                time.sleep(0.1)
            except Exception as error:  # a thread that dies in silence would make the run look better than it is
                self.ledger.surprise("%s: %r" % (body.__name__, error))
        context.destroy(linger=0)

    def _said_no(self, answer, what):
        """True for the two ways of saying no that a client must expect."""
        if answer.status == 503:
            if int(answer.headers.get("Retry-After", 0)) <= 0:
                self.ledger.surprise("503 without Retry-After: %s" % what)
            time.sleep(0.05)
            return True
        if answer.status == 504:
            self.ledger.unanswered(what)
            return True
        self.ledger.surprise("%s was answered %r" % (what, answer))
        return False

    # --- one piece of work each

    def _create(self, draw, _context):
        answer = self.stack.request("POST", "/chat/workflows", port=draw.choice(self.ports), timeout=TIMEOUT)
        if answer.status == 201:
            self.ledger.add("create", self.ledger.chats, answer.data["chat_id"])
        else:
            self._said_no(answer, "create")
        time.sleep(0.1)

    def _upload(self, draw, _context):
        chat, name = draw.choice(self.chats), "t%s.csv" % uuid.uuid4().hex
        content = words(name)
        answer = self.stack.upload(chat, name, content, port=draw.choice(self.ports), timeout=TIMEOUT)
        if answer.status == 200:
            digest = hashlib.sha256(content.encode()).hexdigest()
            self.ledger.put("upload", self.ledger.uploads, (chat, answer.data["filename"]), digest)
        elif answer.status == 503:
            self._said_no(answer, "upload")
            self.ledger.add("refused upload", self.ledger.refused_uploads, (chat, name))
        else:
            self._said_no(answer, "upload")
        time.sleep(0.2)

    def _execute(self, draw, _context):
        self._execute_in(draw.choice(self.chats), draw, draw.random() < 0.5)

    def _poison(self, draw, _context):
        """A run whose steps are killed again and again."""
        self._execute_in(draw.choice(self.poisoned), draw, True)

    def _execute_in(self, chat, draw, is_async):
        """One run; without an answer it is asked for again under the same key, and must be the same run."""
        mark = "m" + uuid.uuid4().hex
        headers = {"Idempotency-Key": mark}
        if is_async:
            headers["Prefer"] = "respond-async"
        self.ledger.executes[mark] = (chat, "unknown", None)
        for attempt in range(4):
            try:
                port = draw.choice(self.ports)
                answer = self.stack.execute(chat, steps_of(mark), headers, port=port, timeout=4 * TIMEOUT)
            except (OSError, http.client.HTTPException):
                answer = None
            if answer is not None and answer.status != 504:
                self._take_execute(answer, chat, mark, draw, first=attempt == 0)
                return
            self.ledger.unanswered("execute")
            time.sleep(0.1)

    def _take_execute(self, answer, chat, mark, draw, first):
        if answer.status == 202:
            job = answer.data["job_id"]
            self.ledger.put("execute", self.ledger.executes, mark, (chat, "accepted", job))
            if draw.random() < 0.1:
                self._cancel(chat, job, draw)
            self._follow(chat, job, draw)
        elif answer.status == 200 or FAILED in answer.message:
            self.ledger.put("execute", self.ledger.executes, mark, (chat, "accepted", None))
        elif answer.status == 503:
            self._said_no(answer, "execute")
            if first:  # an earlier try may have been accepted without an answer
                self.ledger.put("refused execute", self.ledger.executes, mark, (chat, "refused", None))
        else:
            self._said_no(answer, "execute")

    def _cancel(self, chat, job, draw):
        """200: cancelled for good. 409: another end came first."""
        path = "/chat/workflows/%s/jobs/%s/cancel" % (chat, job)
        answer = self.stack.request("POST", path, port=draw.choice(self.ports), timeout=TIMEOUT)
        if answer.status == 200:
            self.ledger.add("cancel", self.ledger.cancelled, job)
        elif answer.status != 409:
            self._said_no(answer, "cancel")

    def _follow(self, chat, job, draw):
        """Asks for the job until it has ended; an accepted job is never unknown."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not self.stopping.is_set():
            path = "/chat/workflows/%s/jobs/%s" % (chat, job)
            try:
                answer = self.stack.get(path, port=draw.choice(self.ports), timeout=TIMEOUT)
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
                continue
            if answer.status == 200 and answer.data["status"] in ("completed", "failed", "cancelled"):
                return
            if answer.status != 200:
                self._said_no(answer, "job " + job)
            time.sleep(0.2)

    def _publish(self, draw, context):
        """One event, sent again under the same id until it is acknowledged."""
        chat, event_id = draw.choice(self.chats), uuid.uuid4().hex
        pad = "y" * (20000 if draw.random() < 0.02 else draw.randrange(300))
        event = json.dumps({"type": "note", "event_id": event_id, "pad": pad}).encode()
        while not self.stopping.is_set():
            seq = self._publish_once(context, chat, event)
            if seq is not None:
                self.ledger.put("publish", self.ledger.events, (chat, event_id), seq)
                break
            self.ledger.unanswered("publish")
        time.sleep(0.03)

    def _publish_once(self, context, chat, event):
        """On a socket of its own, so that a late acknowledgement is not taken for that of another event."""
        with context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.connect("tcp://127.0.0.1:%d" % self.stack.publish_ack_port)
            socket.send_multipart([chat.encode(), event])
            if not socket.poll(ACK_SECONDS * 1000):
                return None
            answer = json.loads(socket.recv_multipart()[-1])
        if "ok" not in answer and "Not accepted" not in answer.get("error", ""):
            self.ledger.surprise("publish was answered %r" % answer)
        return answer.get("seq")
