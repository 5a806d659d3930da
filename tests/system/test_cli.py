"""`sheetwire` at a terminal: serve keeps the stack running and stops it in order, run does the main job, usage is checked."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess

import pytest

from stack import BUILD, ROOT, Stack, wait_until

SHEETWIRE = os.path.join(BUILD, "sheetwire")
TIMEZONES = os.path.join(ROOT, "cli", "demo", "timezones.csv")
STEPS = os.path.join(ROOT, "cli", "demo", "steps.json")


class Serve:
    """`sheetwire serve` with the settings of a stack that is not started itself."""

    def __init__(self, arguments=(), settings=None, program=SHEETWIRE):
        self.stack = Stack(settings=settings)
        self.log_path = os.path.join(self.stack.folder, "logs", "sheetwire.log")
        environment = self.stack.environment()
        environment["SHEETWIRE_LOGGING__FILE"] = self.log_path
        self.process = subprocess.Popen(
            [program, "serve", *arguments], cwd=self.stack.folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=open(os.path.join(self.stack.folder, "out"), "wb"),
            stderr=open(os.path.join(self.stack.folder, "errors"), "wb"),
        )

    def text(self, name):
        path = self.log_path if name == "log" else os.path.join(self.stack.folder, name)
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self):
        def ready():
            assert self.process.poll() is None, self.text("errors")
            return self.text("out").count("\n") >= 6

        wait_until(ready, 30, "the banner")
        return self

    def children(self):
        """pid -> program, of our direct children."""
        found = {}
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as file:
            for pid in file.read().split():
                try:
                    with open("/proc/%s/cmdline" % pid, "rb") as command:
                        found[int(pid)] = os.path.basename(command.read().split(b"\0")[0].decode())
                except FileNotFoundError:
                    pass
        return found

    def child(self, program):
        return next((pid for pid, name in self.children().items() if name == program), None)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.stack.remove()


@pytest.fixture
def serve():
    made = []

    def make(*arguments, **options):
        made.append(Serve(arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def run_cli(*arguments, **options):
    return subprocess.run([SHEETWIRE, *arguments], capture_output=True, text=True, timeout=90, **options)


# serve


def test_serve_prints_the_banner_when_everything_is_ready(serve):
    server = serve().wait_ready()
    assert server.stack.get("/health/ready").status == 200
    banner = server.text("out")
    assert server.stack.url in banner and server.stack.ws_url in banner
    assert banner.startswith("╔═") and banner.rstrip().endswith("═╝")
    log = server.text("log")
    assert re.search(r"WebSocket listening on ws://127\.0\.0\.1:%d" % server.stack.ws_port, log)
    assert re.search(r"REST listening on http://127\.0\.0\.1:%d" % server.stack.port, log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_stops_everything_and_ends_with_zero(serve, number):
    server = serve("--workers", "2").wait_ready()
    children = server.children()
    assert sorted(children.values()) == ["sheetwire-broker", "sheetwire-gateway", "sheetwire-worker", "sheetwire-worker"]
    server.process.send_signal(number)
    assert server.process.wait(5) == 0
    assert not any(alive(pid) for pid in children)


@pytest.mark.parametrize("program", ["sheetwire-broker", "sheetwire-gateway", "sheetwire-worker"])
def test_a_killed_program_is_started_again_and_the_others_are_not_touched(serve, program):
    server = serve().wait_ready()
    before = server.children()
    victim = server.child(program)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: server.child(program) not in (None, victim), 10, "a new " + program)

    def ready():
        try:
            return server.stack.get("/health/ready").status == 200
        except OSError:
            return False

    wait_until(ready, 20, "readiness after the restart")
    others = {pid for pid, name in before.items() if pid != victim}
    assert others <= set(server.children())
    assert re.search("warning serve program was killed.*signal=9", server.text("log"))


def test_children_do_not_outlive_a_killed_serve(serve):
    server = serve().wait_ready()
    children = list(server.children())
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(alive(pid) for pid in children), 10, "the end of all children")


def test_serve_refuses_a_bad_configuration_with_its_line(serve, tmp_path):
    config = tmp_path / "a.yml"
    config.write_text("chat_workflows:\n  websocket:\n    port: 70000\n")
    server = serve("--config", str(config))
    assert server.process.wait(10) == 2
    assert server.text("errors") == "%s:3: chat_workflows.websocket.port: 70000 is not in 1..65535\n" % config


@pytest.mark.parametrize("taken, text", [
    ("app.port", "(app.host, app.port)"),
    ("chat_workflows.websocket.port", "chat_workflows.websocket.port)"),
    ("wire.run_dir", "(wire.run_dir)"),
])
def test_serve_takes_no_other_program_for_its_own(serve, shared_stack, taken, text):
    server = serve(settings={taken: shared_stack.settings[taken]})
    assert server.process.wait(20) == 1
    assert server.text("out") == ""
    assert re.fullmatch(r"sheetwire serve: another (program|broker) listens on .*%s\n" % re.escape(text),
                        server.text("errors"))


def test_serve_waits_for_programs_that_are_just_ending(serve, make_stack):
    old = make_stack()
    taken = {key: old.settings[key] for key in ("app.port", "chat_workflows.websocket.port")}
    server = serve(settings=taken)
    assert server.process.poll() is None
    old.end(old.gateway)
    wait_until(lambda: server.text("out").count("\n") >= 6, 30, "the banner")


def stand_ins(folder, broker):
    """A folder with `sheetwire` and three programs that are shell scripts; only the broker's differs."""
    shutil.copy(SHEETWIRE, folder)
    for name, body in (("broker", broker), ("gateway", "exec sleep 600"), ("worker", "exec sleep 600")):
        path = os.path.join(folder, "sheetwire-" + name)
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + body + "\n")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return os.path.join(folder, "sheetwire")


def test_a_program_that_refuses_its_configuration_is_not_started_again(serve, tmp_path):
    program = stand_ins(tmp_path, "echo x >>starts; echo 'run folder /x has mode 0755' >&2; exit 2")
    server = serve(program=program)
    assert server.process.wait(10) == 2
    assert "run folder /x has mode 0755" in server.text("errors")
    assert server.text("starts") == "x\n"


def test_a_program_that_never_comes_up_is_given_up(serve, tmp_path):
    server = serve(program=stand_ins(tmp_path, "echo x >>starts; exit 1"))
    assert server.process.wait(20) == 1
    assert server.text("starts") == "x\n" * 6
    assert "giving up" in server.text("errors")


def test_a_program_that_does_not_stop_is_killed_in_time(serve, tmp_path):
    program = stand_ins(tmp_path, "trap '' TERM; echo up; while :; do sleep 1; done")
    server = serve("--verbose", program=program)
    wait_until(lambda: "up\n" in server.text("log"), 10, "the stand-in")
    children = list(server.children())
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 0
    assert not any(alive(pid) for pid in children)
    assert "the rest is killed" in server.text("log")


# run


def one_step(tmp_path, operation="csv/search", **arguments):
    steps = tmp_path / "steps.json"
    steps.write_text(json.dumps([{"operation": operation, "arguments": arguments}]))
    return str(steps)


def addresses(stack):
    return ["--url", stack.url, "--ws", stack.ws_url]


def test_run_does_the_main_job(shared_stack, tmp_path):
    done = run_cli("run", TIMEZONES, "--steps", STEPS, "--out", str(tmp_path), *addresses(shared_stack))
    assert (done.returncode, done.stderr) == (0, "")
    for step in ("1/3 csv/convert-to-excel", "2/3 excel/map-columns", "3/3 excel/search"):
        assert "step %s: 100%% completed" % step in done.stdout
    (saved,) = os.listdir(tmp_path)
    rows = (tmp_path / saved).read_text().splitlines()
    assert rows[0] == "Country,Zone,Latitude,January,July"
    assert "Brazil,America/Araguaina,-7.2,-3,-3" in rows
    assert str(tmp_path / saved) in done.stdout


def test_run_downloads_every_file_on_request_and_overwrites_none(shared_stack, tmp_path):
    for _ in range(2):
        done = run_cli("run", TIMEZONES, "--steps", STEPS, "--all", "--out", str(tmp_path), *addresses(shared_stack))
        assert done.returncode == 0, done.stderr
    assert len(os.listdir(tmp_path)) == 6


def test_run_draws_bars_on_a_terminal(shared_stack, tmp_path):
    import pty

    try:
        leader, follower = pty.openpty()
    except OSError as error:
        pytest.skip("terminal: no pseudo terminal can be made here: %s" % error)
    arguments = ["run", TIMEZONES, "--steps", STEPS, "--out", str(tmp_path), *addresses(shared_stack)]
    process = subprocess.Popen([SHEETWIRE, *arguments], stdout=follower, stderr=follower, stdin=subprocess.DEVNULL)
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:
        pass  # the other end of a pseudo terminal is closed: EIO
    os.close(leader)
    assert process.wait(10) == 0
    text = seen.decode()
    assert "\x1b[3A" in text and "[████████████████████████] 100%" in text


def test_run_tells_why_a_run_failed(shared_stack, tmp_path):
    steps = one_step(tmp_path, conditions=[{"column": "nowhere", "operator": "equals", "value": "x"}])
    done = run_cli("run", TIMEZONES, "--steps", steps, "--out", str(tmp_path), *addresses(shared_stack))
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_run_needs_no_websocket(shared_stack, tmp_path):
    arguments = ["--url", shared_stack.url, "--ws", "ws://127.0.0.1:9"]
    done = run_cli("run", TIMEZONES, "--steps", STEPS, "--out", str(tmp_path), *arguments)
    assert done.returncode == 0, done.stderr
    assert "step 3/3 excel/search: 100% completed" in done.stdout


def test_run_without_a_server_fails_at_once(tmp_path):
    done = run_cli("run", TIMEZONES, "--steps", STEPS, "--out", str(tmp_path), "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr


# usage


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["srve"], "did you mean 'serve'?"),
        (["--bogus"], "unknown option '--bogus'"),
        (["run", "--bogus"], "sheetwire run: unrecognized option '--bogus'"),
        (["run"], "usage: sheetwire run"),
        (["run", TIMEZONES, "--steps", "/nowhere.json"], "/nowhere.json: No such file"),
        (["tail", "--bogus"], "usage: sheetwire tail"),
        (["publish", "c", "{}", "--bogus"], "usage: sheetwire publish"),
        (["help", "tial"], "did you mean 'tail'?"),
        (["run", "/nowhere.csv", "--steps", STEPS], "/nowhere.csv"),
        (["run", "/", "--steps", STEPS], "/: is a folder, not a file"),
        (["run", TIMEZONES, "--steps", TIMEZONES], "timezones.csv:1:"),
        (["run", TIMEZONES, "--steps", STEPS, "--out", "/nowhere"], "/nowhere: is not a folder"),
        (["tail"], "usage: sheetwire tail"),
        (["tail", "a/b"], "is no chat id"),
        (["tail", "a", "--since", "x", "--epoch", "e"], "is not a sequence number"),
        (["tail", "a", "--since", "5"], "go together"),
        (["serve", "--workers", "0"], "usage: sheetwire serve"),
        (["--config", "/nowhere.yml", "--check-config"], "/nowhere.yml"),
    ],
)
def test_wrong_usage_ends_with_two_and_a_reason(arguments, text):
    done = run_cli(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr


@pytest.mark.parametrize("verb", ["serve", "run", "tail", "publish"])
def test_every_verb_tells_how_it_is_called(verb):
    everything = run_cli("help").stdout
    for arguments in ([verb, "--help"], [verb, "-h"], ["help", verb]):
        done = run_cli(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"  sheetwire {verb} ") and done.stdout in everything


@pytest.mark.parametrize("program", ["sheetwire", "sheetwire-broker", "sheetwire-gateway", "sheetwire-worker"])
def test_every_program_has_the_common_options(program, tmp_path):
    path = os.path.join(BUILD, program)
    config = tmp_path / "a.yml"
    config.write_text("app:\n  port: 6050\n")
    environment = {"SHEETWIRE_CHAT_WORKFLOWS__MAX_CONNECTIONS": "500", "PATH": os.environ["PATH"]}
    for arguments, texts in [
        (["--help"], [program]),
        (["--version"], [program + " "]),
        (["--config", str(config), "--check-config"],
         ["app.port: 6050  # %s:2" % config,
          "chat_workflows.max_connections: 500  # SHEETWIRE_CHAT_WORKFLOWS__MAX_CONNECTIONS"]),
    ]:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=30, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert all(text in done.stdout for text in texts)
    config.write_text("app:\n  prot: 6050\n")
    done = subprocess.run([path, "--config", str(config), "--check-config"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr == "%s:2: app.prot: unknown key; did you mean app.port?\n" % config




# tail


class Tail:
    """`sheetwire tail`, its lines read as they come."""

    def __init__(self, stack, chat, *arguments):
        self.process = subprocess.Popen(
            [SHEETWIRE, "tail", chat, "--ws", stack.ws_url, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = b""

    def events(self):
        self.text += self.process.stdout.read() or b""
        return [json.loads(line) for line in self.text.split(b"\n")[:-1]]

    def records(self):
        return [event for event in self.events() if "seq" in event and event["type"] != "connected"]

    def wait_for(self, type_name, seconds=20):
        wait_until(lambda: any(e["type"] == type_name for e in self.events()), seconds, "the event " + type_name)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(10)
        self.process.stderr.close()
        self.process.stdout.close()
        return code


@pytest.fixture
def tail():
    made = []

    def make(*arguments):
        made.append(Tail(*arguments))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def chat_with_upload(stack):
    chat = stack.create_chat()
    with open(TIMEZONES, "rb") as file:
        assert stack.upload(chat, "timezones.csv", file.read()).status == 200
    return chat


def search(country):
    condition = {"column": "country", "operator": "equals", "value": country}
    return [{"operation": "csv/search", "arguments": {"conditions": [condition]}}]


def test_tail_prints_a_run_as_json_lines(shared_stack, tail):
    chat = chat_with_upload(shared_stack)
    reader = tail(shared_stack, chat)
    reader.wait_for("connected")
    assert shared_stack.execute(chat, search("Brazil")).status == 200
    reader.wait_for("workflow_completed")
    types = [event["type"] for event in reader.events()]
    assert types[0] == "connected"
    records = [t for t in types if t not in ("progress", "connected")]
    assert records == ["workflow_started", "step_result", "workflow_completed"]
    assert reader.end() == 0


def test_tail_goes_on_from_a_position(shared_stack, tail):
    chat = chat_with_upload(shared_stack)
    first = tail(shared_stack, chat)
    first.wait_for("connected")
    assert shared_stack.execute(chat, search("Brazil")).status == 200
    first.wait_for("workflow_completed")
    held = first.records()[0]
    second = tail(shared_stack, chat, "--since", str(held["seq"]), "--epoch", held["epoch"])
    second.wait_for("workflow_completed")
    assert [e["seq"] for e in second.records()] == [e["seq"] for e in first.records()[1:]]
    assert "connected" not in [e["type"] for e in second.events()]


@pytest.mark.parametrize("name", ["gateway", "broker"])
def test_tail_sees_every_event_once_when_a_process_is_killed(stack, tail, name):
    chat = chat_with_upload(stack)
    reader = tail(stack, chat)
    reader.wait_for("connected")
    assert stack.execute(chat, search("Brazil")).status == 200
    reader.wait_for("workflow_completed")
    program = stack.programs[name]
    stack.kill(program)
    stack.restart(program)
    stack.wait_ready()
    assert stack.execute(chat, search("Argentina")).status == 200
    wait_until(lambda: [e["type"] for e in reader.records()].count("workflow_completed") == 2, 20, "the second run")
    numbers = [event["seq"] for event in reader.records()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert reader.end() == 0


def test_tail_without_a_server_fails(tail):
    done = run_cli("tail", "a", "--ws", "ws://127.0.0.1:9")
    assert done.returncode == 1
    assert "ws://127.0.0.1:9" in done.stderr


def test_run_goes_on_when_the_gateway_is_killed(make_stack, tmp_path):
    stack = make_stack(settings={"workflow.slots": 1})
    rows = tmp_path / "rows.csv"
    with open(rows, "w") as file:
        file.write("country,value\n")
        file.writelines("Brazil,%d\n" % i for i in range(300000))
    steps = tmp_path / "steps.json"
    steps.write_text(json.dumps(search("Brazil") * 4))
    out = tmp_path / "out"
    out.mkdir()
    process = subprocess.Popen(
        [SHEETWIRE, "run", str(rows), "--steps", str(steps), "--out", str(out), *addresses(stack)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    for line in process.stdout:
        if line.startswith("step 1/4"):
            break
    stack.kill(stack.gateway)
    stack.restart(stack.gateway)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "step 4/4 csv/search: 100% completed" in rest
    (saved,) = os.listdir(out)
    assert sum(1 for _ in open(out / saved)) == 300001
