"""REST as its users see it: the envelope, conversations, uploads and downloads, runs."""

import re
import socket
from urllib.parse import quote

import pytest

from stack import free_ports, wait_until

CSV = "name,town\nAda,London\nGrace,New York\n"


def test_health_and_readiness(shared_stack):
    health = shared_stack.get("/health")
    assert (health.status, health.message) == (200, "Service is healthy")
    assert health.data == {"service": "Sheetwire", "status": "healthy", "version": "v0.0.1"}
    ready = shared_stack.get("/health/ready")
    assert (ready.status, ready.message, ready.data) == (200, "Service is ready", {"ready": True, "workers": 1})


def test_every_answer_carries_the_envelope(shared_stack):
    answer = shared_stack.get("/health")
    assert set(answer.json) == {"data", "message", "meta", "status_code", "total"}
    meta = answer.json["meta"]
    assert (meta["api_version"], meta["locale"]) == ("v0.0.1", "en_US")
    assert re.fullmatch("[0-9a-f]{32}", meta["request_id"])
    assert answer.headers["X-Request-Id"] == meta["request_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", meta["requested_time"])
    assert answer.headers["Content-Type"] == "application/json"


def test_unknown_route(shared_stack):
    answer = shared_stack.get("/none")
    assert (answer.status, answer.message, answer.data) == (404, "Resource not found", None)


def test_wrong_method_names_the_right_ones(shared_stack):
    answer = shared_stack.request("PUT", "/chat/workflows")
    assert (answer.status, answer.json["status_code"]) == (405, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    assert answer.data == {"error_type": "Error", "details": None}
    assert answer.message == "Method PUT is not allowed here; allowed: " + answer.headers["Allow"]


def test_head_is_get_without_a_body(shared_stack):
    get, head = shared_stack.get("/health"), shared_stack.request("HEAD", "/health")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.body))


def test_preflight_allows_every_origin(shared_stack):
    answer = shared_stack.request(
        "OPTIONS",
        "/chat/workflows",
        headers={
            "Origin": "http://studio.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type, x-mine",
        },
    )
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "http://studio.example"
    assert answer.headers["Access-Control-Allow-Methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert answer.headers["Access-Control-Allow-Headers"] == "content-type, x-mine"
    assert answer.headers["Vary"] == "Origin"


def test_errors_too_are_readable_from_other_origins(shared_stack):
    answer = shared_stack.get("/none", {"Origin": "http://studio.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://studio.example"


def test_conversation_lives_and_dies(shared_stack):
    chat = shared_stack.create_chat()
    got = shared_stack.get("/chat/workflows/" + chat)
    assert (got.status, got.message, got.data["chat_id"]) == (200, "Conversation retrieved successfully", chat)
    listed = shared_stack.get("/chat/workflows?limit=1")
    assert [one["chat_id"] for one in listed.data["conversations"]] == [chat] and listed.data["count"] == 1
    gone = shared_stack.request("DELETE", "/chat/workflows/" + chat)
    assert (gone.status, gone.data) == (200, {"chat_id": chat})
    again = shared_stack.get("/chat/workflows/" + chat)
    assert (again.status, again.message) == (404, "Conversation not found")


def test_list_limits_are_numbers_and_bounded(shared_stack):
    for query in ("limit=abc", "limit=-1", "limit=", "offset=x", "limit=99999999999999999999"):
        answer = shared_stack.get("/chat/workflows?" + query)
        assert answer.status == 422, query
        assert query.split("=")[0] in answer.message
    assert shared_stack.get("/chat/workflows?limit=1000000").status == 200
    assert shared_stack.get("/chat/workflows?limit=0").data == {"conversations": [], "count": 0}


def test_ids_that_cannot_be_are_not_found(shared_stack):
    for chat in ("none", "..", "%2e%2e", "a%2fb", "a%20b", "x" * 129, "%ff", "'%22"):
        for method, tail in (("GET", ""), ("DELETE", ""), ("GET", "/files/x"), ("GET", "/jobs/x"), ("POST", "/upload")):
            answer = shared_stack.request(method, "/chat/workflows/" + chat + tail)
            assert (answer.status, answer.message) == (404, "Conversation not found"), (chat, method, tail)


def test_upload_and_download(shared_stack):
    chat = shared_stack.create_chat()
    answer = shared_stack.upload(chat, "people.csv", CSV)
    assert (answer.status, answer.message) == (200, "File uploaded successfully")
    assert answer.data["filename"] == "people.csv"
    assert answer.data["file_path"].endswith("/%s/uploads/people.csv" % chat)
    assert answer.data["download_url"] == "%s/api/v1/chat/workflows/%s/files/people.csv" % (shared_stack.url, chat)
    got = shared_stack.get(answer.data["download_url"])
    assert (got.status, got.body.decode()) == (200, CSV)
    assert got.headers["Content-Type"] == "text/csv"
    assert got.headers["Content-Disposition"] == 'attachment; filename="people.csv"'
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert shared_stack.get("/chat/workflows/" + chat).data["uploaded_files"] == [answer.data["file_path"]]


def test_newest_upload_of_a_name_is_the_one_downloaded(shared_stack):
    chat = shared_stack.create_chat()
    url = [shared_stack.upload(chat, "a.csv", text).data["download_url"] for text in ("x\n1\n", "x\n2\n")][1]
    assert shared_stack.get(url).body == b"x\n2\n"


def test_file_names_are_made_harmless(shared_stack):
    chat = shared_stack.create_chat()
    for sent, stored in (
        ("../../etc/my data (1).csv", "etc_my_data_1.csv"),
        ("dir\\win.csv", "dirwin.csv"),
        ("данные.csv", "данные.csv"),
        ("???.csv", "file.csv"),
    ):
        answer = shared_stack.upload(chat, sent, sent)
        assert (answer.status, answer.data["filename"]) == (200, stored)
        got = shared_stack.get(answer.data["download_url"])
        assert (got.status, got.body.decode()) == (200, sent)
    got = shared_stack.get("/chat/workflows/%s/files/%s" % (chat, quote("данные.csv")))
    assert got.headers["Content-Disposition"] == "attachment; filename=\"______.csv\"; filename*=UTF-8''" + quote("данные.csv")


def test_media_type_follows_the_extension(shared_stack):
    chat = shared_stack.create_chat()
    for name, media_type in (
        ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a.json", "application/json"),
        ("a.txt", "text/plain"),
        ("a.sql", "text/plain"),
        ("a.html", "application/octet-stream"),
    ):
        url = shared_stack.upload(chat, name, "x").data["download_url"]
        assert shared_stack.get(url).headers["Content-Type"] == media_type


def test_parts_of_a_file(shared_stack):
    chat = shared_stack.create_chat()
    url = shared_stack.upload(chat, "a.txt", "0123456789").data["download_url"]
    for wanted, status, body, content_range in (
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ):
        answer = shared_stack.get(url, {"Range": wanted})
        assert (answer.status, answer.headers["Content-Range"]) == (status, content_range), wanted
        assert body is None or answer.body == body, wanted
    etag = shared_stack.get(url).headers["ETag"]
    assert shared_stack.get(url, {"If-None-Match": etag}).status == 304
    assert shared_stack.get(url, {"Range": "bytes=0-1", "If-Range": etag}).status == 206
    assert shared_stack.get(url, {"Range": "bytes=0-1", "If-Range": '"other"'}).status == 200


def test_empty_file_comes_back_empty(shared_stack):
    chat = shared_stack.create_chat()
    got = shared_stack.get(shared_stack.upload(chat, "empty.csv", "").data["download_url"])
    assert (got.status, got.body, got.headers["Content-Length"]) == (200, b"", "0")


def test_unknown_file(shared_stack):
    chat = shared_stack.create_chat()
    for name in ("none.csv", "..", "%2e%2e%2fchat.db", "%ff", "a%0ab"):
        answer = shared_stack.get("/chat/workflows/%s/files/%s" % (chat, name))
        assert (answer.status, answer.message) == (404, "File not found"), name


def test_upload_without_a_file(shared_stack):
    chat = shared_stack.create_chat()
    path = "/chat/workflows/%s/upload" % chat
    assert (lambda a: (a.status, a.message))(shared_stack.request("POST", path)) == (422, "No file provided")
    other = shared_stack.upload(chat, "a.csv", CSV, field="other")
    assert (other.status, other.message) == (422, "No file provided")
    nameless = shared_stack.upload(chat, "", CSV)
    assert (nameless.status, nameless.message) == (422, "Empty filename")
    unknown = shared_stack.upload("none", "a.csv", CSV)
    assert (unknown.status, unknown.message) == (404, "Conversation not found")


def test_upload_that_is_not_a_form(shared_stack):
    path = "/chat/workflows/%s/upload" % shared_stack.create_chat()
    assert shared_stack.post_json(path, {}).status == 415
    no_boundary = shared_stack.request("POST", path, b"x", {"Content-Type": "multipart/form-data"})
    assert no_boundary.status == 400 and "boundary" in no_boundary.message


def test_execute_checks_its_body(shared_stack):
    path = "/chat/workflows/%s/execute" % shared_stack.create_chat()
    for body, headers, status, text in (
        (None, {}, 422, "No steps provided"),
        (b"{}", {"Content-Type": "application/json"}, 422, "No steps provided"),
        (b'{"steps":null}', {"Content-Type": "application/json"}, 422, "No steps provided"),
        (b'{"steps":{}}', {"Content-Type": "application/json"}, 422, "steps"),
        (b'{"steps":\n [}', {"Content-Type": "application/json"}, 400, "line 2, column 3"),
        (b"[1]", {"Content-Type": "application/json"}, 400, "line 1, column 1"),
        (b'{"steps":[{"n":%d}]}' % 10**30, {"Content-Type": "application/json"}, 400, "read as JSON: line 1, column 47: a number is out of range"),
        (b'\xef\xbb\xbf{"steps":{}}', {"Content-Type": "application/json"}, 422, "'steps' is not a list"),
        (b"\xef\xbb\xbf", {"Content-Type": "application/json"}, 400, "line 1, column 1"),
        (b'{"steps":[{"operation":"%s"}]}' % (b"x" * 3000), {"Content-Type": "application/json"}, 422, "'operation' has 3000 bytes"),
        (b'{"steps":[]}', {}, 415, "application/json"),
        (b'{"steps":[]}', {"Content-Type": "text/plain"}, 415, "application/json"),
    ):
        answer = shared_stack.request("POST", path, body, headers)
        assert answer.status == status and text in answer.message, (body, headers, answer)


def test_execute_of_no_steps_completes(shared_stack):
    chat = shared_stack.create_chat()
    shared_stack.upload(chat, "people.csv", CSV)
    answer = shared_stack.execute(chat, [])
    assert (answer.status, answer.message) == (200, "Workflow executed successfully")
    assert answer.data == {"results": [], "output_files": []}


def test_chats_switched_off(make_stack):
    stack = make_stack(settings={"chat_workflows.enabled": False})
    assert stack.get("/health").status == 200
    answer = stack.request("POST", "/chat/workflows")
    assert answer.status == 503 and "chat_workflows.enabled" in answer.message
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", stack.ws_port), timeout=5).close()


def test_without_a_broker_reads_and_writes_are_503(make_stack):
    stack = make_stack(start=False)
    stack.gateway.start()
    def health():
        try:
            return stack.get("/health")
        except OSError:
            return None

    wait_until(health)
    ready = stack.get("/health/ready")
    assert ready.status == 503 and ready.data["ready"] is False and ready.data["missing"] == ["broker"]
    answer = stack.request("POST", "/chat/workflows")
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0


def test_taken_ports_are_named(make_stack):
    stack = make_stack(workers=0, start=False)
    stack.gateway.start()
    wait_until(lambda: "REST listening on http://" in stack.gateway.log())
    free = {"app.port": free_ports(1)[0], "chat_workflows.websocket.port": free_ports(1)[0]}
    for i, key in enumerate(free):
        settings = {other: port for other, port in free.items() if other != key}
        second = stack.add("second-%d" % i, "sheetwire-gateway", settings)
        stack.expected_dead.add(second.name)
        second.start()
        assert second.process.wait(10) == 1
        assert "127.0.0.1:%d" % stack.settings[key] in second.log() and key in second.log()
