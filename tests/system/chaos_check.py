"""What must be true after the chaos run: the record against everything that was promised, and against what readers saw."""

import collections
import hashlib
import json
import os
import re
import sqlite3

from reader import TERMINAL, Reader
from stack import wait_until


class Record:
    """The broker's SQLite file, read only, while the broker runs."""

    def __init__(self, path):
        self.connection = sqlite3.connect("file:%s?mode=ro" % path, uri=True)

    def rows(self, sql, *values):
        return self.connection.execute(sql, values).fetchall()

    def open_jobs(self):
        return self.rows("SELECT COUNT(*) FROM jobs WHERE final = 0")[0][0]

    def head(self, chat):
        return self.rows("SELECT head FROM conversations WHERE chat_id = ?", chat)[0][0]

    def events(self, chat):
        """seq -> body"""
        rows = self.rows("SELECT seq, body FROM events WHERE chat_id = ? ORDER BY seq", chat)
        return {seq: json.loads(body) for seq, body in rows}


class Verdict:
    """lost, duplicated, stuck, wrong: lists of sentences, which should be empty."""

    def __init__(self):
        self.lists = {"lost": [], "duplicated": [], "stuck": [], "wrong": []}

    def say(self, kind, text):
        self.lists[kind].append(text)

    def sentences(self):
        return ["%s: %s" % (kind, text) for kind, texts in self.lists.items() for text in texts]


def check_integrity(record, verdict):
    for (answer,) in record.rows("PRAGMA integrity_check"):
        if answer != "ok":
            verdict.say("wrong", "integrity_check: " + answer)
    for chat, head, count, low, high in record.rows(
        "SELECT chat_id, head, COUNT(seq), MIN(seq), MAX(seq) FROM conversations JOIN events USING(chat_id) GROUP BY chat_id"
    ):
        if (low, high, count) != (1, head, head):
            verdict.say("wrong", "chat %s: head %d, %d events from %d to %d" % (chat, head, count, low, high))


def check_jobs(record, verdict):
    """Every job has a final status and one terminal event, the last of its events, which says the same."""
    ends, last = collections.defaultdict(list), {}
    for job, seq, kind in record.rows("SELECT job_id, seq, type FROM events WHERE job_id <> '' ORDER BY chat_id, seq"):
        last[job] = seq
        if kind in TERMINAL:
            ends[job].append((seq, kind))
    for job, status, final in record.rows("SELECT job_id, status, final FROM jobs"):
        if not final:
            verdict.say("stuck", "job %s is %s" % (job, status))
        elif not ends[job]:
            verdict.say("lost", "the terminal event of job %s, which is %s" % (job, status))
        elif len(ends[job]) > 1:
            verdict.say("duplicated", "terminal events of job %s: %r" % (job, ends[job]))
        elif ends[job][0][0] != last[job] or ends[job][0][1] != "workflow_" + status:
            verdict.say("wrong", "job %s is %s, its end is %r, its last event %d" % (job, status, ends[job], last[job]))


def check_executes(record, ledger, verdict):
    """Accepted: one job. Refused: none, ever. No answer: at most one."""
    jobs = collections.defaultdict(set)
    for job, arguments in record.rows(
        "SELECT job_id, arguments FROM workflow_steps JOIN jobs USING(chat_id, job_id)"
        " WHERE step_index = 1 AND retry_of = ''"
    ):
        for mark in re.findall(r'"(m[0-9a-f]{32})"', arguments):
            jobs[mark].add(job)
    for mark, (chat, state, job) in ledger.executes.items():
        found = jobs.pop(mark, set())
        if len(found) > 1:
            verdict.say("duplicated", "one execute in %s (%s) made %r" % (chat, state, sorted(found)))
        elif state == "accepted" and not found:
            verdict.say("lost", "an accepted execute in %s, job %s" % (chat, job))
        elif state == "accepted" and job and job not in found:
            verdict.say("wrong", "job %s was accepted, %r is there" % (job, sorted(found)))
        elif state == "refused" and found:
            verdict.say("wrong", "an execute answered 503 was accepted all the same: %r" % sorted(found))
    for mark, found in jobs.items():
        verdict.say("wrong", "nobody asked for %r" % sorted(found))


def check_cancels(record, ledger, verdict):
    status = dict(record.rows("SELECT job_id, status FROM jobs"))
    for job in ledger.cancelled:
        if status.get(job) != "cancelled":
            verdict.say("lost", "the acknowledged cancel of job %s, which is %s" % (job, status.get(job)))


# Why an attempt may be lost here. Nothing else is wrong with these runs, so each that failed has lost all its attempts.
LOST_BY_FAULTS = (
    "The worker was lost",
    "The step's process was killed from outside (is the machine out of memory?)",
    "the worker's helper process is gone",
    "cannot ask for a process",
    "Cannot start a process for the step",
    "The worker has no room",
)


def failure_reasons(record):
    """Why runs failed, with how many of them."""
    reasons = collections.Counter()
    for job, error in record.rows("SELECT job_id, error FROM jobs WHERE status = 'failed'"):
        reasons[re.sub(r"\d+", "N", error)] += 1
    return reasons


def expected_failure(error, attempts, attempts_max):
    cause = re.fullmatch(r"(?:Workflow failed at step \d+/\d+: )?(.*) \(attempt (\d+) of (\d+)\)", error)
    return cause and cause[1].startswith(LOST_BY_FAULTS) and int(cause[2]) == int(cause[3]) == attempts == attempts_max


def check_failures(record, attempts_max, verdict):
    """Every failed run is a dead letter: it has used up its attempts, and its error and its last event say why."""
    rows = record.rows(
        "SELECT chat_id, job_id, error, attempts - set_back, (SELECT body FROM events e WHERE e.chat_id = j.chat_id"
        " AND e.job_id = j.job_id AND e.type = 'workflow_failed') FROM jobs j WHERE status = 'failed'"
    )
    for chat, job, error, attempts, body in rows:
        if not expected_failure(error, attempts, attempts_max):
            verdict.say("wrong", "job %s of chat %s failed after %d attempts: %s" % (job, chat, attempts, error))
        if body and error not in body and error not in json.loads(body).values():
            verdict.say("wrong", "job %s failed with %r, its last event is %s" % (job, error, body))


def check_dead_letters(stack, record, chats, wanted, verdict):
    """There are dead letters, readers of the API are told their cause, and one that is retried ends well."""
    dead = record.rows("SELECT chat_id, job_id, error FROM jobs WHERE status = 'failed'")
    poisoned = [(chat, job, error) for chat, job, error in dead if chat in chats]
    if len(poisoned) < wanted:
        verdict.say("wrong", "only %d dead letters, %d were wanted" % (len(poisoned), wanted))
    for chat, job, error in poisoned[-1:]:
        path = "/chat/workflows/%s/jobs/%s" % (chat, job)
        told = stack.get(path).data
        if (told["status"], told["error"]) != ("failed", error):
            verdict.say("wrong", "job %s is told as %r" % (job, told))
        again = stack.request("POST", path + "/retry?from=failed")
        if again.status != 202:
            verdict.say("wrong", "the retry of dead letter %s was answered %r" % (job, again))
            continue
        status = lambda: record.rows("SELECT status FROM jobs WHERE job_id = ? AND final = 1", again.data["job_id"])
        try:
            ended = wait_until(status, 60, "the end of the retried dead letter")
        except AssertionError as error:
            verdict.say("stuck", str(error))
            continue
        if ended != [("completed",)]:
            verdict.say("wrong", "a dead letter that was retried without faults is %r" % ended)


def check_chats(record, ledger, verdict):
    there = {chat for (chat,) in record.rows("SELECT chat_id FROM conversations WHERE room = 0")}
    for chat in ledger.chats - there:
        verdict.say("lost", "the created chat " + chat)


def check_events(record, ledger, verdict):
    found = collections.defaultdict(list)
    for chat, event_id, seq in record.rows("SELECT chat_id, event_id, seq FROM events WHERE event_id IS NOT NULL"):
        found[chat, event_id].append(seq)
    for key, seq in ledger.events.items():
        if not found[key]:
            verdict.say("lost", "event %s of chat %s, acknowledged as %d" % (key[1], key[0], seq))
        elif found[key] != [seq]:
            verdict.say("duplicated", "event %s of chat %s, acknowledged as %d, is %r" % (key[1], key[0], seq, found[key]))


def check_uploads(stack, record, ledger, verdict):
    for (chat, name), digest in ledger.uploads.items():
        answer = stack.get("/chat/workflows/%s/files/%s" % (chat, name))
        if answer.status != 200:
            verdict.say("lost", "upload %s of chat %s: %r" % (name, chat, answer))
        elif hashlib.sha256(answer.body).hexdigest() != digest:
            verdict.say("wrong", "upload %s of chat %s has other bytes" % (name, chat))
    for chat, name in ledger.refused_uploads:
        if record.rows("SELECT 1 FROM files WHERE chat_id = ? AND name = ?", chat, name):
            verdict.say("wrong", "upload %s of chat %s was answered 503 and is there" % (name, chat))


def check_reader(name, reader, events, verdict):
    """What the reader applied is the record, from the first event after its first `connected`."""
    for problem in reader.problems:
        verdict.say("wrong", "%s: %s" % (name, problem[:400]))
    for greeting in reader.greetings[1:]:
        if greeting["resume"] != "resumed":
            verdict.say("wrong", "%s was told %s at %d" % (name, greeting["resume"], greeting["seq"]))
    first = reader.greetings[0]["seq"]
    wanted = [body for seq, body in events.items() if seq > first]
    got = {event["seq"] for event in reader.records}
    missing = [body["seq"] for body in wanted if body["seq"] not in got]
    if missing:
        verdict.say("lost", "%s never saw %r" % (name, missing[:10]))
    elif len(reader.records) > len(wanted):
        verdict.say("duplicated", "%s applied %d events, the record has %d" % (name, len(reader.records), len(wanted)))
    elif reader.records != wanted:
        verdict.say("wrong", "%s applied something else than the record" % name)


def read_again(side, record, chat, verdict):
    """A fresh reader that holds nothing gets the whole record."""
    ((epoch, head),) = record.rows("SELECT epoch, head FROM conversations WHERE chat_id = ?", chat)
    name = "a fresh reader of %s" % chat
    try:
        reader = Reader(side, chat, since=0, epoch=epoch)
        wait_until(lambda: reader.seq == head, 30, "reading %d events again" % head)
    except AssertionError as error:
        verdict.say("stuck", "%s: %s" % (name, error))
        return
    reader.close()
    check_reader(name, reader, record.events(chat), verdict)


def processes_of(folder):
    """Every process that was started with this stack's environment."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/environ" % entry, "rb") as text:
                if entry.isdigit() and folder.encode() in text.read():
                    found.append(int(entry))
        except OSError:
            continue
    return found


def resident_kb(pid):
    with open("/proc/%d/status" % pid) as text:
        return int(re.search(r"VmRSS:\s*(\d+)", text.read()).group(1))
