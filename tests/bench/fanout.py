"""Measures fan-out: one outside program publishes record events into a chat, many WebSockets read them all.

usage: fanout.py BUILD_DIR [--sockets 1000] [--events 2000] [--runs 3]
Beside it in the same run: the floor (bench_fanout_floor: ready-made bytes into the same number of sockets, nothing else) and,
where python3-websockets is installed, a broadcast server on it (what the Python original stands on)."""
import argparse
import json
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

import zmq

PEER = """
import asyncio, json, sys, time
import websockets
sockets = set()
async def handler(ws, path=None):
    sockets.add(ws)
    await ws.send('{"type":"connected"}')
    try:
        await ws.wait_closed()
    finally:
        sockets.discard(ws)
async def main():
    events, body = int(sys.argv[1]), sys.argv[2]
    loop = asyncio.get_running_loop()
    async with websockets.serve(handler, "127.0.0.1", 0, compression=None, max_queue=None,
                                ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        for i in range(events):
            websockets.broadcast(sockets, body % (time.monotonic_ns() // 1000))
            if i % 16 == 0:
                await asyncio.sleep(0)
        await loop.run_in_executor(None, sys.stdin.readline)
asyncio.run(main())
"""


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Stack:
    def __init__(self, build, sockets):
        self.folder = tempfile.mkdtemp(prefix="sheetwire-bench-")
        self.rest, self.ws, self.publish, ack, tap = free_ports(5)
        env = dict(os.environ, SHEETWIRE_APP__PORT=str(self.rest), SHEETWIRE_CHAT_WORKFLOWS__WEBSOCKET__PORT=str(self.ws),
                   SHEETWIRE_CHAT_WORKFLOWS__MAX_CONNECTIONS=str(sockets + 10),
                   SHEETWIRE_CHAT_WORKFLOWS__WEBSOCKET__QUEUE_BYTES_MAX=str(1 << 28),
                   SHEETWIRE_WIRE__PUBLISH="tcp://127.0.0.1:%d" % self.publish,
                   SHEETWIRE_WIRE__PUBLISH_ACK="tcp://127.0.0.1:%d" % ack, SHEETWIRE_WIRE__TAP="tcp://127.0.0.1:%d" % tap,
                   SHEETWIRE_LOGGING__LEVEL="WARNING")
        self.process = subprocess.Popen([os.path.join(os.path.abspath(build), "sheetwire"), "serve"], cwd=self.folder, env=env,
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if str(self.ws) in line:
                return
        sys.exit("fanout: the stack did not start")

    def epoch(self, chat):
        import asyncio
        import websockets

        async def ask():
            async with websockets.connect("ws://127.0.0.1:%d/chat/%s" % (self.ws, chat)) as socket:
                return json.loads(await socket.recv())["epoch"]

        return asyncio.run(ask())

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        shutil.rmtree(self.folder)


def readers(build, port, path, sockets, events):
    process = subprocess.Popen([os.path.join(build, "bench", "bench_fanout_readers"), "127.0.0.1", str(port), path, str(sockets),
                                str(events)], stdout=subprocess.PIPE, text=True)
    if process.stdout.readline().strip() != "ready":
        sys.exit("fanout: the readers did not get ready")
    return process


def figures(process):
    out = process.stdout.read().split()
    if process.wait(60) != 0 or len(out) != 5:
        sys.exit("fanout: the readers failed")
    return [float(x) for x in out]


def body(size):
    event = {"type": "bench", "sent_us": 1234567890123, "pad": ""}
    event["pad"] = "x" * (size - len(json.dumps(event)))
    return json.dumps(event).replace("1234567890123", "%d")


def run_sheetwire(build, sockets, events, size, pace):
    stack = Stack(build, sockets)
    try:
        process = readers(build, stack.ws, "/chat/bench", sockets, events)
        context = zmq.Context()
        publisher = context.socket(zmq.XPUB)
        publisher.sndhwm = 0
        publisher.connect("tcp://127.0.0.1:%d" % stack.publish)
        publisher.recv()
        text = body(size)
        start = time.monotonic()
        for i in range(events):
            if pace:
                while time.monotonic() < start + i / pace:
                    time.sleep(0.0005)
            publisher.send_multipart([b"bench", (text % (time.monotonic_ns() // 1000)).encode()])
        result = figures(process)
        publisher.close(0)
        context.term()
        return result
    finally:
        stack.close()


def run_other(command, build, sockets, events):
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    process = readers(build, port, "/chat/bench", sockets, events)
    server.stdin.write("go\n")
    server.stdin.flush()
    result = figures(process)
    server.stdin.close()
    server.wait(10)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--size", type=int, default=270)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1048576)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    build, sockets, events, size = os.path.abspath(options.build), options.sockets, options.events, options.size
    floor = [os.path.join(build, "bench", "bench_fanout_floor"), str(sockets), str(events), str(size)]
    cases = [("Sheetwire, burst", lambda: run_sheetwire(build, sockets, events, size, 0)),
             ("Sheetwire, 50 events/s", lambda: run_sheetwire(build, sockets, min(events, 250), size, 50)),
             ("floor: ready-made bytes", lambda: run_other(floor, build, sockets, events))]
    if subprocess.run(["/usr/bin/python3", "-c", "import websockets"], capture_output=True).returncode == 0:
        fewer = max(1, events // 8)  # a rate needs no more, and it takes its time
        peer = ["/usr/bin/python3", "-c", PEER, str(fewer), body(size)]
        cases.append(("python3-websockets broadcast", lambda: run_other(peer, build, sockets, fewer)))
    print("%d WebSockets, %d events of %d bytes, median of %d runs\n" % (sockets, events, size, options.runs))
    print("| server | deliveries/s | p50 ms | p99 ms |\n|---|---|---|---|")
    for title, case in cases:
        runs = [case() for _ in range(options.runs)]
        rate = statistics.median(r[1] / r[0] for r in runs)
        p50, p99 = (statistics.median(r[i] for r in runs) / 1000 for i in (2, 3))
        timed = "%.2f | %.2f" % (p50, p99) if p50 else "- | -"
        print("| %s | %s | %s |" % (title, format(int(rate), ","), timed))


if __name__ == "__main__":
    main()
