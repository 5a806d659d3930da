"""What a step returns may be larger than an event: the event carries a summary and a link, REST answers carry it whole."""

import json

import pytest

from reader import Reader
from stack import multipart, wait_until

EVENT_BYTES_MAX = 65536
EXTRACT = {"operation": "excel/extract-columns", "arguments": {"columns": ["name", "n"]}}


def table(rows):
    return "n,name\n" + "".join("%d,row \u00e9 %d\n" % (i, i) for i in range(rows))


def chat_with(stack, content, name="data.csv"):
    chat = stack.create_chat()
    assert stack.upload(chat, name, content).status == 200
    return chat


def memory_kib(program):
    """What the program holds now, and the most it ever held."""
    with open("/proc/%d/status" % program.pid) as status:
        fields = dict(line.split(":", 1) for line in status)
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM")}


def check_values(data, rows):
    assert data["extraction_info"]["total_rows"] == rows
    assert data["columns"]["n"]["values"] == [str(i) for i in range(rows)]
    assert data["columns"]["name"]["values"][-1] == "row \u00e9 %d" % (rows - 1)
    assert data["columns"]["name"]["value_count"] == rows


def test_small_data_stands_in_the_event_and_leaves_no_file(shared_stack):
    chat = chat_with(shared_stack, table(20))
    reader = Reader(shared_stack, chat)
    answer = shared_stack.execute(chat, [EXTRACT])
    reader.wait_for("workflow_completed")
    result = answer.data["results"][0]
    check_values(result["data"], 20)
    assert result["output_file_path"] is None and "download_url" not in result and "result_url" not in result
    told = next(event for event in reader.records if event["type"] == "step_result")
    assert told["result"]["data"] == result["data"]
    assert reader.close() == []


def test_large_data_comes_whole_by_rest_and_as_a_link_by_event(shared_stack):
    rows = 20000
    chat = chat_with(shared_stack, table(rows))
    reader = Reader(shared_stack, chat)
    answer = shared_stack.execute(chat, [EXTRACT, {"operation": "csv/convert-to-excel", "arguments": {}}])
    assert answer.status == 200 and int(answer.headers["Content-Length"]) == len(answer.body) > EVENT_BYTES_MAX
    first, second = answer.data["results"]
    check_values(first["data"], rows)
    assert first["output_file_path"] is None and "download_url" not in first and "result_key" not in first
    assert second["download_url"] and answer.data["output_files"] == [second["output_file_path"]]
    reader.wait_for("workflow_completed")
    told = next(event for event in reader.records if event["type"] == "step_result")
    assert len(json.dumps(told)) < EVENT_BYTES_MAX and "data" not in told["result"]
    assert told["result"]["output_file_path"] is None and told["result"]["result_member"] == "data"
    assert told["result"]["summary"]["value_count"] == 2 * rows
    linked = shared_stack.get(told["result"]["result_url"])
    assert linked.status == 200 and len(linked.body) == told["result"]["result_bytes"]
    assert json.loads(linked.body) == first["data"]
    assert reader.close() == []


def test_a_job_is_told_later_like_its_run_was(shared_stack):
    chat = chat_with(shared_stack, table(5000))
    done = shared_stack.execute(chat, [EXTRACT])
    conversation = shared_stack.get("/chat/workflows/" + chat).data
    assert conversation["output_files"] == []
    job = shared_stack.execute(chat, [EXTRACT], {"Prefer": "respond-async"}).data["job_id"]
    reader = Reader(shared_stack, chat)
    path = "/chat/workflows/%s/jobs/%s" % (chat, job)
    wait_until(lambda: shared_stack.get(path).data["status"] == "completed", 20, "the end of the job")
    told = shared_stack.get(path).data
    check_values(told["result"]["results"][0]["data"], 5000)
    assert told["result"]["results"][0]["data"]["columns"] == done.data["results"][0]["data"]["columns"]
    assert reader.close() == []


def test_a_large_report_takes_the_same_way(shared_stack):
    names = ["column number %03d" % i for i in range(300)]
    chat = chat_with(shared_stack, ",".join(names) + "\n" + ",".join("x" for _ in names) + "\n")
    reader = Reader(shared_stack, chat)
    chain = [{"column_name": name, "normalization_type": "uppercase"} for name in names]
    answer = shared_stack.execute(chat, [{"operation": "normalization/apply", "arguments": {"normalizations": chain}}])
    assert answer.status == 200, answer
    result = answer.data["results"][0]
    assert [entry["column_name"] for entry in result["report"]["columns_processed"]] == names
    assert result["download_url"] and result["output_file_path"]
    reader.wait_for("workflow_completed")
    told = next(event for event in reader.records if event["type"] == "step_result")["result"]
    assert told["result_member"] == "report" and told["summary"]["columns_processed_count"] == len(names)
    assert json.loads(shared_stack.get(told["result_url"]).body) == result["report"]
    assert reader.close() == []


def test_a_deleted_conversation_takes_its_results_along(shared_stack):
    chat = chat_with(shared_stack, table(5000))
    url = shared_stack.execute(chat, [EXTRACT]).data["results"][0]["result_url"]
    assert shared_stack.get(url).status == 200
    assert shared_stack.request("DELETE", "/chat/workflows/" + chat).status == 200
    assert shared_stack.get(url).status == 404


def test_a_dump_brings_the_results_back(shared_stack):
    chat = chat_with(shared_stack, table(5000))
    job = shared_stack.execute(chat, [EXTRACT], {"Prefer": "respond-async"}).data["job_id"]
    path = "/chat/workflows/%s/jobs/%s" % (chat, job)
    wait_until(lambda: shared_stack.get(path).data["status"] == "completed", 20, "the end of the job")
    before = shared_stack.get(path).data["result"]
    dumped = shared_stack.request("POST", "/chat/workflows/%s/dump" % chat)
    archive = shared_stack.get(dumped.data["download_url"]).body
    assert shared_stack.request("DELETE", "/chat/workflows/" + chat).status == 200
    body, content_type = multipart("dump_file", "d.tar.gz", archive)
    restored = shared_stack.request("POST", "/chat/workflows/restore", body, {"Content-Type": content_type})
    assert restored.status == 200, restored
    assert shared_stack.get(path).data["result"] == before


GROWTH_KIB_MAX = 1024


@pytest.mark.slow
def test_a_million_rows_pass_in_constant_memory(stack):
    rows = 1000000
    chat = chat_with(stack, "n\n" + "".join("%d\n" % i for i in range(rows)))
    warm = chat_with(stack, table(20000))
    reader = Reader(stack, chat)
    stack.execute(warm, [EXTRACT])  # the libraries have what they keep
    programs = {"gateway": stack.gateway, "broker": stack.broker}
    before = {name: memory_kib(program) for name, program in programs.items()}
    answer = stack.execute(chat, [{"operation": "excel/extract-columns", "arguments": {"columns": ["n"]}}], timeout=120)
    reader.wait_for("workflow_completed")
    after = {name: memory_kib(program) for name, program in programs.items()}
    assert answer.status == 200 and len(answer.body) > 5 * rows
    column = answer.data["results"][0]["data"]["columns"]["n"]
    assert column["value_count"] == rows and column["values"][-1] == str(rows - 1)
    told = next(event for event in reader.records if event["type"] == "step_result")
    assert len(json.dumps(told)) < EVENT_BYTES_MAX and told["result"]["summary"]["value_count"] == rows
    for name in programs:
        for field in ("VmRSS", "VmHWM"):
            assert after[name][field] - before[name][field] <= GROWTH_KIB_MAX, (name, field, before, after)
    assert reader.close() == []
