"""Progress comes from what was really read, and grows until the step ends, over several passes too."""

from reader import Reader

ROWS = 400000


def test_progress_grows_over_all_passes_of_a_step(make_stack):
    stack = make_stack(settings={"file.max_file_size_mb": 50, "workflow.progress_interval_ms": 50})
    chat = stack.create_chat()
    table = "a,b\n" + "".join("%d,%d\n" % (i, i * 7 % 1000) for i in range(ROWS))
    assert stack.upload(chat, "a.csv", table).status == 200
    reader = Reader(stack, chat)
    chain = ("z_score", "min_max_scale", "outlier_removal")
    steps = [
        {"operation": "normalization/apply", "arguments": {
            "normalizations": [{"column_name": "a", "normalization_type": kind} for kind in chain]}},
        {"operation": "csv/convert-to-excel", "arguments": {}},
    ]
    assert stack.execute(chat, steps).status == 200
    reader.wait_for("workflow_completed")
    assert reader.close() == []
    passes = len(chain) + 1
    first_step = [event for event in reader.states if event["operation"] == "normalization/apply"]
    running = [event for event in first_step if event["status"] == "running" and "pass" in event["message"]]
    assert [event["progress"] for event in running] == sorted(event["progress"] for event in running)
    assert first_step[0]["progress"] == 0 and first_step[-1]["progress"] == 100 and first_step[-1]["status"] == "completed"
    assert len(running) >= passes
    for event in running:
        words = event["message"].split()  # "Processing row 1234 (pass 2 of 4)"
        row, current, of = int(words[2]), int(words[4]), int(words[6].rstrip(")"))
        assert of == passes
        share = 100 * (current - 1 + row / ROWS) / passes
        assert abs(event["progress"] - share) < 3, event
