"""REST against clients that lie, dawdle or speak broken HTTP. What is ambiguous is refused and the connection closed; what
is merely unusual is understood; nothing a client does harms the next one."""

import json
import os
import signal
import socket
import time

import pytest

from stack import Answer, multipart, wait_until

IDLE_SECONDS = 2
FILE_BYTES_MAX = 1 << 20
SHARED_SETTINGS = {"http.idle_timeout_seconds": IDLE_SECONDS, "file.max_file_size_mb": FILE_BYTES_MAX >> 20}

HOST = b"Host: a\r\n"
NEXT = b"GET /api/v1/health HTTP/1.1\r\nHost: b\r\n\r\n"
JSON = b"Content-Type: application/json\r\n"
STEPS = b'{"steps":[]}'


class Raw:
    """A connection on which bytes are sent as they are."""

    def __init__(self, stack):
        self.socket = socket.create_connection(("127.0.0.1", stack.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(10)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def _fill(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += got
        return bool(got)

    def answer(self, head_only=False):
        """The next answer, or None when the server has closed."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        length = 0 if head_only else int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            assert self._fill(), "the answer is cut"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(int(lines[0].split()[1]), headers, body)

    def statuses(self, count):
        return [self.answer().status for _ in range(count)]

    def closed(self):
        """True when the server closes without a further answer."""
        return self.answer() is None


@pytest.fixture
def chat(shared_stack):
    chat = shared_stack.create_chat()
    yield chat
    assert shared_stack.get("/health").status == 200
    shared_stack.check_alive()


def execute(chat, headers, body=b"", version=b"HTTP/1.1"):
    path = b"/api/v1/chat/workflows/%s/execute" % chat.encode()
    return b"POST " + path + b" " + version + b"\r\n" + HOST + JSON + headers + b"\r\n" + body


def get(headers=b"", path=b"/api/v1/health", version=b"HTTP/1.1", method=b"GET"):
    return method + b" " + path + b" " + version + b"\r\n" + HOST + headers + b"\r\n"


def understood(answer):
    """Execute has read `{"steps":[]}` as it was sent: what is missing is the file."""
    return (answer.status, answer.message) == (422, "No uploaded file found for processing")


def length(body):
    return b"Content-Length: %d\r\n" % len(body)


# --- bodies

CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b'5\r\n{"ste\r\n7;name=1;q="a;b"\r\nps":[]}\r\n0\r\nTrailer: 1\r\n\r\n'


def test_chunked_body_arrives_whole(shared_stack, chat):
    with Raw(shared_stack) as raw:
        raw.send(execute(chat, CHUNKED, CHUNKS) + NEXT)
        assert understood(raw.answer()) and raw.answer().status == 200


def test_chunked_body_may_come_byte_by_byte(shared_stack, chat):
    whole = execute(chat, CHUNKED, CHUNKS)
    with Raw(shared_stack) as raw:
        raw.send(*(whole[i : i + 1] for i in range(len(whole))))
        assert understood(raw.answer())


@pytest.mark.parametrize("size", [b"zz", b"-5", b"0x5", b"", b"ffffffffffffffffff", b"5 5"])
def test_bad_chunk_sizes_end_the_connection(shared_stack, chat, size):
    with Raw(shared_stack) as raw:
        raw.send(execute(chat, CHUNKED, size + b"\r\nhello\r\n0\r\n\r\n") + NEXT)
        assert raw.answer().status in (400, 413)
        assert raw.closed()


def test_post_without_length_has_no_body(shared_stack):
    with Raw(shared_stack) as raw:
        raw.send(get(method=b"POST", path=b"/api/v1/chat/workflows") + NEXT)
        assert raw.statuses(2) == [201, 200]


def test_body_of_a_get_is_read_and_dropped(shared_stack):
    with Raw(shared_stack) as raw:
        raw.send(get(CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n" + get(b"Content-Length: 5\r\n") + b"hello" + NEXT)
        assert raw.statuses(3) == [200, 200, 200]


def test_pipelined_requests_are_answered_in_order(shared_stack, chat):
    one = execute(chat, length(STEPS), STEPS)
    with Raw(shared_stack) as raw:
        raw.send((one + NEXT) * 50)
        assert raw.statuses(100) == [422, 200] * 50


def test_length_longer_than_the_body(shared_stack, chat):
    with Raw(shared_stack) as raw:
        raw.send(execute(chat, b"Content-Length: 50\r\n", STEPS))
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.closed()


def test_length_shorter_than_the_body(shared_stack, chat):
    with Raw(shared_stack) as raw:
        raw.send(execute(chat, length(STEPS), STEPS + b"XYZ /q HTTP/1.1\r\n\r\n"))
        assert understood(raw.answer())
        assert raw.answer().status == 400
        assert raw.closed()


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 12\r\nContent-Length: 12\r\n",
        b"Content-Length: 12\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nContent-Length: 12\r\n",
        b"Content-Length: 12\r\n" + CHUNKED,
        CHUNKED + b"Content-Length: 12\r\n",
        CHUNKED + CHUNKED,
        b"Transfer-Encoding: gzip\r\n" + CHUNKED,
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Content-Length: -12\r\n",
        b"Content-Length: +12\r\n",
        b"Content-Length: 12abc\r\n",
        b"Content-Length: 12, 12\r\n",
        b"Content-Length: 0xc\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: abc\r\n",
        b"Content-Length : 12\r\n",
        b"Content-Length: 1\r\n 2\r\n",
        b"Content-Length\r\n : 12\r\n",
    ],
)
def test_ambiguous_framing_is_refused(shared_stack, chat, headers):
    with Raw(shared_stack) as raw:
        raw.send(execute(chat, headers, STEPS) + NEXT)
        assert raw.answer().status == 400
        assert raw.closed()


def test_http_1_0_has_no_chunks(shared_stack, chat):
    with Raw(shared_stack) as raw:
        raw.send(execute(chat, CHUNKED, CHUNKS, version=b"HTTP/1.0"))
        assert raw.answer().status == 400
        assert raw.closed()


@pytest.mark.parametrize("number", [b"99999999999999999999", b"9223372036854775808", b"18446744073709551628", b"999999999"])
def test_lengths_beyond_the_limit_are_refused_before_the_body(shared_stack, chat, number):
    with Raw(shared_stack) as raw:
        raw.send(execute(chat, b"Content-Length: " + number + b"\r\n"))
        answer = raw.answer()
        assert answer.status == 413
        assert len(number) > 9 or "http.json_bytes_max" in answer.message
        assert raw.closed()


def test_chunked_body_beyond_the_limit(shared_stack, chat):
    limit = 4194304
    with Raw(shared_stack) as raw:
        raw.send(execute(chat, CHUNKED), b"%x\r\n" % (limit + 1) + b" " * (limit + 1) + b"\r\n0\r\n\r\n")
        answer = raw.answer()
        assert answer.status == 413 and "http.json_bytes_max" in answer.message


# --- 100-continue


def upload_head(chat, body, content_type, more=b""):
    path = b"/api/v1/chat/workflows/%s/upload" % chat.encode()
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Content-Type: " + content_type.encode() + b"\r\n" + length(body) + more + b"\r\n"


EXPECT = b"Expect: 100-continue\r\n"


def test_continue_is_sent_before_the_body(shared_stack, chat):
    body, content_type = multipart("file", "a.csv", "a\n1\n")
    with Raw(shared_stack) as raw:
        raw.send(upload_head(chat, body, content_type, EXPECT))
        assert raw.answer().status == 100
        raw.send(body)
        assert raw.answer().status == 200
        assert raw.send(NEXT).answer().status == 200


def test_refusal_comes_instead_of_continue(shared_stack, chat):
    body, content_type = multipart("file", "a.csv", "a\n1\n")
    for head, status in (
        (upload_head("none", body, content_type, EXPECT), 404),
        (upload_head(chat, body, "text/plain", EXPECT), 415),
        (execute(chat, b"Content-Length: 999999999\r\n" + EXPECT), 413),
        (execute(chat, length(STEPS) + b"Expect: tea\r\n"), 417),
    ):
        with Raw(shared_stack) as raw:
            assert raw.send(head).answer().status == status
            assert raw.closed()


def test_early_refusal_reaches_a_client_that_only_writes(shared_stack, chat):
    body, content_type = multipart("file", "a.csv", b"x" * (8 * FILE_BYTES_MAX))
    with Raw(shared_stack) as raw:
        raw.send(upload_head(chat, body, content_type), body)
        answer = raw.answer()
        assert answer.status == 413 and answer.json["status_code"] == 413


# --- header fields


@pytest.mark.parametrize(
    "request_bytes",
    [
        get(b"X-A: one\r\n two\r\n"),
        b"GET /api/v1/health HTTP/1.1\r\n X-A: 1\r\nHost: a\r\n\r\n",
        get(b"X-A : one\r\n"),
        get(b"X A: one\r\n"),
        get(b": one\r\n"),
        get(b"X-A: on\0e\r\n"),
        get(path=b"/api/v1/hea\0lth"),
        get(b"X-A: a\rX-B: b\r\n"),
        get(b"X-A: a\x01b\r\n"),
        b"GET /api/v1/health HTTP/1.1\nHost: a\n\n",
        b"GET /api/v1/health HTTP/1.1\r\n\r\n",
        get(b"Host: b\r\n"),
        b"GET /api/v1/health HTTP/1.1\r\nHost: a b\r\n\r\n",
        get(version=b"HTTP/1.2"),
        get(path=b"api/v1/health"),
        get(path=b"*"),
        get(path=b"/api/v1/he alth"),
        get(path=b"/api/v1/%zz"),
        get(path=b"/api/v1/%"),
        get(path=b"/api/v1/health%00"),
        get(method=b"G(T"),
    ],
)
def test_broken_headers_are_refused(shared_stack, request_bytes):
    with Raw(shared_stack) as raw:
        assert raw.send(request_bytes).answer().status == 400
    assert shared_stack.get("/health").status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        get(b"X-Empty:\r\n"),
        get(b"X-Empty: \r\n"),
        get(b"X-A:one\r\n"),
        get(b"X-A: \t  one  \r\n"),
        get(b"X-A: \xc3\xa4\xff\r\n"),
        b"\r\n\r\n" + get(),
        get(path=b"http://elsewhere/api/v1/health"),
        get(path=b"/api/v1/h%65alth?x=%20+"),
        get(version=b"HTTP/1.0"),
        b"GET /api/v1/health HTTP/1.0\r\n\r\n",
        get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        get(b"".join(b"X-%d: a\r\n" % i for i in range(100))),
    ],
)
def test_unusual_headers_are_understood(shared_stack, request_bytes):
    with Raw(shared_stack) as raw:
        assert raw.send(request_bytes).answer().status == 200


def test_http_2_is_not_spoken(shared_stack):
    with Raw(shared_stack) as raw:
        assert raw.send(get(version=b"HTTP/2.0")).answer().status == 505


def test_oversized_headers(shared_stack):
    for request_bytes, statuses in (
        (get(b"X-A: " + b"a" * 20000 + b"\r\n"), (431,)),
        (get(b"X-A: " + b"a" * 100000 + b"\r\n"), (431,)),
        (get(b"".join(b"X-%d: a\r\n" % i for i in range(20000))), (431,)),
        (get(path=b"/" + b"a" * 100000), (414,)),
        (get(path=b"/api/v1/health?" + b"a" * 100000), (414,)),
        (get(b"a" * 100000 + b": 1\r\n"), (431,)),
    ):
        with Raw(shared_stack) as raw:
            try:
                raw.send(request_bytes)
            except ConnectionError:
                pass  # the refusal came while we were still sending
            assert raw.answer().status in statuses, request_bytes[:40]


def test_other_methods_meet_405_or_404(shared_stack):
    for method in (b"BREW", b"TRACE", b"get", b"PATCH", b"DELETE"):
        with Raw(shared_stack) as raw:
            answer = raw.send(get(method=method)).answer()
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS"), method
            assert answer.json["status_code"] == 405
        with Raw(shared_stack) as raw:
            assert raw.send(get(method=method, path=b"/nowhere")).answer().status == 404


def test_head_has_no_body_and_keeps_the_connection(shared_stack):
    with Raw(shared_stack) as raw:
        raw.send(get(method=b"HEAD") + NEXT)
        head = raw.answer(head_only=True)
        assert head.status == 200 and int(head.headers["content-length"]) > 0
        assert raw.answer().json["status_code"] == 200


def test_paths_are_not_normalised(shared_stack):
    for path in (
        b"/api/v1/chat/../health",
        b"/api/v1//health",
        b"/api/v1/health/",
        b"/api%2fv1/health",
        b"/api/v1/./health",
        b"/../../../../etc/passwd",
        b"/" + b"/a" * 100,
    ):
        with Raw(shared_stack) as raw:
            assert raw.send(get(path=path)).answer().status in (404, 413), path


# --- uploads


def stored_files(stack):
    return sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(stack.settings["chat_workflows.storage.workflows_path"]) for name in names
    )


def test_form_may_come_byte_by_byte(shared_stack, chat):
    content = bytes(range(256)) + b"\r\n--sheetwire\r\n--sheetwire-test-boundar\r\r\n--"
    body, content_type = multipart("file", "a.bin", content)
    whole = upload_head(chat, body, content_type) + body
    with Raw(shared_stack) as raw:
        raw.send(*(whole[i : i + 1] for i in range(len(whole))))
        answer = raw.answer()
    assert answer.status == 200
    assert shared_stack.get("/chat/workflows/%s/files/a.bin" % chat).body == content


@pytest.mark.parametrize("cut", [1, 2, 30, 60, 200])
def test_truncated_form_is_refused_and_leaves_nothing(shared_stack, chat, cut):
    before = stored_files(shared_stack)
    body, content_type = multipart("file", "a.csv", b"a,b\n1,2\n" * 20)
    body = body.rstrip(b"\r\n")[:-cut]
    answer = shared_stack.request("POST", "/chat/workflows/%s/upload" % chat, body, {"Content-Type": content_type})
    assert answer.status == 400 and "multipart" in answer.message
    wait_until(lambda: stored_files(shared_stack) == before, what="an empty folder")
    assert shared_stack.get("/chat/workflows/" + chat).data["uploaded_files"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"--other\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--other--\r\n",
        b"--b\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data; name=\"fi\x01le\"; filename=a\r\n\r\nx\r\n--b--\r\n",
        b"--b\nContent-Disposition: form-data; name=file; filename=a\n\nx\n--b--\n",
        b"--bContent-Disposition: form-data; name=file; filename=a\r\n\r\nx\r\n",
    ],
)
def test_forms_that_are_none(shared_stack, chat, body):
    before = stored_files(shared_stack)
    answer = shared_stack.request(
        "POST", "/chat/workflows/%s/upload" % chat, body, {"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.status == (400 if body else 422)
    assert stored_files(shared_stack) == before


def test_client_that_hangs_up_in_mid_upload_leaves_nothing(shared_stack, chat):
    before = stored_files(shared_stack)
    body, content_type = multipart("file", "a.csv", b"x" * 500000)
    with Raw(shared_stack) as raw:
        raw.send(upload_head(chat, body, content_type), body[:400000])
        wait_until(lambda: stored_files(shared_stack) != before, what="the beginning of the file")
    wait_until(lambda: stored_files(shared_stack) == before, what="nothing of the file")


def test_uploads_beyond_the_limit(shared_stack, chat):
    before = stored_files(shared_stack)
    for size, status in ((FILE_BYTES_MAX, 200), (FILE_BYTES_MAX + 1, 413)):
        answer = shared_stack.upload(chat, "a.bin", b"x" * size)
        assert answer.status == status
    assert answer.message == "'a.bin' has more than %d bytes (file.max_file_size_mb)" % FILE_BYTES_MAX
    body, content_type = multipart("file", "b.bin", b"x" * (2 * FILE_BYTES_MAX))
    with Raw(shared_stack) as raw:
        head = upload_head(chat, b"", content_type).replace(length(b""), CHUNKED)
        raw.send(head, b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
        assert raw.answer().status == 413
    wait_until(lambda: len(stored_files(shared_stack)) == len(before) + 1, what="one file")


# --- time


def seconds_until_closed(raw, feed=None):
    """How long the server keeps a client that sends nothing, or one byte of `feed` now and then."""
    began = time.monotonic()
    raw.socket.settimeout(0.2)
    while time.monotonic() - began < 5 * IDLE_SECONDS:
        try:
            if feed:
                raw.socket.sendall(feed)
            if not raw.socket.recv(65536):
                break
        except socket.timeout:
            continue
        except ConnectionError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    "sent, feed",
    [
        (b"", None),
        (b"GET /api/v1/health HT", None),
        (get()[:-2], None),
        (get()[:-2], b"X: 1\r\n"),
        (b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3", None),
        (NEXT, None),
    ],
    ids=["silent", "half a line", "half a header", "drop by drop", "tls", "idle after a request"],
)
def test_slow_headers_time_out(shared_stack, sent, feed):
    with Raw(shared_stack) as raw:
        raw.send(sent)
        took = seconds_until_closed(raw, feed)
        assert took < 2.5 * IDLE_SECONDS, took


@pytest.mark.parametrize("feed", [None, b"x"], ids=["silent", "drop by drop"])
def test_slow_bodies_time_out(shared_stack, chat, feed):
    before = stored_files(shared_stack)
    body, content_type = multipart("file", "a.csv", b"x" * 500000)
    with Raw(shared_stack) as raw:
        raw.send(upload_head(chat, body, content_type), body[:1000])
        assert seconds_until_closed(raw, feed) < 2.5 * IDLE_SECONDS
    wait_until(lambda: stored_files(shared_stack) == before, what="nothing of the file")


# --- many


def test_excess_connections_are_told_503(make_stack):
    stack = make_stack(settings={"http.connections_max": 5})
    held = []

    def hold_one():  # connections of the start may still be about to end
        raw = Raw(stack).send(NEXT)
        if raw.answer().status == 200:
            held.append(raw)
        return len(held) == 5

    wait_until(hold_one, what="all places taken")
    answer = stack.get("/health")
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    assert "(http.connections_max)" in answer.message
    held.pop().socket.close()
    wait_until(lambda: stack.get("/health").status == 200, what="a free place")
    for raw in held:
        raw.socket.close()


def memory_kib(program):
    with open("/proc/%d/status" % program.pid) as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]), int(fields["Threads"])


def test_large_uploads_do_not_grow_the_gateway(make_stack):
    stack = make_stack(workers=1, settings={"file.max_file_size_mb": 512})
    chat = stack.create_chat()
    stack.upload(chat, "small.bin", b"x" * 100000)
    before, _ = memory_kib(stack.gateway)
    piece = os.urandom(1 << 20)
    body, content_type = multipart("file", "large.bin", b"@@")
    head, tail = body.split(b"@@")
    with Raw(stack) as raw:
        raw.socket.settimeout(120)
        raw.send(upload_head(chat, b"", content_type).replace(length(b""), b"Content-Length: %d\r\n" % (len(head) + len(tail) + 256 * len(piece))))
        raw.send(head, *[piece] * 256, tail)
        assert raw.answer().status == 200
    after, _ = memory_kib(stack.gateway)
    assert after - before < 24 * 1024, (before, after)
    got = stack.request("GET", "/chat/workflows/%s/files/large.bin" % chat, headers={"Range": "bytes=-1048576"})
    assert got.status == 206 and got.body == piece


# --- waiting for a run that does not come


def waiting_execute(stack, chat):
    raw = Raw(stack)
    body = json.dumps({"steps": [{"operation": "csv/search", "arguments": {"conditions": []}}]}).encode()
    raw.send(execute(chat, length(body), body))
    return raw


def jobless_stack(make_stack, **settings):
    """A stack without a worker: an execute waits for ever."""
    stack = make_stack(workers=0, settings=settings, wait=False)

    def up():
        stack.check_alive()
        try:
            return stack.request("POST", "/chat/workflows").status == 201
        except OSError:
            return False

    wait_until(up, 30, "gateway and broker")
    return stack


def chats_with_file(stack, count):
    chats = [stack.create_chat() for _ in range(count)]
    for chat in chats:
        assert stack.upload(chat, "a.csv", "a\n1\n").status == 200
    return chats


def test_waits_hold_no_thread_and_end_with_202_on_a_drain(make_stack):
    stack = jobless_stack(make_stack)
    chats = chats_with_file(stack, 50)
    _, threads = memory_kib(stack.gateway)
    waiting = [waiting_execute(stack, chat) for chat in chats]
    for chat in chats:
        wait_until(lambda: stack.get("/chat/workflows/" + chat).data["status"] == "processing", what="an accepted run")
    assert memory_kib(stack.gateway)[1] == threads
    began = time.monotonic()
    assert stack.end(stack.gateway) == 0
    assert time.monotonic() - began < 4
    jobs = set()
    for raw in waiting:
        answer = raw.answer()
        assert (answer.status, answer.data["status"]) == (202, "submitted")
        assert answer.headers["location"].endswith("/jobs/" + answer.data["job_id"])
        jobs.add(answer.data["job_id"])
        raw.socket.close()
    assert len(jobs) == len(chats)


def test_a_drain_lies_to_nobody_when_the_broker_is_silent(make_stack):
    stack = jobless_stack(make_stack)
    (chat,) = chats_with_file(stack, 1)
    os.kill(stack.broker.pid, signal.SIGSTOP)
    try:
        with waiting_execute(stack, chat) as raw:
            health = stack.get("/health")  # the execute, sent before, has been read
            began = time.monotonic()
            assert stack.end(stack.gateway) == 0
            assert time.monotonic() - began < 4
            assert health.status == 200 and raw.answer().status == 504
    finally:
        os.kill(stack.broker.pid, signal.SIGCONT)


def test_drains_end_though_clients_dawdle(make_stack):
    stack = make_stack(settings={"file.max_file_size_mb": 64})
    chat = stack.create_chat()
    url = stack.upload(chat, "a.bin", b"x" * (32 << 20)).data["download_url"]
    before = stored_files(stack)
    body, content_type = multipart("file", "b.bin", b"x" * 500000)
    with Raw(stack) as idle, Raw(stack) as sender, Raw(stack) as reader:
        assert idle.send(NEXT).answer().status == 200
        sender.send(upload_head(chat, body, content_type), body[:400000])
        reader.send(get(path=url[len(stack.url) :].encode()))
        assert reader.socket.recv(1000)
        wait_until(lambda: stored_files(stack) != before, what="the beginning of the file")
        began = time.monotonic()
        assert stack.end(stack.gateway) == 0
        assert time.monotonic() - began < 4
    assert stored_files(stack) == before


def test_wait_that_outlasts_its_time_is_answered_202(make_stack):
    stack = jobless_stack(make_stack, **{"http.execute_wait_seconds": 1})
    (chat,) = chats_with_file(stack, 1)
    with waiting_execute(stack, chat) as raw:
        answer = raw.answer()
    assert answer.status == 202
    job = stack.get(answer.headers["location"])
    assert (job.status, job.data["job_id"]) == (200, answer.data["job_id"])


def test_no_wait_is_answered_at_once(make_stack):
    stack = jobless_stack(make_stack)
    (chat,) = chats_with_file(stack, 1)
    answer = stack.execute(chat, [{"operation": "csv/search", "arguments": {}}], {"Prefer": "respond-async"})
    assert (answer.status, answer.data["status"]) == (202, "submitted")
    assert stack.get(answer.headers["Location"]).status == 200


def test_client_that_hangs_up_cancels_nothing(make_stack):
    stack = jobless_stack(make_stack)
    (chat,) = chats_with_file(stack, 1)
    waiting_execute(stack, chat).socket.close()
    wait_until(lambda: stack.get("/chat/workflows/" + chat).data["status"] == "processing", what="an accepted run")
    stack.restart(stack.add("worker-1", "sheetwire-worker"))
    wait_until(lambda: stack.get("/chat/workflows/" + chat).data["status"] in ("completed", "failed"), 30, "the run's end")
