"""What a browser sees of a run: the guide's events, in order, live."""

from reader import Reader

CSV = "n,word\n" + "".join("%d,%s\n" % (i, "even" if i % 2 == 0 else "odd") for i in range(2000))
BIG = "n,word\n" + "".join("%d,%s\n" % (i, "x" * 90) for i in range(400000))
EVEN = {"operation": "csv/search", "arguments": {"conditions": [{"column": "word", "operator": "equals", "value": "even"}]}}
MAPPED = {"operation": "excel/map-columns", "arguments": {"mapping": {"Number": "n"}}}
JSON = {"operation": "json/generate", "arguments": {"column_mapping": {"Number": "number"}}}


def start(stack, content=CSV):
    chat = stack.create_chat()
    assert stack.upload(chat, "numbers.csv", content).status == 200
    return chat


def test_three_steps_as_the_guide_says(shared_stack):
    chat = start(shared_stack)
    reader = Reader(shared_stack, chat)
    answer = shared_stack.execute(chat, [EVEN, MAPPED, JSON])
    assert answer.status == 200, answer
    reader.wait_for("workflow_completed")
    assert reader.types() == ["workflow_started", "step_result", "step_result", "step_result", "workflow_completed"]
    started, *results, completed = reader.records
    assert (started["chat_id"], started["total_steps"]) == (chat, 3)
    assert started["message"] == "Workflow execution started"
    assert [r["operation"] for r in results] == [EVEN["operation"], MAPPED["operation"], JSON["operation"]]
    assert [r["result"]["output_file_path"] for r in results] == [
        r["output_file_path"] for r in answer.data["results"]
    ]
    assert (completed["total_steps"], completed["output_files_count"]) == (3, 3)
    assert completed["message"] == "Workflow execution completed successfully"
    for event in reader.records + reader.states:
        assert event["chat_id"] == chat and event["timestamp"].endswith("Z"), event
        assert event["job_id"] == started["job_id"] and event["attempt"] == 1, event
    assert reader.close() == []


def test_every_step_starts_at_0_and_closes_at_100(shared_stack):
    chat = start(shared_stack)
    reader = Reader(shared_stack, chat)
    assert shared_stack.execute(chat, [EVEN, MAPPED]).status == 200
    reader.wait_for("workflow_completed")
    job = reader.records[-1]["job_id"]
    steps = {}
    for event in reader.states:
        if event["job_id"] == job:
            steps.setdefault(event["step_id"], []).append((event["progress"], event["status"], event["message"]))
    assert len(steps) == 2
    for seen in steps.values():
        assert seen[0] == (0, "running", "Starting step execution")
        assert seen[-1] == (100, "completed", "Step completed successfully")
    assert reader.close() == []


def test_long_steps_report_true_progress_in_between(shared_stack):
    chat = start(shared_stack, BIG)
    reader = Reader(shared_stack, chat)
    step = {"operation": "csv/search", "arguments": {"conditions": [{"column": "word", "operator": "contains", "value": "X"}],
                                                     "output_format": "xlsx"}}
    assert shared_stack.execute(chat, [step]).status == 200
    reader.wait_for("workflow_completed")
    between = [e["progress"] for e in reader.states if 0 < e["progress"] < 100]
    assert between and between == sorted(between), reader.states
    assert reader.close() == []


def test_a_failing_step_is_named_everywhere_and_the_next_run_is_unharmed(shared_stack):
    chat = start(shared_stack)
    reader = Reader(shared_stack, chat)
    bad = {"operation": "excel/extract-columns-to-file", "arguments": {"columns": ["n", "invalid_col"]}}
    reason = "Excel operation failed: Columns not found in data: invalid_col"
    answer = shared_stack.execute(chat, [EVEN, bad, JSON])
    assert answer.status == 422
    assert answer.message == "Workflow execution failed: Workflow failed at step 2/3: " + reason
    reader.wait_for("workflow_failed")
    assert reader.types() == ["workflow_started", "step_result", "error", "workflow_failed"]
    error, failed = reader.records[2:]
    assert (error["operation"], error["message"]) == (bad["operation"], reason)
    assert failed["error"] == "Workflow failed at step 2/3: " + reason
    assert failed["message"] == "Workflow execution failed"
    closing = reader.states[-1]
    assert (closing["status"], closing["message"]) == ("failed", "Step failed: " + reason)
    assert closing["step_id"] == error["step_id"]
    assert shared_stack.execute(chat, [EVEN]).status == 200
    reader.wait_for("workflow_completed")
    assert reader.close() == []


def test_unknown_operation_and_unreadable_file(shared_stack):
    chat = start(shared_stack)
    answer = shared_stack.execute(chat, [{"operation": "excel/fly", "arguments": {}}])
    assert answer.status == 422 and answer.message.endswith("step 1/1: No handler found for operation: excel/fly")
    assert shared_stack.upload(chat, "broken.xlsx", b"PK\x03\x04 this is no archive").status == 200
    answer = shared_stack.execute(chat, [{"operation": "excel/search", "arguments": EVEN["arguments"]}])
    assert answer.status == 422 and "Failed to read Excel file: " in answer.message


def test_a_late_reader_gets_the_snapshot_of_the_run(shared_stack):
    chat = start(shared_stack)
    assert shared_stack.execute(chat, [EVEN]).status == 200
    reader = Reader(shared_stack, chat)
    hello = reader.greetings[0]
    assert hello["resume"] == "snapshot" and hello["seq"] == hello["head"] == 3
    assert hello["snapshot"]["status"] == "completed"
    assert [s["status"] for s in hello["snapshot"]["steps"]] == ["completed"]
    assert reader.close() == []
