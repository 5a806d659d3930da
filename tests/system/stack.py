"""The real programs, started for a test: broker, gateway and workers on free ports below a folder of their own.

Every wait is for a condition and has a deadline; every process is ended by its own id. A process that does not stop when
it is told to, dies by itself, or reports a sanitizer error fails the test.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SHEETWIRE_BUILD", os.path.join(ROOT, "build")))
START_SECONDS = 30
STOP_SECONDS = 10
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer", "ERROR: LeakSanitizer")


def wait_until(condition, seconds=10, what="the condition"):
    """Returns the first true value of condition(), asked again and again."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("%s did not come true within %s s" % (what, seconds))
        time.sleep(0.02)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Answer:
    """Status, headers and body of an HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json["data"]

    @property
    def message(self):
        return self.json["message"]

    def __repr__(self):
        return "Answer(%s, %r)" % (self.status, self.body[:400])


class Program:
    """One process and its log."""

    def __init__(self, name, arguments, folder, environment):
        self.name = name
        self.arguments = arguments
        self.folder = folder
        self.environment = environment
        self.log_path = os.path.join(folder, name + ".log")
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.arguments, cwd=self.folder, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        try:
            with open(self.log_path, errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def kill(self):
        """SIGKILL, and gone."""
        if self.running:
            self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self):
        """SIGTERM; returns the exit code, fails when it takes too long."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("%s did not stop within %s s" % (self.name, STOP_SECONDS))


class Stack:
    """Broker, gateway and workers. `settings` are configuration keys: {"http.idle_timeout_seconds": 2}."""

    def __init__(self, workers=1, settings=None):
        self.folder = tempfile.mkdtemp(prefix="sw-")  # short: the path of a Unix socket has at most 107 bytes
        self.port, self.ws_port, self.publish_port, self.publish_ack_port, self.tap_port = free_ports(5)
        self.host = "127.0.0.1:%d" % self.port
        self.url = "http://" + self.host
        self.ws_url = "ws://127.0.0.1:%d" % self.ws_port
        self.settings = {
            "app.port": self.port,
            "chat_workflows.websocket.port": self.ws_port,
            "chat_workflows.storage.workflows_path": os.path.join(self.folder, "workflows"),
            "chat_workflows.storage.dumps_path": os.path.join(self.folder, "dumps"),
            "chat_workflows.storage.sqlite_path": os.path.join(self.folder, "chat.db"),
            "wire.run_dir": os.path.join(self.folder, "run"),
            "wire.publish": "tcp://127.0.0.1:%d" % self.publish_port,
            "wire.publish_ack": "tcp://127.0.0.1:%d" % self.publish_ack_port,
            "wire.tap": "tcp://127.0.0.1:%d" % self.tap_port,
        }
        self.settings.update(settings or {})
        self.programs = {}
        self.expected_dead = set()
        self.broker = self.add("broker", "sheetwire-broker")
        self.gateway = self.add("gateway", "sheetwire-gateway")
        self.workers = [self.add("worker-%d" % (i + 1), "sheetwire-worker") for i in range(workers)]

    # --- processes

    def environment(self, more=None):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SHEETWIRE_")}
        for key, value in {**self.settings, **(more or {})}.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            kept["SHEETWIRE_" + key.upper().replace(".", "__")] = text
        return kept

    def add(self, name, program, settings=None):
        """One more program, not started yet. Names are unique; the log is NAME.log; settings are its own."""
        environment = self.environment(settings)
        self.programs[name] = Program(name, [os.path.join(BUILD, program)], self.folder, environment)
        return self.programs[name]

    def add_gateway(self, name):
        """One more gateway on ports of its own; `port` and `ws_url` of the program say where."""
        port, ws_port = free_ports(2)
        program = self.add(name, "sheetwire-gateway", {"app.port": port, "chat_workflows.websocket.port": ws_port})
        program.port, program.ws_url = port, "ws://127.0.0.1:%d" % ws_port
        return program

    def start(self, wait=True):
        for program in self.programs.values():
            if not program.running:
                program.start()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=START_SECONDS):
        def ready():
            self.check_alive()
            try:
                return self.get("/health/ready").status == 200
            except OSError:
                return False

        wait_until(ready, seconds, "readiness of the gateway")

    def check_alive(self):
        for program in self.programs.values():
            if program.process is not None and not program.running and program.name not in self.expected_dead:
                raise AssertionError("%s ended by itself with %s" % (program.name, program.process.returncode))

    def kill(self, program):
        self.expected_dead.add(program.name)
        program.kill()

    def end(self, program):
        """SIGTERM; the exit code."""
        self.expected_dead.add(program.name)
        return program.stop()

    def restart(self, program):
        program.start()
        self.expected_dead.discard(program.name)

    def stop(self):
        """Ends everything, gateway first; raises when something was wrong with a process."""
        problems = []
        order = sorted(self.programs.values(), key=lambda p: {"gateway": 0, "broker": 2}.get(p.name.split("-")[0], 1))
        for program in order:
            if program.process is None:
                continue
            died = not program.running and program.name not in self.expected_dead
            try:
                code = program.stop()
            except AssertionError as error:
                problems.append(str(error))
                continue
            if died:
                problems.append("%s had ended by itself with %s" % (program.name, code))
            elif code != 0 and program.name not in self.expected_dead:
                problems.append("%s ended with %s" % (program.name, code))
        for program in order:
            if any(mark in program.log() for mark in SANITIZER_MARKS):
                problems.append("a sanitizer complains in %s" % program.name)
        if problems:
            raise AssertionError("; ".join(problems))

    def logs(self):
        return "\n".join("===== %s =====\n%s" % (p.name, p.log()[-8000:]) for p in self.programs.values())

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- REST

    def request(self, method, path, body=None, headers=None, timeout=60, port=None):
        """One request on a connection of its own. path is below /api/v1 unless it is an URL of this stack; port: of
        another gateway."""
        if path.startswith(self.url):
            path = path[len(self.url) :]
        elif not path.startswith("/api/"):
            path = "/api/v1" + path
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, headers=None, **options):
        return self.request("GET", path, None, headers, **options)

    def post_json(self, path, value, headers=None, **options):
        fields = {"Content-Type": "application/json", **(headers or {})}
        return self.request("POST", path, json.dumps(value).encode(), fields, **options)

    def create_chat(self):
        answer = self.request("POST", "/chat/workflows")
        assert answer.status == 201, answer
        return answer.data["chat_id"]

    def upload(self, chat, name, content, field="file", **options):
        body, content_type = multipart(field, name, content)
        return self.request("POST", "/chat/workflows/%s/upload" % chat, body, {"Content-Type": content_type}, **options)

    def execute(self, chat, steps, headers=None, **options):
        return self.post_json("/chat/workflows/%s/execute" % chat, {"steps": steps}, headers, **options)


def multipart(field, name, content, boundary="sheetwire-test-boundary"):
    """A form with one file: body and Content-Type."""
    if isinstance(content, str):
        content = content.encode()
    head = (
        '--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n" % (boundary, field, name)
    )
    return head.encode() + content + ("\r\n--%s--\r\n" % boundary).encode(), "multipart/form-data; boundary=" + boundary
