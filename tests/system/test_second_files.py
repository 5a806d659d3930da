"""Steps that read a second file of the conversation, and workbooks of old."""

import os

from stack import ROOT

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
