"""Steps that read a second file of the conversation, and workbooks of old."""

import os

from stack import ROOT
from test_hostile_files import sheet_xml, workbook

ORDERS = "order,customer\no1,c1\no2,c9\n"
CUSTOMERS = "customer,name\nc1,Ann\nc2,Bob\n"


def bind(name):
    return {"operation": "excel/bind-single-key", "arguments": {
        "bind_file": name, "comparison_column": "customer", "bind_columns": ["name"], "output_format": "csv"}}


def read_file(stack, result):
    url = result["download_url"]
    answer = stack.get(url[url.index("/api/"):])
    assert answer.status == 200, answer
    return answer.body.decode("utf-8")


def test_a_file_is_bound_by_its_name_or_path(shared_stack):
    chat = shared_stack.create_chat()
    path = shared_stack.upload(chat, "customers.csv", CUSTOMERS).data["file_path"]
    assert shared_stack.upload(chat, "orders.csv", ORDERS).status == 200
    for name in ("customers.csv", path):
        answer = shared_stack.execute(chat, [bind(name)])
        assert answer.status == 200, answer
        assert read_file(shared_stack, answer.data["results"][0]) == "order,customer,name\no1,c1,Ann\no2,c9,\n"


def test_without_a_name_the_newest_other_upload_is_bound(shared_stack):
    form = {"operation": "excel/bind-single-key", "arguments": {
        "key_column": "customer", "source_columns": ["name"], "output_filename": "bound.xlsx", "output_format": "csv"}}
    chat = shared_stack.create_chat()
    assert shared_stack.upload(chat, "orders.csv", ORDERS).status == 200
    answer = shared_stack.execute(chat, [form])
    assert answer.status == 422, answer
    assert "There is no other uploaded file in this conversation" in answer.message
    assert shared_stack.upload(chat, "old.csv", "customer,name\nc1,Old\n").status == 200
    assert shared_stack.upload(chat, "customers.csv", CUSTOMERS).status == 200
    assert shared_stack.upload(chat, "orders.csv", ORDERS).status == 200
    for steps in ([form], [dict(form, operation="csv/convert-to-excel"), form]):
        answer = shared_stack.execute(chat, steps)
        assert answer.status == 200, answer
        assert read_file(shared_stack, answer.data["results"][-1]) == "order,customer,name\no1,c1,Ann\no2,c9,\n"


def test_a_sheet_of_the_second_file_is_chosen(shared_stack):
    book = workbook({"First": sheet_xml([["customer", "name"], ["c1", "no"]]),
                     "Names": sheet_xml([["customer", "name"], ["c1", "Ann"]])})
    chat = shared_stack.create_chat()
    assert shared_stack.upload(chat, "customers.xlsx", book).status == 200
    assert shared_stack.upload(chat, "orders.csv", ORDERS).status == 200
    for sheet, name in (("Names", "Ann"), (1, "Ann"), (0, "no"), (None, "no")):
        step = bind("customers.xlsx")
        step["arguments"]["bind_sheet"] = sheet
        answer = shared_stack.execute(chat, [step])
        assert answer.status == 200, answer
        assert read_file(shared_stack, answer.data["results"][0]) == "order,customer,name\no1,c1,%s\no2,c9,\n" % name
    step["arguments"]["bind_sheet"] = "Third"
    answer = shared_stack.execute(chat, [step])
    assert answer.status == 422, answer
    assert "Worksheet 'Third' not found. Available sheets: 'First', 'Names'" in answer.message


def test_no_other_file_is_bound(shared_stack):
    other = shared_stack.create_chat()
    assert shared_stack.upload(other, "secret.csv", CUSTOMERS).status == 200
    chat = shared_stack.create_chat()
    assert shared_stack.upload(chat, "orders.csv", ORDERS).status == 200
    for name, shown in (("secret.csv", "secret.csv"), ("/etc/passwd", "passwd"), ("../%s/secret.csv" % other, "secret.csv")):
        answer = shared_stack.execute(chat, [bind(name)])
        assert answer.status == 422, answer
        assert "File '%s' not found in this conversation" % shown in answer.message


def test_an_old_workbook_is_read_and_written_as_sql(shared_stack):
    chat = shared_stack.create_chat()
    with open(os.path.join(ROOT, "tests", "data", "date1904.xls"), "rb") as file:
        assert shared_stack.upload(chat, "dates.xls", file.read()).status == 200
    step = {"operation": "sql/generate", "arguments": {"table_name": "days", "database_type": "sqlite"}}
    answer = shared_stack.execute(chat, [step])
    assert answer.status == 200, answer
    text = read_file(shared_stack, answer.data["results"][0])
    assert text.endswith("BEGIN TRANSACTION;\nINSERT INTO days (day) VALUES ('1904-01-02 00:00:00');\n"
                         "INSERT INTO days (day) VALUES ('1904-01-02 12:00:00');\nCOMMIT;\n")
