"""What save_intermediate_files decides, and what it does not: the files of steps before the last, and nothing else. And no two
files are ever one."""

import pytest

from stack import Stack

PEOPLE = "id,name,born,note\n007, Zoë ,2024-01-15,=1+1\n2,李,,\"a\nb\"\n,,,\n2,李,,\"a\nb\"\n"
EVERYTHING = {"operation": "csv/search", "arguments": {"conditions": [{"column": "id", "operator": "not_equals", "value": "none"}]}}
CHAINS = {
    "through a workbook": [
        {"operation": "csv/convert-to-excel", "arguments": {}},
        {"operation": "excel/map-columns", "arguments": {"mapping": {"id": "id", "n": {"source": "note", "default": 7}, "t": {"default": True}}}},
        EVERYTHING,
    ],
    "through texts": [
        {"operation": "sql/generate", "arguments": {"table_name": "t"}},
        {"operation": "json/generate", "arguments": {}},
        {"operation": "excel/extract-columns-to-file", "arguments": {"columns": ["name", "id"], "remove_duplicates": True}},
        EVERYTHING,
    ],
    "through typed cells": [
        {"operation": "normalization/apply", "arguments": {"normalizations": [
            {"column_name": "id", "normalization_type": "integer_convert"}, {"column_name": "name", "normalization_type": "trim"}]}},
        {"operation": "excel/search", "arguments": {
            "conditions": [{"column": "name", "operator": "is_not_empty"}], "output_format": "json"}},
        EVERYTHING,
    ],
}


def read_file(stack, result):
    url = result["download_url"]
    answer = stack.get(url[url.index("/api/"):])
    assert answer.status == 200, answer
    return answer.body


def run(stack, name, content, steps):
    chat = stack.create_chat()
    assert stack.upload(chat, name, content).status == 200
    answer = stack.execute(chat, steps)
    assert answer.status == 200, answer
    return answer.data["results"]


@pytest.fixture(scope="module")
def stack_without(request):
    stack = Stack(settings={"chat_workflows.execution.save_intermediate_files": False}).start()
    request.addfinalizer(lambda: (stack.stop(), stack.remove()))
    return stack


@pytest.mark.parametrize("chain", CHAINS)
def test_the_last_file_is_the_same_whichever_way_its_tables_went(shared_stack, stack_without, chain):
    steps = CHAINS[chain]
    saved = run(shared_stack, "people.csv", PEOPLE, steps)
    unsaved = run(stack_without, "people.csv", PEOPLE, steps)
    assert all(result["download_url"] for result in saved)
    assert [result["output_file_path"] for result in unsaved[:-1]] == [None] * (len(steps) - 1)
    assert not any("download_url" in result for result in unsaved[:-1])
    last = read_file(shared_stack, saved[-1])
    assert read_file(stack_without, unsaved[-1]) == last
    for i, result in enumerate(saved[:-1]):  # from each table's file, uploaded again
        if result["output_file_path"].endswith((".xlsx", ".json")) and steps[i]["operation"] not in ("json/generate",):
            name = result["output_file_path"].rsplit("/", 1)[1]
            assert read_file(shared_stack, run(shared_stack, name, read_file(shared_stack, result), steps[i + 1:])[-1]) == last


def test_runs_of_one_second_never_share_a_file(shared_stack):
    steps = [{"operation": "csv/convert-to-excel", "arguments": {}}, EVERYTHING, EVERYTHING]
    chats = [shared_stack.create_chat() for _ in range(2)]
    paths = []
    for i, chat in enumerate(chats):
        assert shared_stack.upload(chat, "people.csv", "id\n%d\n" % i).status == 200
    for _ in range(3):
        for i, chat in enumerate(chats):
            results = shared_stack.execute(chat, steps).data["results"]
            paths += [result["output_file_path"] for result in results]
            assert read_file(shared_stack, results[-1]) == b"id\n%d\n" % i
    assert len(set(paths)) == len(paths) == 18
