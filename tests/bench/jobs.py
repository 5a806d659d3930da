"""Measures the durable queue: puts, take + finish, idle latency, acknowledged publishes, and many clients resuming at once.

usage: jobs.py BUILD_DIR [--puts 8000] [--runs 3] [--clients 10000]
The same bytes go to Sheetwire's broker (over TCP on loopback), beanstalkd (-b -f 0: synced before every answer) and Redis
Streams (appendfsync always), each in a fresh folder of the same disk, one after the other in the same run; beside them what
libzmq leaves to a queue: a ROUTER of it whose requests are written down, synced and answered, and nothing else
(bench_queue_floor)."""
import argparse
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_port(port):
    end = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > end:
            sys.exit("jobs: nothing listens on port %d" % port)
        time.sleep(0.02)


class Server:
    """One server in a folder of its own, started afresh for every measurement."""

    def __init__(self, name, build):
        self.folder = tempfile.mkdtemp(prefix="sheetwire-bench-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        env = dict(os.environ)
        if name == "sheetwire":
            ports = free_ports(5)
            names = ("REQUESTS", "FEED", "WORK", "PUBLISH_ACK", "PUBLISH")
            env.update({"SHEETWIRE_WIRE__" + n: "tcp://127.0.0.1:%d" % p for n, p in zip(names, ports)})
            env.update({"SHEETWIRE_WIRE__TAP": "off", "SHEETWIRE_LOGGING__LEVEL": "WARNING",
                        "SHEETWIRE_BROKER__LEASE_MS": "600000", "SHEETWIRE_BROKER__QUEUE_JOBS_MAX": "1000000"})
            command = [os.path.join(build, "sheetwire-broker")]
            self.address = "sheetwire:" + ":".join(str(p) for p in ports[:4])
            port = ports[0]
        elif name == "zeromq":
            (port,) = free_ports(1)
            command = [os.path.join(build, "bench", "bench_queue_floor"), str(port), os.path.join(self.folder, "blocks")]
            self.address = "zeromq:%d" % port
        elif name == "beanstalkd":
            (port,) = free_ports(1)
            command = ["beanstalkd", "-l", "127.0.0.1", "-p", str(port), "-b", self.folder, "-f", "0"]
            self.address = "beanstalkd:%d" % port
        else:
            (port,) = free_ports(1)
            command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", self.folder, "--appendonly", "yes",
                       "--appendfsync", "always", "--save", ""]
            self.address = "redis:%d" % port
        self.process = subprocess.Popen(command, cwd=self.folder, env=env, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_port(port)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder)


def measure(build, name, what, *numbers):
    server = Server(name, build)
    try:
        done = subprocess.run([os.path.join(build, "bench", "bench_queue"), what, server.address] + [str(n) for n in numbers],
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            sys.exit("jobs: %s %s: %s" % (name, what, done.stderr.strip()))
        seconds, count, p50, p99 = done.stdout.split()
        return float(count) / float(seconds), int(p50), int(p99)
    finally:
        server.close()


def servers():
    present = ["sheetwire", "zeromq"]
    for name, program in (("beanstalkd", "beanstalkd"), ("redis", "redis-server")):
        if shutil.which(program):
            present.append(name)
        else:
            print("not run: %s: %s is not installed\n" % (name, program))
    return present


LABELS = {"zeromq": "libzmq and a sync, no queue"}


def table(build, runs, title, what, names, *numbers):
    """The servers take turns, so that what else the machine does meets all of them."""
    results = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            results[name].append(measure(build, name, what, *numbers))
    for name in names:
        rate, p50, p99 = (statistics.median(r[i] for r in results[name]) for i in range(3))
        timed = "%d | %d" % (p50, p99) if p99 else "- | -"
        shown = "-" if what == "idle" else format(int(rate), ",")
        print("| %s | %s | %s | %s |" % (title, LABELS.get(name, name), shown, timed), flush=True)


def resume(build, clients):
    """`clients` WebSockets of one chat resume from its beginning at once, each owed 100 events."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import json
    import zmq
    from fanout import Stack, figures, readers
    events = 100
    stack = Stack(build, clients)
    try:
        context = zmq.Context()
        publisher = context.socket(zmq.XPUB)
        publisher.connect("tcp://127.0.0.1:%d" % stack.publish)
        publisher.recv()
        first = readers(build, stack.ws, "/chat/bench", 1, events + 1)  # the first event brings a second `connected`
        for i in range(events):
            publisher.send_multipart([b"bench", json.dumps({"type": "note", "i": i}).encode()])
        figures(first)
        publisher.close(0)
        context.term()
        epoch = stack.epoch("bench")
        start = time.monotonic()
        process = readers(build, stack.ws, "/chat/bench?since=0&epoch=" + epoch, clients, events)
        result = figures(process)
        return time.monotonic() - start, result[1]
    finally:
        stack.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--puts", type=int, default=8000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clients", type=int, default=10000)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 1048576), limit))
    names = servers()
    print("| what | server | per second | p50 us | p99 us |\n|---|---|---|---|---|")
    # Two seconds and more each: what is put off for later must come due while we look.
    for producers, times in ((1, 1), (4, 3), (16, 6)):
        table(build, options.runs, "put, %d producers" % producers, "put", names, producers, options.puts * times)
    queues = [n for n in names if n != "zeromq"]
    table(build, options.runs, "take + finish, 4 workers", "take", queues, 4, options.puts)
    table(build, options.runs, "idle put to start", "idle", queues, 500)
    table(build, options.runs, "acknowledged publish, 64 in flight", "publish", [n for n in names if n != "beanstalkd"],
          options.puts * 20)
    clients = min(options.clients, (limit - 200) // 2 if limit < 2 * options.clients else options.clients)
    seconds, deliveries = resume(build, clients)
    print("\n%d clients resuming at once, 100 events each: %.2f s from the first connect to the last event (%s deliveries)" %
          (clients, seconds, format(int(deliveries), ",")))


main()
