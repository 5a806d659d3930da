"""Runs are listed, shown while they run, cancelled and retried; what a run had kept may vanish; the queue has an end."""

import glob
import os
import threading
import time

import pytest

from reader import Reader
from stack import wait_until

SETTINGS = {"broker.lease_ms": 1500, "wire.beat_ms": 100, "workflow.progress_interval_ms": 50}
CSV = "n,word\n" + "".join("%d,%s\n" % (i, "x" * 60) for i in range(150000))
SLOW = [
    {"operation": "csv/search", "arguments": {"conditions": [{"column": "word", "operator": "contains", "value": "X"}]}},
    {"operation": "excel/map-columns", "arguments": {"mapping": {"Number": "n"}}},
    {"operation": "json/generate", "arguments": {"column_mapping": {"Number": "n"}}},
]
FAILS = SLOW[:1] + [{"operation": "excel/extract-columns-to-file", "arguments": {"columns": ["no such column"]}}]


def prepare(stack, content=CSV):
    chat = stack.create_chat()
    assert stack.upload(chat, "words.csv", content).status == 200
    return chat


def submit(stack, chat, steps=SLOW):
    answer = stack.execute(chat, steps, {"Prefer": "respond-async"})
    assert answer.status == 202, answer
    return answer.data["job_id"]


def job_path(chat, job, verb=""):
    return "/chat/workflows/%s/jobs/%s%s" % (chat, job, verb and "/" + verb)


def show(stack, chat, job):
    answer = stack.get(job_path(chat, job))
    assert answer.status == 200, answer
    return answer.data


def await_end(stack, chat, job, seconds=60):
    def ended():
        found = show(stack, chat, job)
        return found if found["status"] in ("completed", "failed", "cancelled") else None

    return wait_until(ended, seconds, "the end of " + job)


def test_steps_mean_what_any_reader_of_json_reads_in_them(shared_stack):
    chat = prepare(shared_stack, "n,word\n1,abc\n2,\u0158\u00edp\n")
    body = rb"""
      { "steps" : [ { "operation" : "x" , "oper\u0061tion" : "csv\/se\u0061rch" , "arguments" : 1 ,
                      "arg\u0075ments" : { "conditions" : [ { "column" : "word" , "operator" : "equals" , "value" : "abc" ,
                                                             "v\u0061lue" : "\u0158\u00ed\u0070" } ] } } ] } """
    path = "/chat/workflows/%s/execute" % chat
    answer = shared_stack.request("POST", path, body, {"Content-Type": "application/json", "Prefer": "respond-async"})
    assert answer.status == 202, answer
    found = await_end(shared_stack, chat, answer.data["job_id"])
    assert found["status"] == "completed", found
    (step,) = found["steps"]
    assert step["operation"] == "csv/search"
    assert step["arguments"] == {
        "conditions": [{"column": "word", "operator": "equals", "value": "\u0158\u00edp"}]
    }


def test_cancel_ends_a_run_for_good(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack)
    reader = Reader(stack, chat)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(stack.execute(chat, SLOW)))
    waiting.start()
    reader.wait_for("workflow_started")
    job = reader.records[0]["job_id"]
    began = time.monotonic()
    answer = stack.request("POST", job_path(chat, job, "cancel"))
    assert answer.status == 200 and answer.data == {"job_id": job, "status": "cancelled"}, answer
    waiting.join(10)
    assert answers[0].status == 409 and answers[0].message == "Workflow cancelled", answers
    reader.wait_for("workflow_cancelled")
    assert reader.records[-1]["job_id"] == job and reader.records[-1]["message"]
    # the step's process is gone: the only slots are free again and the next run starts
    wait_until(lambda: stack.get("/health/ready").status == 200, 5)
    assert time.monotonic() - began < 5
    assert show(stack, chat, job)["status"] == "cancelled"
    again = stack.request("POST", job_path(chat, job, "cancel"))
    assert again.status == 409 and "cancelled" in again.message, again
    assert stack.execute(chat, SLOW[:1]).status == 200
    assert reader.close() == []


def test_cancel_is_remembered_through_a_restart(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack)
    job, other = submit(stack, chat), submit(stack, chat, SLOW[:1])
    assert stack.request("POST", job_path(chat, job, "cancel")).status == 200
    stack.kill(stack.broker)
    stack.restart(stack.broker)
    stack.wait_ready()
    assert show(stack, chat, job)["status"] == "cancelled"
    assert await_end(stack, chat, other)["status"] == "completed"


def test_a_waiting_job_can_be_cancelled(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack)
    running, waiting = submit(stack, chat), submit(stack, chat)
    assert stack.request("POST", job_path(chat, waiting, "cancel")).status == 200
    assert show(stack, chat, waiting)["status"] == "cancelled"
    assert await_end(stack, chat, running)["status"] == "completed"


def test_unknown_jobs_and_wrong_words(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack, "n\n1\n")
    for verb in ("cancel", "retry"):
        assert stack.request("POST", job_path(chat, "nobody", verb)).status == 404
        assert stack.request("POST", job_path("no-such-chat", "nobody", verb)).status == 404
        assert stack.get(job_path(chat, "nobody", verb)).status == 405
    done = stack.execute(chat, SLOW[2:])
    assert done.status in (200, 422)
    assert stack.request("POST", job_path(chat, "x", "retry") + "?from=middle").status == 422
    assert stack.get("/chat/workflows/no-such-chat/jobs").status == 404


def test_jobs_are_listed_and_shown(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack, CSV + CSV[len("n,word\n"):] * 3)  # long enough to be seen in the middle on a busy machine
    first = submit(stack, chat)
    second = submit(stack, chat, FAILS)

    def moving():
        found = show(stack, chat, first)
        running = [s for s in found["steps"] if s["status"] == "running" and 0 < s["progress"] < 100]
        return found if running else None

    found = wait_until(moving, 30, "progress in the middle of a step")
    assert found["status"] == "running" and found["attempts"] == 1 and 0 <= found["progress"] < 100
    assert await_end(stack, chat, first)["progress"] == 100
    failed = await_end(stack, chat, second)
    assert failed["status"] == "failed" and "no such column" in failed["error"]
    assert [s["status"] for s in failed["steps"]] == ["completed", "failed"]
    for step in failed["steps"]:
        assert step["started_at"] and step["completed_at"]
    listed = stack.get("/chat/workflows/%s/jobs" % chat)
    assert listed.status == 200 and listed.data["count"] == 2
    assert [j["job_id"] for j in listed.data["jobs"]] == [second, first]
    for job in listed.data["jobs"]:
        assert job["submitted_at"] and job["started_at"] and job["completed_at"] and job["attempts"] == 1
    page = stack.get("/chat/workflows/%s/jobs?limit=1&offset=1" % chat).data
    assert [j["job_id"] for j in page["jobs"]] == [first]
    assert stack.get("/chat/workflows/%s/jobs?limit=x" % chat).status == 422


def test_retry_goes_on_after_the_finished_steps(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack)
    reader = Reader(stack, chat)
    job = submit(stack, chat)
    reader.wait_for("step_result")
    assert stack.request("POST", job_path(chat, job, "cancel")).status == 200
    done = reader.types().count("step_result")
    answer = stack.request("POST", job_path(chat, job, "retry") + "?from=failed")
    assert answer.status == 202 and answer.headers["Location"].endswith(answer.data["job_id"]), answer
    new = answer.data["job_id"]
    assert new != job
    ended = await_end(stack, chat, new)
    assert ended["status"] == "completed" and ended["retry_of"] == job
    assert len(ended["result"]["results"]) == 3 and len(ended["result"]["output_files"]) == 3
    reader.wait_for("workflow_completed")
    assert reader.types().count("step_result") == 3, "finished steps are not done again (%d were)" % done
    assert reader.close() == []
    for path in ended["result"]["output_files"]:
        assert stack.get("/chat/workflows/%s/files/%s" % (chat, os.path.basename(path))).status == 200
    refused = stack.request("POST", job_path(chat, new, "retry"))
    assert refused.status == 409 and "completed" in refused.message


def test_retry_from_the_start_and_of_an_old_run(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack, "n,word\n1,xX\n")
    job = submit(stack, chat, FAILS)
    await_end(stack, chat, job)
    assert stack.execute(chat, SLOW[:1]).status == 200  # what the failed run kept is given up
    stack.kill(stack.broker)
    stack.restart(stack.broker)
    stack.wait_ready()
    for start in ("start", "failed"):
        answer = stack.request("POST", job_path(chat, job, "retry") + "?from=" + start)
        assert answer.status == 202, answer
        ended = await_end(stack, chat, answer.data["job_id"])
        assert ended["status"] == "failed" and [s["status"] for s in ended["steps"]] == ["completed", "failed"]


@pytest.mark.parametrize("damage", ["removed", "cut", "begins wrong", "a byte flipped"])
def test_a_lost_spool_means_one_step_back(make_stack, damage):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack)
    reader = Reader(stack, chat)
    submit(stack, chat)
    reader.wait_for("step_result")
    # the worker is killed and its spool damaged before another one takes over
    stack.kill(stack.workers[0])
    spools = glob.glob(os.path.join(stack.folder, "workflows", "*", "*", chat, "spool", "*"))
    assert spools, "the first step kept a spool"
    for spool in spools:
        if damage == "removed":
            os.remove(spool)
            continue
        with open(spool, "r+b") as file:
            if damage == "cut":
                file.truncate(os.path.getsize(spool) // 2)
            else:
                file.seek(0 if damage == "begins wrong" else os.path.getsize(spool) // 2)
                file.write(b"\xff")
    stack.restart(stack.workers[0])
    reader.wait_for("workflow_completed", seconds=60)
    assert "workflow_failed" not in reader.types() and "error" not in reader.types()
    assert reader.close() == []


def test_a_full_queue_answers_503_with_retry_after(make_stack):
    stack = make_stack(settings={**SETTINGS, "broker.queue_jobs_max": 2})
    chat = prepare(stack)
    jobs = [submit(stack, chat) for _ in range(2)]
    answer = stack.execute(chat, SLOW, {"Prefer": "respond-async"})
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, answer
    assert "at most 2 (broker.queue_jobs_max)" in answer.message
    assert stack.request("POST", job_path(chat, jobs[1], "cancel")).status == 200
    assert stack.request("POST", job_path(chat, jobs[1], "retry")).status == 202
    assert stack.request("POST", job_path(chat, jobs[1], "retry")).status == 503


def test_chats_take_turns(make_stack):
    stack = make_stack(workers=2, settings={**SETTINGS, "workflow.slots": 1})
    busy, late = prepare(stack), prepare(stack, "n,word\n1,xX\n")
    jobs = [submit(stack, busy, SLOW[:1]) for _ in range(6)]
    job = submit(stack, late, SLOW[:1])
    assert await_end(stack, late, job)["status"] == "completed"
    left = [j for j in jobs if show(stack, busy, j)["status"] == "pending"]
    assert left, "the late chat did not wait for the busy one"
    order = [await_end(stack, busy, j) for j in jobs]
    for one, two in zip(order, order[1:]):
        assert one["completed_at"] <= two["started_at"], "jobs of one chat run one at a time, in order"


def test_a_run_has_a_deadline_over_all_its_attempts(make_stack):
    stack = make_stack(settings={**SETTINGS, "chat_workflows.execution.run_timeout_seconds": 2, "broker.attempts_max": 50})
    chat = prepare(stack)
    stack.end(stack.workers[0])
    reader = Reader(stack, chat)
    job = submit(stack, chat)
    stack.restart(stack.workers[0])
    reader.wait_for("workflow_started")
    stack.kill(stack.workers[0])
    ended = await_end(stack, chat, job, 30)
    assert ended["status"] == "failed" and "run_timeout_seconds" in ended["error"], ended
    assert reader.close() == []
