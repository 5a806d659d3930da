"""Every operation through REST and WebSocket, with the arguments that the forms of the existing web front end send for it, by
their names and with their defaults (two operations have no form)."""

import io
import re
import zipfile

import pytest

from reader import Reader

PEOPLE = "id,name,age\n1, Ann ,34\n2,Bob,28\n2,Bob,28\n"
CITIES = "id,city\n2,Oslo\n"

FORMS = {
    "excel/bind-single-key": (
        {"key_column": "id", "source_columns": ["city"], "output_filename": "x.xlsx"},
        "id,name,age,city\n1, Ann ,34,\n2,Bob,28,Oslo\n2,Bob,28,Oslo\n"),
    "excel/bind-multi-key": (
        {"key_columns": ["id"], "source_columns": ["city"]}, "id,name,age,city\n1, Ann ,34,\n2,Bob,28,Oslo\n2,Bob,28,Oslo\n"),
    "csv/convert-to-excel": ({"sheet_name": "People"}, PEOPLE),
    "excel/extract-columns-to-file": ({"columns": ["name"], "remove_duplicates": True}, "name\n Ann \nBob\n"),
    "excel/map-columns": (
        {"column_mapping": {"name": "full name"}, "keep_unmapped": True}, "id,full name,age\n1, Ann ,34\n2,Bob,28\n2,Bob,28\n"),
    "normalization/apply": (
        {"normalizations": [{"column": "name", "type": "trim"}, {"column": "name", "type": "lowercase"}]},
        "id,name,age,name_original\n1,ann,34, Ann \n2,bob,28,Bob\n2,bob,28,Bob\n"),
    "excel/search": (
        {"conditions": [{"column": "age", "operator": "gt", "value": 30}, {"column": "name", "operator": "startswith", "value": "B"}],
         "match_all": False}, PEOPLE),
    "csv/search": (
        {"conditions": [{"column": "age", "operator": "lte", "value": 28}, {"column": "id", "operator": "ne", "value": "2"}],
         "match_all": True}, "id,name,age\n"),
}
TEXTS = {
    "json/generate": (
        {"pretty_print": False, "array_format": True},
        '[{"id": "1", "name": " Ann ", "age": "34"}, {"id": "2", "name": "Bob", "age": "28"}, {"id": "2", "name": "Bob", "age": "28"}]'),
    "json/generate-with-template": (
        {"template": {"name": "{name}", "age": "{age:int}"}, "pretty_print": False},
        '[{"name": " Ann ", "age": 34}, {"name": "Bob", "age": 28}, {"name": "Bob", "age": 28}]'),
    "sql/generate": (
        {"table_name": "users", "database_type": "sqlite", "columns": ["id", "name"], "batch_size": 2},
        "INSERT INTO users (id, name) VALUES ('1', ' Ann '),\n    ('2', 'Bob');\nINSERT INTO users (id, name) VALUES ('2', 'Bob');\n"),
    "sql/generate-custom-to-text": (
        {"template": "DELETE FROM users WHERE id = {id:int};"}, "DELETE FROM users WHERE id = 1;\nDELETE FROM users WHERE id = 2;\n"),
    "sql/generate-to-text": (
        {"table_name": "users", "database_type": "mysql"}, "INSERT INTO users (id, name, age) VALUES ('1', ' Ann ', '34');\n"),
}


def read_file(stack, result):
    url = result["download_url"]
    answer = stack.get(url[url.index("/api/"):])
    assert answer.status == 200, answer
    return answer.body.decode("utf-8")


def run(stack, operation, arguments, more=()):
    chat = stack.create_chat()
    assert stack.upload(chat, "cities.csv", CITIES).status == 200
    assert stack.upload(chat, "people.csv", PEOPLE).status == 200
    reader = Reader(stack, chat)
    answer = stack.execute(chat, [{"operation": operation, "arguments": arguments}, *more])
    assert answer.status == 200, answer
    reader.wait_for("workflow_completed")
    assert reader.close() == []
    told = [event for event in reader.records if event["type"] == "step_result"]
    assert [event["operation"] for event in told] == [operation] + [step["operation"] for step in more]
    assert [event["result"]["output_file_path"] for event in told] == [
        result["output_file_path"] for result in answer.data["results"]]
    return answer.data["results"]


@pytest.mark.parametrize("operation", FORMS)
def test_a_form_makes_the_table_it_promises(shared_stack, operation):
    arguments, table = FORMS[operation]
    everything = {"operation": "csv/search", "arguments": {
        "conditions": [{"column": "id" if "id," in table else "name", "operator": "not_equals", "value": "none"}]}}
    assert read_file(shared_stack, run(shared_stack, operation, arguments, [everything])[1]) == table


@pytest.mark.parametrize("operation", TEXTS)
def test_a_form_writes_the_text_it_promises(shared_stack, operation):
    arguments, text = TEXTS[operation]
    assert text in read_file(shared_stack, run(shared_stack, operation, arguments)[0])


def test_workbooks_are_made_as_configured(make_stack):
    stack = make_stack(settings={"excel.default_sheet_name": "Daten", "excel.include_info_sheet": False})
    for arguments, sheet in (({}, "Daten"), ({"sheet_name": "Mine"}, "Mine")):
        result = run(stack, "csv/convert-to-excel", arguments)[0]
        with zipfile.ZipFile(io.BytesIO(stack.get(result["download_url"]).body)) as workbook:
            assert re.findall('<sheet name="([^"]*)"', workbook.read("xl/workbook.xml").decode()) == [sheet]


def test_columns_are_extracted_as_data(shared_stack):
    results = run(shared_stack, "excel/extract-columns", {"columns": ["id", "none"], "remove_duplicates": True})
    assert results[0]["output_file_path"] is None
    assert results[0]["data"]["extraction_info"]["extracted_columns"] == ["id", "none"]
    assert results[0]["data"]["columns"] == {"id": {
        "values": ["1", "2"], "value_count": 2, "total_count": 3, "non_null_count": 3, "null_count": 0, "unique_count": 2,
        "data_type": "object"}}


def test_a_file_is_named_as_asked(shared_stack):
    search = {"conditions": [{"column": "id", "operator": "equals", "value": "2"}], "output_filename": "people.csv"}
    convert = {"operation": "csv/convert-to-excel", "arguments": {"output_filename": "../the end.json"}}
    results = run(shared_stack, "csv/search", search, [convert])
    assert [result["output_file_path"].rsplit("/", 1)[1] for result in results] == ["people-2.csv", "the end.xlsx"]
    assert read_file(shared_stack, results[0]) == "id,name,age\n2,Bob,28\n2,Bob,28\n"
