"""The faults of the chaos run: kill -9 and SIGSTOP ... SIGCONT, of programs and of the processes below a worker."""

import collections
import os
import random
import signal
import threading
import time

KILL_PAUSE = (0.0, 1.5)  # seconds a killed program stays away
STOP_PAUSE = (0.1, 5.0)
GAP_SECONDS = 0.5  # between two faults, on average


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as text:
            return [int(child) for child in text.read().split()]
    except OSError:
        return []


def helpers(worker):
    return children(worker.pid) if worker.running else []


def step_processes(workers):
    """Processes of steps: the children of the helper each worker has."""
    return [step for worker in workers for helper in helpers(worker) for step in children(helper)]


def works_on(pid, chat):
    """Has the process a file of this chat open? A step gets its input and output as open descriptors."""
    try:
        folder = "/proc/%d/fd" % pid
        return any("/%s/" % chat in os.readlink(os.path.join(folder, name)) for name in os.listdir(folder))
    except OSError:
        return False


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


class Poison:
    """Until stop(): every step that works on a file of one of these chats is killed as soon as it is seen."""

    def __init__(self, workers, chats):
        self.workers, self.chats = workers, chats
        self.kills = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def _run(self):
        while not self.stopping.wait(0.005):
            for pid in step_processes(self.workers):
                if any(works_on(pid, chat) for chat in self.chats):
                    self.kills += send(pid, signal.SIGKILL)


class Faults:
    """Until stop(): one fault after another, several at a time. What is chosen depends on the seed alone."""

    def __init__(self, stack, gateways, seed):
        self.stack, self.workers = stack, stack.workers
        weights = {stack.broker: 4}
        weights.update({gateway: 2 for gateway in gateways})
        weights.update({worker: 1.5 for worker in stack.workers})
        weights.update({"step": 4, "helper": 0.5})
        self.weights = weights
        self.draw = random.Random("faults %s" % seed)
        self.count = collections.Counter()
        self.problems = []
        self.afflicted = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.running = []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        """No further fault; returns when the last one has passed and everything runs."""
        self.stopping.set()
        self.thread.join()
        for one in self.running:
            one.join()
        time.sleep(0.5)
        self._look_for_dead()

    # --- the thread

    def _run(self):
        while not self.stopping.wait(self.draw.expovariate(1 / GAP_SECONDS)):
            self._look_for_dead()
            victim = self.draw.choices(list(self.weights), list(self.weights.values()))[0]
            action, low_high = self.draw.choice((("kill", KILL_PAUSE), ("stop", STOP_PAUSE)))
            seconds, which = self.draw.uniform(*low_high), self.draw.random()
            if victim in self.afflicted:
                continue
            body = {"step": self._afflict_step, "helper": self._afflict_helper}.get(victim, self._afflict)
            with self.lock:
                self.afflicted.add(victim)
            one = threading.Thread(target=self._one, args=(body, victim, action, seconds, which), daemon=True)
            self.running = [t for t in self.running if t.is_alive()] + [one]
            one.start()

    def _one(self, body, *arguments):
        try:
            body(*arguments)
        finally:
            with self.lock:
                self.afflicted.discard(arguments[0])

    def _tally(self, victim, action):
        with self.lock:
            name = victim if isinstance(victim, str) else victim.name.split("-")[0]
            self.count["%s %s" % (action, name)] += 1

    def _afflict(self, program, action, seconds, _which):
        if action == "kill":
            program.kill()
        else:
            send(program.pid, signal.SIGSTOP)
        self._tally(program, action)
        time.sleep(seconds)
        if action == "kill":
            program.start()
        else:
            send(program.pid, signal.SIGCONT)

    def _afflict_step(self, name, action, seconds, which):
        """One that runs within the next second, or none."""
        deadline = time.monotonic() + 1
        found = []
        while not found and time.monotonic() < deadline:
            found = step_processes(self.workers)
            time.sleep(0.002)
        if not found:
            return
        pid = found[int(which * len(found))]
        if send(pid, signal.SIGKILL if action == "kill" else signal.SIGSTOP):
            self._tally(name, action)
            time.sleep(seconds if action == "stop" else 0)
            send(pid, signal.SIGCONT)

    def _afflict_helper(self, name, action, seconds, which):
        """A worker without its helper can run no step: it ends, and is started again as `serve` would do."""
        worker = self.workers[int(which * len(self.workers))]
        with self.lock:
            if worker in self.afflicted:
                return
            self.afflicted.add(worker)
        try:
            for pid in helpers(worker)[:1]:
                send(pid, signal.SIGKILL if action == "kill" else signal.SIGSTOP)
                self._tally(name, action)
                time.sleep(seconds)
                send(pid, signal.SIGCONT)
            if not worker.running:
                worker.start()
        finally:
            with self.lock:
                self.afflicted.discard(worker)

    def _look_for_dead(self):
        """A program that ends though nobody killed it."""
        with self.lock:
            for program in self.stack.programs.values():
                if program in self.afflicted or program.running:
                    continue
                if program in self.workers and "helper" in self.log_end(program):
                    self.count["worker ended without its helper"] += 1
                else:
                    self.problems.append("%s ended by itself with %s" % (program.name, program.process.returncode))
                program.start()

    @staticmethod
    def log_end(program):
        return "\n".join(program.log().splitlines()[-3:])
