"""Dumps of a conversation and back, hostile archives, snapshots of the record."""

import asyncio
import contextlib
import gzip
import io
import json
import os
import sqlite3
import tarfile
import threading
import time

import pytest
import websockets

from stack import multipart, wait_until

CSV = "name,town\nAda,London\nGrace,New York\n"
STEPS = [{"operation": "csv/search", "arguments": {"conditions": [{"column": "name", "operator": "equals", "value": "Ada"}]}}]
SHARED_SETTINGS = {
    "chat_workflows.dump.unpacked_mb_max": 8,
    "chat_workflows.dump.member_mb_max": 4,
    "chat_workflows.dump.members_max": 50,
    "chat_workflows.dump.record_mb_max": 1,
}


def dump(stack, chat):
    answer = stack.request("POST", "/chat/workflows/%s/dump" % chat)
    assert answer.status == 200, answer
    got = stack.get(answer.data["download_url"])
    assert got.status == 200, got
    return answer.data, got.body


def restore(stack, content, field="dump_file"):
    body, content_type = multipart(field, "d.tar.gz", content)
    return stack.request("POST", "/chat/workflows/restore", body, {"Content-Type": content_type})


def conversation(stack, chat):
    answer = stack.get("/chat/workflows/" + chat)
    assert answer.status == 200, answer
    return answer.data


def events(stack, chat, query=""):
    answer = stack.get("/chat/workflows/%s/events%s" % (chat, query))
    assert answer.status == 200, answer
    return answer.data


def chat_with_a_run(stack):
    chat = stack.create_chat()
    assert stack.upload(chat, "people.csv", "name\nold\n").status == 200
    assert stack.upload(chat, "people.csv", CSV).status == 200
    assert stack.upload(chat, "данные.csv", CSV).status == 200
    assert stack.execute(chat, STEPS).status == 200
    return chat


def objects(stack):
    """Files on disk, whatever their names."""
    return sorted(os.path.join(at, name) for at, _, names in os.walk(stack.settings["chat_workflows.storage.workflows_path"]) for name in names)


def archive(members, mode="w:gz", **options):
    """A tar of (name, content) or TarInfo."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, **options) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def metadata(chat, **more):
    value = {"chat_id": chat, "participant_name": "Orca-1", "status": "created", "messages": [], "metadata": {}}
    return ("%s/conversation_metadata.json" % chat, json.dumps({**value, **more}).encode())


# --- there and back


def test_a_dump_holds_the_folder_and_the_conversation(shared_stack):
    chat = chat_with_a_run(shared_stack)
    about, content = dump(shared_stack, chat)
    assert about["dump_file"].startswith(chat + "_") and about["dump_file"].endswith(".tar.gz")
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        names = tar.getnames()
        told = json.load(tar.extractfile(chat + "/conversation_metadata.json"))
        assert tar.extractfile(chat + "/uploads/people.csv").read().decode() == CSV
        assert tar.extractfile(chat + "/uploads/people.csv.~1~").read() == b"name\nold\n"
        assert tar.extractfile(chat + "/uploads/данные.csv").read().decode() == CSV
    assert {chat, chat + "/uploads", chat + "/outputs", chat + "/intermediate"} <= set(names)
    assert sum(name.startswith(chat + "/outputs/") for name in names) == 1
    now = conversation(shared_stack, chat)
    assert {key: told[key] for key in now} == now
    assert not any(name.startswith(".") for name in os.listdir(shared_stack.settings["chat_workflows.storage.dumps_path"]))


@pytest.mark.parametrize("delete_first", [True, False])
def test_a_conversation_comes_back_whole(shared_stack, delete_first):
    chat = chat_with_a_run(shared_stack)
    before, history = conversation(shared_stack, chat), events(shared_stack, chat)
    job = history["events"][0]["job_id"]
    content = dump(shared_stack, chat)[1]
    if delete_first:
        assert shared_stack.request("DELETE", "/chat/workflows/" + chat).status == 200
    else:
        assert shared_stack.upload(chat, "later.csv", CSV).status == 200
    answer = restore(shared_stack, content)
    assert (answer.status, answer.message, answer.data["chat_id"]) == (200, "Conversation restored successfully", chat)
    after = conversation(shared_stack, chat)
    for key in ("participant_name", "status", "uploaded_files", "output_files", "created_at", "partition_key", "metadata"):
        assert after[key] == before[key], key

    def bare(rows, *ids):
        return [{k: v for k, v in row.items() if k not in ids} for row in rows]

    assert bare(after["messages"], "message_id") == bare(before["messages"], "message_id")
    assert bare(after["workflow_steps"], "step_id") == bare(before["workflow_steps"], "step_id")
    for path in after["uploaded_files"] + after["output_files"]:
        assert shared_stack.get("/chat/workflows/%s/files/%s" % (chat, path.rsplit("/", 1)[1].replace("данные", "%D0%B4%D0%B0%D0%BD%D0%BD%D1%8B%D0%B5"))).status == 200
    again = events(shared_stack, chat)
    assert again["epoch"] != history["epoch"] and again["head"] == history["head"] and again["oldest"] == 1
    assert [e["type"] for e in again["events"]] == [e["type"] for e in history["events"]]
    assert [e["seq"] for e in again["events"]] == list(range(1, again["head"] + 1))
    assert {e["epoch"] for e in again["events"]} == {again["epoch"]}
    assert [e["timestamp"] for e in again["events"]] == [e["timestamp"] for e in history["events"]]
    steps = {step["step_id"] for step in after["workflow_steps"]}
    assert {e["step_id"] for e in again["events"] if "step_id" in e} == steps
    assert shared_stack.get("/chat/workflows/%s/jobs/%s" % (chat, job)).data["status"] == "completed"
    assert shared_stack.execute(chat, STEPS).status == 200, "and it goes on"


def test_a_failed_run_comes_back_and_can_be_retried(shared_stack):
    chat = shared_stack.create_chat()
    shared_stack.upload(chat, "a.csv", CSV)
    wrong = [{"operation": "csv/search", "arguments": {"conditions": [{"column": "none", "operator": "equals", "value": "x"}]}}]
    assert shared_stack.execute(chat, wrong).status == 422
    first = events(shared_stack, chat)["events"][-1]["job_id"]
    retry = "/chat/workflows/%s/jobs/%s/retry?from=start"
    assert shared_stack.request("POST", retry % (chat, first)).status in (200, 202, 422)
    ends = lambda: [e["job_id"] for e in events(shared_stack, chat)["events"] if e["type"] == "workflow_failed"]
    second = wait_until(lambda: ends()[1:], 20, "the second failure")[0]
    assert restore(shared_stack, dump(shared_stack, chat)[1]).status == 200
    told = shared_stack.get("/chat/workflows/%s/jobs/%s" % (chat, second)).data
    assert (told["status"], told["retry_of"]) == ("failed", first) and "none" in told["error"]
    assert shared_stack.request("POST", retry % (chat, second)).status in (200, 202, 422)
    wait_until(lambda: len(ends()) == 3, 20, "the third failure")


def test_a_second_restore_leaves_only_its_own_files(shared_stack):
    chat = chat_with_a_run(shared_stack)
    content = dump(shared_stack, chat)[1]
    for _ in range(2):
        assert restore(shared_stack, content).status == 200
    mine = lambda: [path for path in objects(shared_stack) if "/%s/" % chat in path]
    wait_until(lambda: len(mine()) == 4, 10, "the old files' removal")


def test_a_dump_survives_its_server(make_stack):
    one = make_stack()
    chat = chat_with_a_run(one)
    before, content = conversation(one, chat), dump(one, chat)[1]
    two = make_stack()
    assert restore(two, content).status == 200
    after = conversation(two, chat)
    names = lambda told: [path.rsplit("/", 1)[1] for path in told["uploaded_files"] + told["output_files"]]
    assert names(after) == names(before)
    two.kill(two.broker)
    two.restart(two.broker)
    two.wait_ready()
    assert conversation(two, chat) == after
    assert two.execute(chat, STEPS).status == 200


def test_dumps_of_one_second_have_names_of_their_own(shared_stack):
    chat = chat_with_a_run(shared_stack)
    names = {shared_stack.request("POST", "/chat/workflows/%s/dump" % chat).data["dump_file"] for _ in range(4)}
    assert len(names) == 4


def test_a_dump_of_the_original_is_restored(shared_stack):
    chat = "5f0c1f6e-6a52-4c0e-9b1e-2d1f3c9f8b11"
    message = {
        "message_id": "m1",
        "message_type": "user",
        "content": "hello",
        "metadata": {"a": 1},
        "created_at": "2024-05-06T07:08:09.123456",
    }
    told = metadata(
        chat,
        status="active",
        messages=[message],
        partition_key="2024/05",
        created_at="2024-05-06T07:08:09",
        uploaded_files=["automation/workflows/2024/05/%s/uploads/%s" % (chat, name) for name in ("b.csv", "a.csv", "b.csv")],
    )
    content = archive(
        [
            (chat + "/metadata.json", b"{}"),
            told,
            (chat + "/uploads/a.csv", b"x\n1\n"),
            (chat + "/uploads/b.csv", CSV.encode()),
            (chat + "/outputs/o.csv", b"x\n3\n"),
        ]
    )
    answer = restore(shared_stack, content)
    assert answer.status == 200, answer
    assert [path.rsplit("/", 1)[1] for path in answer.data["uploaded_files"]] == ["a.csv", "b.csv"]
    assert [path.rsplit("/", 1)[1] for path in answer.data["output_files"]] == ["o.csv"]
    assert "/2024/05/" in answer.data["uploaded_files"][0] and answer.data["created_at"].startswith("2024-05-06T07:08:09")
    kept = answer.data["messages"][0]
    assert (kept["content"], kept["metadata"], kept["created_at"]) == ("hello", {"a": 1}, message["created_at"])
    assert shared_stack.execute(chat, STEPS).status == 200


def test_what_cannot_be_dumped_or_downloaded(shared_stack):
    assert shared_stack.request("POST", "/chat/workflows/none/dump").status == 404
    dump(shared_stack, chat_with_a_run(shared_stack))
    for name in ("x.tar.gz", "..", "..%2fchat.db", ".tar.gz", "%2e%2e%2fworkflows", "a%00.tar.gz", "x" * 300 + ".tar.gz"):
        answer = shared_stack.get("/chat/downloads/" + name)
        assert answer.status in (400, 404), (name, answer)
    os.symlink("/etc/passwd", os.path.join(shared_stack.settings["chat_workflows.storage.dumps_path"], "l.tar.gz"))
    assert shared_stack.get("/chat/downloads/l.tar.gz").message == "File not found"


def test_a_download_may_be_had_in_parts(shared_stack):
    about, content = dump(shared_stack, chat_with_a_run(shared_stack))
    got = shared_stack.get(about["download_url"], {"Range": "bytes=2-9"})
    assert (got.status, got.body) == (206, content[2:10])


def test_restore_without_a_file(shared_stack):
    for answer in (
        shared_stack.post_json("/chat/workflows/restore", {}),
        shared_stack.request("POST", "/chat/workflows/restore"),
        restore(shared_stack, b"x", field="file"),
    ):
        assert (answer.status, answer.message) == (422, "No dump file provided")


# --- hostile


def links(chat):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        info = tarfile.TarInfo(chat + "/uploads/a.csv")
        info.type, info.linkname = kind, "/etc/passwd"
        yield [metadata(chat), info]


def hostile(chat):
    good = [metadata(chat), (chat + "/uploads/a.csv", b"x\n1\n")]
    whole = archive(good)
    yield "not an archive", b"hello", 422
    yield "empty", b"", 422
    yield "gzip of no tar", gzip.compress(b"hello" * 1000), 422
    yield "plain tar", archive(good, mode="w:"), 422
    yield "bzip2", archive(good, mode="w:bz2"), 422
    yield "gzip twice", gzip.compress(whole), 422
    yield "truncated", archive([metadata(chat), (chat + "/uploads/a.csv", os.urandom(200000))])[:100000], 422
    yield "damaged", whole[: len(whole) // 2] + b"\0\0\0\0" + whole[len(whole) // 2 + 4 :], 422
    for name in ("/etc/x", "../x", chat + "/../x", chat + "/uploads/../../x", chat + "/uploads/..", chat + "/uploads/a/b.csv",
                 chat + "/other/x", chat + "/x", "x", "other/uploads/a.csv", chat + "//uploads/a.csv", chat + "/uploads//a.csv",
                 chat + "/uploads/a\n.csv"):
        yield "path %r" % name, archive(good + [(name, b"x")]), 422
    for members in links(chat):
        yield "member of type %r" % members[1].type, archive(members), 422
    yield "another conversation's member", archive(good + [("victim/uploads/a.csv", b"x")]), 422
    yield "another conversation's metadata", archive([("%s/conversation_metadata.json" % chat, metadata("victim")[1])]), 422
    yield "metadata twice", archive([metadata(chat)] * 2), 422
    yield "no metadata", archive(good[1:]), 422
    yield "metadata no JSON", archive([("%s/conversation_metadata.json" % chat, b"{")]), 422
    yield "metadata a list", archive([("%s/conversation_metadata.json" % chat, b"[]")]), 422
    yield "a key twice", archive([("%s/conversation_metadata.json" % chat, b'{"chat_id":"x","chat_id":"%s"}' % chat.encode())]), 422
    yield "huge metadata", archive([("%s/conversation_metadata.json" % chat, b" " * (1 << 21))]), 413
    yield "a file twice", archive(good + good[1:]), 422
    yield "too large a file", archive(good + [(chat + "/uploads/b.csv", bytes(5 << 20))]), 413
    yield "too much in all", archive(good + [("%s/uploads/%d.csv" % (chat, i), bytes(3 << 20)) for i in range(4)]), 413
    yield "too many files", archive(good + [("%s/uploads/%d.csv" % (chat, i), b"") for i in range(60)]), 413
    yield "unknown status", archive([metadata(chat, status="zz")]), 422
    yield "a record of the future", archive([metadata(chat, record={"version": 2})]), 422
    for record in (
        {"files": [{"member": "uploads/none.csv", "name": "none.csv", "type": "uploaded"}]},
        {"files": []},
        {"files": [{"member": "uploads/a.csv", "name": "../a.csv", "type": "uploaded"}]},
        {"files": [{"member": "uploads/a.csv", "name": "a.csv", "type": "device"}]},
        {"files": [{"member": "uploads/a.csv", "name": "a.csv", "type": "uploaded"}] * 2},
        {"files": 1},
    ):
        yield "record %r" % record, archive([metadata(chat, record={"version": 1, **record}), good[1]]), 422
    for record in (
        {"jobs": [{"job_id": "victim_workflow_1_00000000", "status": "completed"}]},
        {"jobs": [{"job_id": chat + "_workflow_1_workflow_2_00000000", "status": "completed"}]},
        {"jobs": [{"job_id": chat + "_workflow_1_00000000", "status": "zz"}]},
        {"jobs": [{"job_id": chat + "_workflow_1_00000000", "status": "completed"}] * 2},
        {"jobs": [{"job_id": chat + "_workflow_1_00000000", "status": "completed", "input": 7}]},
        {"jobs": [{"job_id": chat + "_workflow_1_00000000", "status": "completed", "steps": [{}]}]},
        {"jobs": [1]},
        {"events": [{"type": "x", "body": "[]"}]},
        {"events": [{"type": "", "body": "{}"}]},
        {"events": [{"type": "x", "body": json.dumps({"a": "b" * 70000})}]},
        {"events": {}},
    ):
        yield "record %.80r" % record, archive([metadata(chat, record={"version": 1, **record})]), 422


def sparse(chat):
    """The old GNU way to claim a terabyte in a few bytes."""
    info = tarfile.TarInfo(chat + "/uploads/a.csv")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[386:410] = b"%011o\0" % 0 + b"%011o\0" % 512
    head[124:136] = b"%011o\0" % 512
    head[483:495] = b"%011o\0" % (1 << 32)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    rest = archive([metadata(chat)], mode="w:")
    return gzip.compress(bytes(head) + b"x" * 512 + rest)


def test_hostile_archives_are_refused_and_leave_nothing(shared_stack):
    chat = "aaaaaaaa-0000-4000-8000-000000000001"
    victim = chat_with_a_run(shared_stack)
    before, kept = objects(shared_stack), conversation(shared_stack, victim)
    cases = list(hostile(chat)) + [("sparse", sparse(chat), None)]
    for what, content, status in cases:
        answer = restore(shared_stack, content)
        assert answer.status == status or (status is None and answer.status in (413, 422)), (what, answer)
        assert len(answer.message) > 20, (what, answer)
        assert shared_stack.get("/chat/workflows/" + chat).status == 404, what
    wait_until(lambda: objects(shared_stack) == before, 10, "nothing left behind")
    dumps = os.listdir(shared_stack.settings["chat_workflows.storage.dumps_path"])
    assert not any(name.startswith(".") for name in dumps)
    assert conversation(shared_stack, victim) == kept
    shared_stack.check_alive()


def test_a_bomb_is_cut_off_early(shared_stack):
    bomb = gzip.compress(bytes(200 << 20), 9)
    start = time.monotonic()
    answer = restore(shared_stack, bomb)
    assert answer.status in (413, 422) and time.monotonic() - start < 10, answer
    chat = "bomb"
    head = tarfile.TarInfo(chat + "/uploads/a.csv")
    head.size = 200 << 20
    answer = restore(shared_stack, gzip.compress(head.tobuf() + bytes(200 << 20), 9))
    assert (answer.status, "member_mb_max" in answer.message) == (413, True), answer


def test_steps_and_events_of_other_conversations_cannot_be_named(shared_stack):
    victim = chat_with_a_run(shared_stack)
    before = conversation(shared_stack, victim), events(shared_stack, victim)
    step = before[0]["workflow_steps"][0]["step_id"]
    message = before[0]["messages"][0]["message_id"]
    chat = "thief"
    job = {
        "job_id": chat + "_workflow_1_00000000",
        "status": "completed",
        "steps": [{"step_id": step, "operation": "x", "arguments": "{}", "result": '{"a":1}', "status": "completed"}],
    }
    event = {"type": "step_result", "job_id": job["job_id"], "event_id": "e", "body": json.dumps({"step_id": step, "seq": 99})}
    told = metadata(
        chat,
        messages=[{"message_id": message, "message_type": "user", "content": "mine"}],
        record={"version": 1, "files": [], "jobs": [job], "events": [event, event]},
    )
    assert restore(shared_stack, archive([told])).status == 200
    assert (conversation(shared_stack, victim), events(shared_stack, victim)) == before
    mine = events(shared_stack, chat)["events"]
    assert [e["seq"] for e in mine] == [1, 2] and mine[0]["step_id"] != step
    assert conversation(shared_stack, chat)["workflow_steps"][0]["step_id"] == mine[0]["step_id"]


def test_a_run_that_was_caught_in_its_middle_has_failed(shared_stack):
    chat = "halfway"
    job = {"job_id": chat + "_workflow_1_00000000", "status": "running", "submitted_us": 1 << 62, "steps": []}
    told = metadata(chat, status="processing", record={"version": 1, "files": [], "jobs": [job], "events": []})
    answer = restore(shared_stack, archive([told]))
    assert (answer.status, answer.data["status"]) == (200, "failed"), answer
    last = events(shared_stack, chat)["events"][-1]
    assert (last["type"], last["job_id"]) == ("workflow_failed", job["job_id"])
    state = shared_stack.get("/chat/workflows/%s/jobs/%s" % (chat, job["job_id"])).data
    assert state["status"] == "failed" and "dump" in state["error"]


# --- beside live clients


class Client:
    """A WebSocket client in a thread: what it was sent so far."""

    def __init__(self, url):
        self.got = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, args=(url,), daemon=True)
        self.thread.start()

    def run(self, url):
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.read(url))

    async def read(self, url):
        self.task = asyncio.current_task()
        async with websockets.connect(url) as socket:
            async for text in socket:
                self.got.append(json.loads(text))

    def first(self, wanted, what, after=0):
        found = lambda: next((m for m in self.got[after:] if wanted(m)), None)
        return wait_until(found, 15, what)

    def close(self):
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(10)


@pytest.mark.parametrize("delete_first", [True, False])
def test_live_clients_are_told_of_another_history(shared_stack, delete_first):
    chat = chat_with_a_run(shared_stack)
    content = dump(shared_stack, chat)[1]
    client = Client("%s/chat/%s" % (shared_stack.ws_url, chat))
    try:
        first = client.first(lambda m: m["type"] == "connected", "connected")
        if delete_first:
            assert shared_stack.request("DELETE", "/chat/workflows/" + chat).status == 200
        assert restore(shared_stack, content).status == 200
        now = events(shared_stack, chat)
        reset = client.first(lambda m: m["type"] == "connected" and m["epoch"] == now["epoch"], "the new connected")
        # Who was told of the deletion already holds nothing that could be reset.
        assert reset["resume"] == ("snapshot" if delete_first else "reset") and reset["epoch"] != first["epoch"]
        assert (reset["seq"], reset["head"]) == (now["head"], now["head"])
        assert reset["snapshot"]["job"]["status"] == "completed"
        seen = len(client.got)
        assert shared_stack.execute(chat, STEPS).status == 200
        event = client.first(lambda m: m.get("seq") == now["head"] + 1 and m["type"] != "connected", "what follows", seen)
        assert event["epoch"] == now["epoch"]
    finally:
        client.close()
    late = Client("%s/chat/%s?since=1&epoch=%s" % (shared_stack.ws_url, chat, first["epoch"]))
    try:
        assert late.first(lambda m: m["type"] == "connected", "connected")["resume"] == "reset"
    finally:
        late.close()


def test_a_conversation_at_work_is_not_replaced(make_stack):
    stack = make_stack()
    stack.end(stack.workers[0])
    chat = stack.create_chat()
    stack.upload(chat, "a.csv", CSV)
    content = dump(stack, chat)[1]
    assert stack.execute(chat, STEPS, {"Prefer": "respond-async"}).status == 202
    before = objects(stack)
    answer = restore(stack, content)
    assert answer.status == 409 and "cancel" in answer.message
    wait_until(lambda: objects(stack) == before, 10, "nothing left behind")


# --- snapshots of the record


def rows(path, query):
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as db:
        return db.execute(query).fetchall()


def snapshots(folder):
    return sorted(name for name in os.listdir(folder)) if os.path.isdir(folder) else []


def with_snapshots(make_stack, tmp_path, **settings):
    folder = str(tmp_path / "snapshots")
    return folder, make_stack(settings={"chat_workflows.backup.snapshot_path": folder, **settings})


def test_a_backup_holds_the_record(make_stack, tmp_path):
    folder, stack = with_snapshots(make_stack, tmp_path)
    chat = chat_with_a_run(stack)
    answer = stack.request("POST", "/chat/sqlite/backup")
    assert (answer.status, answer.message) == (200, "Database backup created successfully"), answer
    assert answer.data["path"] == os.path.join(folder, answer.data["backup_file"])
    assert rows(answer.data["path"], "PRAGMA integrity_check") == [("ok",)]
    assert rows(answer.data["path"], "SELECT chat_id FROM conversations") == [(chat,)]
    count = "SELECT (SELECT COUNT(*) FROM events), (SELECT COUNT(*) FROM messages), (SELECT COUNT(*) FROM files)"
    assert rows(answer.data["path"], count) == rows(stack.settings["chat_workflows.storage.sqlite_path"], count)
    again = stack.request("POST", "/chat/sqlite/backup")
    assert again.data["backup_file"] != answer.data["backup_file"]
    assert snapshots(folder) == sorted([answer.data["backup_file"], again.data["backup_file"]])


def test_a_backup_that_is_opened_is_another_history(make_stack, tmp_path):
    folder, stack = with_snapshots(make_stack, tmp_path)
    chat = chat_with_a_run(stack)
    before = events(stack, chat)
    path = stack.request("POST", "/chat/sqlite/backup").data["path"]
    stack.end(stack.broker)
    record = stack.settings["chat_workflows.storage.sqlite_path"]
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(record + ending)
    os.rename(path, record)
    stack.restart(stack.broker)
    stack.wait_ready()
    after = events(stack, chat)
    assert after["epoch"] != before["epoch"] and {e["epoch"] for e in after["events"]} == {after["epoch"]}
    assert [e["type"] for e in after["events"]] == [e["type"] for e in before["events"]]
    stack.end(stack.broker)
    stack.restart(stack.broker)
    stack.wait_ready()
    assert events(stack, chat)["epoch"] == after["epoch"], "once is enough"


def test_snapshots_are_taken_and_removed_by_the_clock(make_stack, tmp_path):
    folder = tmp_path / "snapshots"
    folder.mkdir()
    old = ["chat_backup_20200101_000000.db", "chat_backup_20200102_000000.db"]
    for name in old + ["mine.db", "chat_backup_20200101_000000.db.txt"]:
        (folder / name).write_bytes(b"")
    settings = {"chat_workflows.backup.enabled": True, "chat_workflows.backup.interval_minutes": 1, "chat_workflows.backup.retention_days": 30}
    with_snapshots(make_stack, tmp_path, **settings)
    wait_until(lambda: len(snapshots(folder)) == 3, 20, "one new snapshot and the old ones' end")
    left = snapshots(folder)
    assert not set(old) & set(left) and {"mine.db", "chat_backup_20200101_000000.db.txt"} <= set(left)
    newest = next(name for name in left if name.startswith("chat_backup_2") and name.endswith(".db"))
    assert rows(folder / newest, "PRAGMA integrity_check") == [("ok",)]
    stale = folder / "chat_backup_20200103_000000.db"
    os.rename(folder / newest, stale)  # an hour cannot be waited for; a name that says it was can be given
    wait_until(lambda: not stale.exists() and len(snapshots(folder)) == 3, 20, "the next snapshot")
