"""A step that wants more than it may have ends in an error that names the limit, its value and its key; the worker lives on."""

import pytest

from reader import Reader

SMALL = "n\n1\n"
SECONDS_MAX = 60
SLOW_PATTERN = {"operation": "normalization/apply", "arguments": {"normalizations": [
    {"column_name": "a", "normalization_type": "regex_replace", "parameters": {"pattern": "(a|a)*[cd]", "replacement": ""}}]}}
UNIQUE_ROWS = {"operation": "excel/extract-columns-to-file", "arguments": {"columns": ["a"], "remove_duplicates": True}}
BIG_CSV = {"operation": "csv/search", "arguments": {"conditions": [{"column": "a", "operator": "is_not_empty"}]}}


def many_rows(count, text="%d"):
    return "a\n" + "".join(text % i + "\n" for i in range(count))


CASES = {
    "memory": (
        {"workflow.step_memory_mb": 32}, UNIQUE_ROWS, lambda: many_rows(1500000, "a long enough text: %08d"),
        ("more memory than a step may have (workflow.step_memory_mb: 32)",)),
    "output": (
        {"workflow.output_bytes_max_mb": 1}, BIG_CSV, lambda: many_rows(200000, "some text and %d"),
        ("the output file would be larger than 1048576 bytes (workflow.output_bytes_max_mb)",)),
    "processor time": (
        {"workflow.cpu_seconds": 1}, SLOW_PATTERN, lambda: many_rows(300000, "aaaaaaaaaaaaaa%d"),
        ("The step used up its limit of 1 seconds of CPU time (workflow.cpu_seconds)",)),
    "time": (
        {"chat_workflows.execution.step_timeout_seconds": 1}, SLOW_PATTERN, lambda: many_rows(300000, "aaaaaaaaaaaaaa%d"),
        ("The step took longer than its limit of 1 seconds (chat_workflows.execution.step_timeout_seconds)",)),
    "time of the whole run": (
        {"chat_workflows.execution.run_timeout_seconds": 1}, SLOW_PATTERN, lambda: many_rows(300000, "aaaaaaaaaaaaaa%d"),
        ("The workflow took longer than its limit of 1 seconds (chat_workflows.execution.run_timeout_seconds)",)),
}


@pytest.mark.parametrize("limit", CASES)
def test_a_limit_is_named_with_its_value_and_key(make_stack, limit):
    settings, step, make, reasons = CASES[limit]
    stack = make_stack(settings={"file.max_file_size_mb": 100, **settings})
    chat = stack.create_chat()
    reader = Reader(stack, chat)
    assert stack.upload(chat, "big.csv", make()).status == 200
    worker = stack.workers[0].pid
    answer = stack.execute(chat, [step], timeout=SECONDS_MAX)
    assert answer.status == 422, answer
    for reason in reasons:
        assert reason in answer.message
    reader.wait_for("workflow_failed")
    assert [event["type"] for event in reader.records][-2:] == ["error", "workflow_failed"]
    assert reader.close() == []
    assert stack.upload(chat, "small.csv", SMALL).status == 200
    assert stack.execute(chat, [dict(BIG_CSV, arguments={"conditions": [{"column": "n", "operator": "is_not_empty"}]})]).status == 200
    assert stack.workers[0].running and stack.workers[0].pid == worker
