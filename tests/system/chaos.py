#!/usr/bin/env python3
"""Kills and pauses the real programs at random moments under load, then counts what was promised against what is there.

    chaos.py --seconds N --seed S --build DIR

A broker, two gateways, three workers; clients that create, upload, execute and publish, and readers that resume. After the
faults have stopped everything must come to rest, and then nothing acknowledged may be lost, nothing doubled, nothing
stuck, and every run that failed must have lost all its attempts to the faults; in some chats all steps are killed, so that
there are such runs. Prints one table; exit code 1 and the last log lines when a promise was broken. The seed decides which
fault comes next; the moment it hits is the machine's."""

import argparse
import contextlib
import os
import random
import signal
import sys
import time

SETTLE_SECONDS = 120
READERS = 20
CHATS = 10
POISONED = 2  # further chats: every step of theirs is killed, so that their runs end as dead letters
ATTEMPTS_MAX = 6
DEAD_LETTER_SECONDS = 60  # at least one in so many seconds, or the run has not shown what it is for
MEMORY_KB_MAX = 400 * 1024
SETTINGS = {
    "broker.lease_ms": 1500,
    "broker.attempts_max": ATTEMPTS_MAX,
    "wire.beat_ms": 100,
    "chat_workflows.max_connections": 200,
    "workflow.progress_interval_ms": 50,
    "logging.level": "INFO",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--build", default="build")
    parser.add_argument("--keep", action="store_true", help="leave the folder with logs and record behind")
    return parser.parse_args()


class Chaos:
    def __init__(self, options):
        self.options = options
        self.stack = Stack(workers=3, settings=SETTINGS)
        self.stack.gateway.port, self.stack.gateway.ws_url = self.stack.port, self.stack.ws_url
        self.gateways = [self.stack.gateway, self.stack.add_gateway("gateway-2")]
        self.slots = 2 * len(self.stack.workers)
        self.ledger, self.verdict = chaos_load.Ledger(), chaos_check.Verdict()
        self.memory = {}

    def second_is_ready(self):
        with contextlib.suppress(OSError):
            return self.stack.get("/health/ready", port=self.gateways[1].port).status == 200

    def prepare(self):
        self.stack.start()
        wait_until(self.second_is_ready, 30, "readiness of the second gateway")
        everybody = [self.stack.create_chat() for _ in range(CHATS + POISONED)]
        self.chats, self.poisoned = everybody[:CHATS], everybody[CHATS:]
        for chat in everybody:
            content = chaos_load.words(chat) if chat in self.chats else chaos_load.table(150000)
            assert self.stack.upload(chat, "first.csv", content).status == 200
            # The first event gives the chat its epoch: from here on every reader can resume.
            assert self.stack.execute(chat, chaos_load.steps_of("first")).status == 200
        self.record = chaos_check.Record(self.stack.settings["chat_workflows.storage.sqlite_path"])
        read = [self.chats[i % CHATS] for i in range(READERS)] + self.poisoned
        self.readers = [Reader(self.gateways[i % 2], chat) for i, chat in enumerate(read)]
        ports = [gateway.port for gateway in self.gateways]
        self.load = chaos_load.Load(self.stack, ports, self.chats, self.poisoned, self.ledger, self.options.seed)
        self.poison = Poison(self.stack.workers, self.poisoned)
        self.faults = Faults(self.stack, self.gateways, self.options.seed)

    def measure(self, when):
        for program in [self.stack.broker] + self.gateways:
            self.memory[program.name, when] = chaos_check.resident_kb(program.pid)

    def storm(self):
        self.load.start()
        time.sleep(2)
        self.measure("start")
        self.poison.start()
        self.faults.start()
        time.sleep(self.options.seconds)
        self.faults.stop()
        self.poison.stop()
        for problem in self.faults.problems:
            self.verdict.say("wrong", problem)
        for thread in self.load.stop():
            self.verdict.say("stuck", "a client: %s" % thread.name)

    def settle(self):
        def at_rest():
            return self.record.open_jobs() == 0 and all(r.seq == self.record.head(r.chat) for r in self.readers)

        started = time.monotonic()
        self.wait("stuck", at_rest, SETTLE_SECONDS, "rest after the faults")
        self.settled = time.monotonic() - started
        self.measure("end")

    def wait(self, kind, condition, seconds, what):
        try:
            wait_until(condition, seconds, what)
        except AssertionError as error:
            self.verdict.say(kind, str(error))

    def check_slots(self):
        """Every slot of every worker holds a run: each step is paused as it appears, until all slots are taken."""
        held = set()

        def all_held():
            for pid in step_processes(self.stack.workers):
                if pid not in held and send(pid, signal.SIGSTOP):
                    held.add(pid)
            return len(held) >= self.slots

        long = chaos_load.table(150000)
        for chat in self.chats:  # on a busy machine a link may be lost for a moment even now
            stored = lambda: self.stack.upload(chat, "long.csv", long).status == 200
            self.wait("stuck", stored, 60, "an upload after the faults")
        for chat in 3 * self.chats:
            self.stack.execute(chat, chaos_load.steps_of("slots"), {"Prefer": "respond-async"})
        self.wait("stuck", all_held, 30, "a run in each of %d slots" % self.slots)
        for pid in held:
            send(pid, signal.SIGCONT)
        self.wait("stuck", lambda: self.record.open_jobs() == 0, 60, "the end of the runs that filled the slots")

    def check_processes(self):
        """Six programs and a helper a worker; no step left over."""
        allowed = len(self.stack.programs) + len(self.stack.workers)
        count = lambda: len(chaos_check.processes_of(self.stack.folder))
        self.wait("wrong", lambda: count() == allowed, 10, "%d processes (there are %d)" % (allowed, count()))
        for (name, when), kb in self.memory.items():
            if kb > MEMORY_KB_MAX:
                self.verdict.say("wrong", "%s holds %d KiB at the %s" % (name, kb, when))

    def check(self):
        self.check_slots()
        self.check_processes()
        chaos_check.check_integrity(self.record, self.verdict)
        chaos_check.check_failures(self.record, ATTEMPTS_MAX, self.verdict)
        wanted = self.options.seconds // DEAD_LETTER_SECONDS
        chaos_check.check_dead_letters(self.stack, self.record, self.poisoned, wanted, self.verdict)
        # The file follows the journal by some milliseconds; a list is answered only when it has caught up.
        assert self.stack.request("GET", "/chat/workflows?limit=1").status == 200
        chaos_check.check_jobs(self.record, self.verdict)
        chaos_check.check_executes(self.record, self.ledger, self.verdict)
        chaos_check.check_cancels(self.record, self.ledger, self.verdict)
        chaos_check.check_chats(self.record, self.ledger, self.verdict)
        chaos_check.check_events(self.record, self.ledger, self.verdict)
        chaos_check.check_uploads(self.stack, self.record, self.ledger, self.verdict)
        for chat in self.chats + self.poisoned:
            for gateway in self.gateways:
                chaos_check.read_again(gateway, self.record, chat, self.verdict)
        for i, reader in enumerate(self.readers):
            reader.close()
            chaos_check.check_reader("reader %d" % i, reader, self.record.events(reader.chat), self.verdict)
        for surprise in self.ledger.surprises:
            self.verdict.say("wrong", surprise)

    def finish(self):
        try:
            self.stack.stop()
        except AssertionError as error:
            self.verdict.say("wrong", str(error))
        left = chaos_check.processes_of(self.stack.folder)
        if left:
            self.verdict.say("wrong", "processes left behind: %r" % left)
            for pid in left:
                send(pid, signal.SIGKILL)

    def table(self):
        rows = sorted(self.faults.count.items())
        yield "faults", "", sum(n for kind, n in rows)
        yield from (("", kind, n) for kind, n in rows)
        yield "", "steps of poisoned chats killed", self.poison.kills
        for kind in sorted(k for k in self.ledger.count if " " not in k):
            yield "acknowledged", kind, self.ledger.count[kind]
        for kind in sorted(k for k in self.ledger.count if " " in k):
            yield "not acknowledged", kind, self.ledger.count[kind]
        status = dict(self.record_status)
        yield from (("runs", name, count) for name, count in sorted(status.items()))
        yield from (("failed because", reason[:90], n) for reason, n in self.reasons.items())
        yield "readers", "connections", sum(r.connections for r in self.readers)
        yield "", "events applied", sum(len(r.records) for r in self.readers)
        yield from (("memory, KiB", "%s at the %s" % key, kb) for key, kb in self.memory.items())
        yield "seconds", "faults", self.options.seconds
        yield "", "to rest", "%.1f" % self.settled
        yield from ((kind, "", len(texts)) for kind, texts in self.verdict.lists.items())

    def run(self):
        self.prepare()
        self.storm()
        self.settle()
        self.check()
        self.record_status = self.record.rows("SELECT status, COUNT(*) FROM jobs GROUP BY status")
        self.reasons = chaos_check.failure_reasons(self.record)

    def report(self):
        print("seed %d" % self.options.seed)
        for group, name, value in self.table():
            print("%-17s %-60s %10s" % (group, name, value))


def last_lines(stack):
    return "\n".join("== %s\n%s" % (p.name, "\n".join(p.log().splitlines()[-12:])) for p in stack.programs.values())


def main(options):
    chaos = Chaos(options)
    broken = True
    try:
        chaos.run()
        chaos.finish()
        chaos.report()
        sentences = chaos.verdict.sentences()
        for sentence in sentences[:60]:
            print(sentence)
        broken = bool(sentences)
    finally:
        if broken:
            print(last_lines(chaos.stack))
            print("broken with --seed %d; logs and record are in %s" % (options.seed, chaos.stack.folder))
        for pid in chaos_check.processes_of(chaos.stack.folder):
            send(pid, signal.SIGKILL)
        if not broken and not options.keep:
            chaos.stack.remove()
    return 1 if broken else 0


if __name__ == "__main__":
    OPTIONS = arguments()
    os.environ["SHEETWIRE_BUILD"] = os.path.abspath(OPTIONS.build)  # stack.py reads it when it is loaded
    import chaos_check
    import chaos_load
    from chaos_faults import Faults, Poison, send, step_processes
    from reader import Reader
    from stack import Stack, wait_until

    sys.exit(main(OPTIONS))
