"""Files made to hurt, and files as the world writes them, through the whole stack. Whatever a file holds ends in its rows or
in an `error` event and a 422 that say what is wrong with it; the worker lives on and does the next job."""

import http.client
import io
import json
import os
import struct
import time
import zipfile

import pytest

from reader import Reader
from stack import ROOT, multipart

SHARED_SETTINGS = {"file.max_file_size_mb": 1100}
GOOD = "n,word\n1,one\n"
SECONDS_MAX = 30

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


# --- files


def sheet_xml(rows, main=MAIN):
    cells = "".join(
        '<row r="%d">%s</row>' % (i + 1, "".join('<c r="%s%d" t="inlineStr"><is><t>%s</t></is></c>' % (chr(65 + j), i + 1, text)
                                               for j, text in enumerate(row)))
        for i, row in enumerate(rows))
    return '<worksheet xmlns="%s"><sheetData>%s</sheetData></worksheet>' % (main, cells)


def relationships(targets, office=OFFICE):
    return '<Relationships xmlns="%s">%s</Relationships>' % (PACKAGE, "".join(
        '<Relationship Id="r%d" Type="%s/%s" Target="%s"/>' % (i + 1, office, kind, target)
        for i, (kind, target) in enumerate(targets)))


def workbook(sheets, more=(), main=MAIN, office=OFFICE, change=None, target="worksheets/sheet%d.xml"):
    """sheets: {name: XML}; more: {part: content}; change(infos by part name) may lie about the members."""
    names = "".join('<sheet name="%s" sheetId="%d" r:id="r%d"/>' % (name, i + 1, i + 1) for i, name in enumerate(sheets))
    targets = [("worksheet", target % (i + 1) if "%" in target else target) for i in range(len(sheets))]
    parts = {
        "_rels/.rels": relationships([("officeDocument", "xl/workbook.xml")], office),
        "xl/workbook.xml": '<workbook xmlns="%s" xmlns:r="%s"><sheets>%s</sheets></workbook>' % (main, office, names),
        "xl/_rels/workbook.xml.rels": relationships(targets + [("sharedStrings", "sharedStrings.xml")], office),
        "xl/sharedStrings.xml": '<sst xmlns="%s"><si><t>only</t></si></sst>' % main,
        **{"xl/worksheets/sheet%d.xml" % (i + 1): xml for i, xml in enumerate(sheets.values())},
        **dict(more),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
        if change:
            change({info.filename: info for info in package.infolist()})
    return file.getvalue()


def with_size(size):
    def change(infos):
        infos["xl/worksheets/sheet1.xml"].file_size = size
    return change


def compound_file(stream):
    """An OLE container of one sector each for its table, its directory and its only stream."""
    free, end = 0xFFFFFFFF, 0xFFFFFFFE
    header = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0, 0) + struct.pack("<I", free) * 108

    def entry(name, kind, child, start, size):
        text = (name + "\0").encode("utf-16-le")
        return text.ljust(64, b"\0") + struct.pack("<HBBIII36xIQ", len(text), kind, 1, free, free, child, start, size)

    table = struct.pack("<IIII", 0xFFFFFFFD, end, end, free).ljust(512, b"\xFF")
    directory = entry("Root Entry", 5, 1, end, 0) + entry(stream, 2, free, 2, 4096) + bytes(256)
    return header + table + directory + bytes(8 * 512)


def changed_workbook(sheet, signature, at, value):
    """Every record of the package that begins with the signature has these bytes at this place."""
    package = bytearray(workbook({"S": sheet}))
    found = package.find(signature)
    while found >= 0:
        package[found + at:found + at + len(value)] = value
        found = package.find(signature, found + 4)
    return bytes(package)


def compound_file_whose_stream_goes_in_circles():
    file = bytearray(compound_file("Workbook"))
    struct.pack_into("<I", file, 512 + 4 * 2, 2)
    return bytes(file)


def old_workbook():
    with open(os.path.join(ROOT, "tests", "data", "mixed.xls"), "rb") as file:
        return file.read()


GOOD_SHEET = sheet_xml([["a", "b"], ["1", "2"]])
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


# --- steps


def all_rows(column, **more):
    return {"operation": "csv/search", "arguments": {
        "conditions": [{"column": column, "operator": "not_equals", "value": "no such value"}], **more}}


CONVERT = {"operation": "csv/convert-to-excel", "arguments": {}}


def read_file(stack, result):
    url = result["download_url"]
    answer = stack.get(url[url.index("/api/"):])
    assert answer.status == 200, answer
    return answer.body.decode("utf-8")


def rows_of(stack, name, content, column, **more):
    """The file's rows, as CSV."""
    chat = stack.create_chat()
    assert stack.upload(chat, name, content).status == 200
    answer = stack.execute(chat, [all_rows(column, **more)], timeout=SECONDS_MAX)
    assert answer.status == 200, answer
    return read_file(stack, answer.data["results"][0])


def must_be_refused(stack, name, content, reason, step=CONVERT):
    chat = stack.create_chat()
    reader = Reader(stack, chat)
    assert stack.upload(chat, name, content).status == 200
    worker = stack.workers[0].pid
    answer = stack.execute(chat, [step], timeout=SECONDS_MAX)
    assert answer.status == 422, answer
    assert reason in answer.message
    reader.wait_for("workflow_failed")
    assert [event["message"] for event in reader.records if event["type"] == "error"] == [
        answer.message.split("Workflow failed at step 1/1: ", 1)[1]]
    assert reader.close() == []
    assert stack.upload(chat, "good.csv", GOOD).status == 200
    assert stack.execute(chat, [all_rows("n")]).status == 200
    assert stack.workers[0].running and stack.workers[0].pid == worker


HOSTILE = {
    "a zip bomb that says what it is": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET}, change=with_size(9 << 30)), "the file unpacks to more than 8589934592 bytes"),
    "a zip bomb that lies": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET + " " * (200 << 20)}, change=with_size(1000)),
        "it unpacks to more bytes than the archive's directory says"),
    "entities in a sheet": (
        "a.xlsx", lambda: workbook({"S": ENTITIES + GOOD_SHEET}), "sheet1.xml: a document type declaration (DTD) is not allowed"),
    "entities in the workbook": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET}, {"xl/workbook.xml": ENTITIES + "<workbook>&b;</workbook>"}),
        "a document type declaration (DTD) is not allowed"),
    "an encrypted workbook": ("a.xlsx", lambda: compound_file("EncryptedPackage"), "is protected by a password"),
    "a package of encrypted members": (
        "a.xlsx", lambda: changed_workbook(GOOD_SHEET, b"PK\1\2", 8, b"\1"), "the zip archive is encrypted"),
    "members that are one another": (
        "a.xlsx", lambda: changed_workbook(GOOD_SHEET, b"PK\1\2", 42, bytes(4)), "its members overlap or lie outside the file"),
    "an old workbook that goes in circles": (
        "a.xls", compound_file_whose_stream_goes_in_circles, "the workbook is damaged: a chain of sectors goes in circles"),
    "a truncated old workbook": ("a.xls", lambda: old_workbook()[:3000], "the workbook is damaged: it is cut off"),
    "a web page named like a workbook": (
        "a.xls", lambda: "<html><table></table></html>", "File is not an Excel workbook, only named like one"),
    "deep markup in a sheet": (
        "a.xlsx", lambda: workbook({"S": "<worksheet><sheetData>" + "<row>" * 100000}), "sheet1.xml: row 1, elements are nested too deeply"),
    "a row of a million cells": (
        "a.xlsx", lambda: workbook({"S": "<worksheet><sheetData><row>" + "<c><v>1</v></c>" * 1000000 + "</row></sheetData></worksheet>"}),
        "sheet1.xml: row 1, cell XFE1: more than 16384 cells"),
    "a cell of 20 MB": (
        "a.xlsx", lambda: workbook({"S": sheet_xml([["a"], ["x" * (20 << 20)]])}),
        "sheet1.xml: row 2, cell A2: the text of a cell is longer than 8388608 bytes"),
    "a truncated workbook": ("a.xlsx", lambda: workbook({"S": GOOD_SHEET})[:-200], "cut off"),
    "a shared string that is not there": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET.replace('t="inlineStr"><is><t>2</t></is>', 't="s"><v>7</v>')}),
        "sheet1.xml: row 2, cell B2: there is no shared string '7' (the workbook has 1)"),
    "a sheet whose part is missing": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET}, target="worksheets/gone.xml"), "the part of sheet 'S' is missing"),
    "a sheet that is the workbook itself": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET}, target="workbook.xml"),
        "workbook.xml: the part is no <worksheet> but a <workbook>"),
    "a sheet that is its own relationships": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET}, target="_rels/workbook.xml.rels"),
        "workbook.xml.rels: the part is no <worksheet> but a <Relationships>"),
    "strings that are the sheet": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET}, {"xl/sharedStrings.xml": GOOD_SHEET}),
        "sharedStrings.xml: the part is no <sst> but a <worksheet>"),
    "a cell outside every sheet": (
        "a.xlsx", lambda: workbook({"S": GOOD_SHEET.replace('"B2"', '"ZZZZ9999999"')}), "'ZZZZ9999999' is no cell of a sheet"),
    "a line of 70 MB": (
        "a.csv", lambda: "a,b\n" + ",".join(["x" * (7 << 20)] * 10), "line 2 holds a record of more than 67108864 bytes"),
    "a cell of 9 MB": ("a.csv", lambda: "a,b\n1," + "x" * (9 << 20) + "\n", "line 2 holds a cell of more than 8388608 bytes"),
    "a million columns": (
        "a.csv", lambda: ",".join("c%d" % i for i in range(1000000)) + "\n", "line 1 has 1000000 columns; the limit is 16384"),
    "a million columns in JSON": (
        "a.json", lambda: "[{%s}]" % ",".join('"k%d":1' % i for i in range(1000000)), "the objects have more than 16384 different keys"),
    "NUL bytes": ("a.csv", lambda: "a,b\n1,2\n3,\0\n", "line 3 holds a NUL byte"),
    "a NUL character in JSON": ("a.json", lambda: '[{"a": "\\u0000"}]', "line 1, column 15: a NUL character is not allowed"),
    "an open quote": ("a.csv", lambda: 'a,b\n1,"2\n3,4\n', "EOF inside string starting at row 1"),
    "a long row": ("a.csv", lambda: "a,b\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3"),
    "deep JSON": ("a.json", lambda: '[{"a":' + "[" * 100000 + "]" * 100000 + "}]", "line 1, column "),
    "JSON that is no table": ("a.json", lambda: '{"a": 1}', "line 1, column 1: expected"),
    "no file of ours": ("a.exe", lambda: b"MZ\0\1\2\3", "Unsupported file format: .exe"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_is_refused_by_name(shared_stack, case):
    name, make, reason = HOSTILE[case]
    must_be_refused(shared_stack, name, make(), reason)


def upload_a_line(stack, chat, size):
    """One line of 'x', sent as it is made."""
    block = b"x" * (1 << 20)
    body, content_type = multipart("file", "line.csv", b"MIDDLE")
    head, tail = body.split(b"MIDDLE")
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=120)
    connection.putrequest("POST", "/api/v1/chat/workflows/%s/upload" % chat)
    connection.putheader("Content-Type", content_type)
    connection.putheader("Content-Length", str(len(head) + size + len(tail)))
    connection.endheaders(head)
    for _ in range(size // len(block)):
        connection.send(block)
    connection.send(tail)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.slow
def test_a_line_of_a_gigabyte_is_refused_at_its_beginning(shared_stack):
    chat = shared_stack.create_chat()
    assert upload_a_line(shared_stack, chat, 1 << 30) == 200
    start = time.monotonic()
    answer = shared_stack.execute(chat, [CONVERT], timeout=SECONDS_MAX)
    assert answer.status == 422, answer
    assert "line 1 holds a cell of more than 8388608 bytes" in answer.message
    assert time.monotonic() - start < SECONDS_MAX
    assert shared_stack.request("DELETE", "/chat/workflows/" + chat).status == 200
    assert rows_of(shared_stack, "good.csv", GOOD, "n") == GOOD
    assert shared_stack.workers[0].running


def test_a_catastrophic_pattern_meets_its_limit(shared_stack):
    step = {"operation": "normalization/apply", "arguments": {"normalizations": [
        {"column_name": "a", "normalization_type": "regex_replace", "parameters": {"pattern": "(a+)+$", "replacement": ""}}]}}
    must_be_refused(shared_stack, "a.csv", "a\n" + "a" * 60 + "b\n",
                    "the regular expression needs more than 1000000 steps for this cell", step)


# --- what looks hostile and is not


def test_a_sparse_sheet_costs_nothing(shared_stack):
    far = GOOD_SHEET.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576"><v>7</v></c></row></sheetData>')
    chat = shared_stack.create_chat()
    assert shared_stack.upload(chat, "far.xlsx", workbook({"S": far})).status == 200
    step = {"operation": "excel/extract-columns", "arguments": {"columns": ["a", "Unnamed: 16383"], "remove_duplicates": True}}
    start = time.monotonic()
    answer = shared_stack.execute(chat, [step, CONVERT, CONVERT], timeout=SECONDS_MAX)
    assert answer.status == 200, answer
    columns = answer.data["results"][0]["data"]["columns"]
    assert columns["a"]["values"] == ["1", ""] and columns["Unnamed: 16383"]["values"] == ["", "7"]
    assert columns["a"]["total_count"] == 1048575
    assert time.monotonic() - start < SECONDS_MAX


def test_rows_of_nothing_cost_nothing_in_any_operation(shared_stack):
    far = GOOD_SHEET.replace("</sheetData>", '<row r="1048576"><c r="XFA1048576"><v>7</v></c></row></sheetData>')
    chat = shared_stack.create_chat()
    assert shared_stack.upload(chat, "towns.csv", "a,town\n1,Oslo\n").status == 200
    assert shared_stack.upload(chat, "far.xlsx", workbook({"S": far})).status == 200
    steps = [
        {"operation": "normalization/apply", "arguments": {"normalizations": [
            {"column_name": "a", "normalization_type": "z_score"}, {"column_name": "b", "normalization_type": "uppercase"}]}},
        {"operation": "excel/bind-single-key", "arguments": {
            "bind_file": "towns.csv", "comparison_column": "a", "bind_columns": ["town"]}},
        {"operation": "excel/map-columns", "arguments": {"mapping": {"b": "b", "far": "Unnamed: 16380", "t": "town"}}},
        {"operation": "excel/extract-columns", "arguments": {"columns": ["b", "far", "t"], "remove_duplicates": True}},
    ]
    start = time.monotonic()
    answer = shared_stack.execute(chat, steps, timeout=SECONDS_MAX)
    assert answer.status == 200, answer
    columns = answer.data["results"][3]["data"]["columns"]
    assert [columns[name]["values"] for name in ("b", "far", "t")] == [["2", ""], ["", "7"], [""]]
    assert columns["b"]["total_count"] == 1048575
    assert time.monotonic() - start < SECONDS_MAX


def test_keys_of_one_length_and_form_do_not_collide(shared_stack):
    keys = "".join("%016x\n" % (i << 20) for i in range(300000))
    chat = shared_stack.create_chat()
    assert shared_stack.upload(chat, "keys.csv", "key\n" + keys + keys).status == 200
    step = {"operation": "excel/extract-columns-to-file", "arguments": {"columns": ["key"], "remove_duplicates": True}}
    start = time.monotonic()
    answer = shared_stack.execute(chat, [step, all_rows("key")], timeout=SECONDS_MAX)
    assert answer.status == 200, answer
    assert answer.data["results"][1]["statistics"]["total_rows"] == 300000
    assert time.monotonic() - start < SECONDS_MAX


# --- what the world writes

TEXT = "id,név\n1,Zoë €\n"
ENCODED = {
    "utf-8": TEXT.encode(),
    "utf-8 with a mark": TEXT.encode("utf-8-sig"),
    "utf-16-le": b"\xFF\xFE" + TEXT.encode("utf-16-le"),
    "utf-16-be": b"\xFE\xFF" + TEXT.encode("utf-16-be"),
    "utf-16-le without a mark": TEXT.encode("utf-16-le"),
    "utf-16-be without a mark": TEXT.encode("utf-16-be"),
    "cp1252": TEXT.encode("cp1252"),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_encodings_are_told_apart(shared_stack, encoding):
    assert rows_of(shared_stack, "a.csv", ENCODED[encoding], "id") == TEXT


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(shared_stack, delimiter):
    content = "id,place\r\n1,Oslo\r\n2,\"Rio\nde Janeiro\"\r\n".replace(",", delimiter)
    assert rows_of(shared_stack, "a.csv", content, "id") == 'id,place\n1,Oslo\n2,"Rio\nde Janeiro"\n'


def test_a_delimiter_that_is_given_is_taken(shared_stack):
    chat = shared_stack.create_chat()
    assert shared_stack.upload(chat, "a.csv", "title;by\nx, y;z\n").status == 200
    convert = {"operation": "csv/convert-to-excel", "arguments": {"delimiter": ","}}
    assert "Expected 1 fields in line 2, saw 2" in shared_stack.execute(chat, [convert]).message
    columns = {"operation": "excel/extract-columns", "arguments": {"columns": ["title;by"], "delimiter": "tab"}}
    answer = shared_stack.execute(chat, [columns])
    assert answer.data["results"][0]["data"]["columns"]["title;by"]["values"] == ["x, y;z"]


def test_workbooks_with_macros_and_of_the_strict_kind_are_read(shared_stack):
    strict = workbook({"S": sheet_xml([["a", "b"], ["1", "2"]], STRICT_MAIN)}, main=STRICT_MAIN, office=STRICT_OFFICE)
    assert rows_of(shared_stack, "a.xlsm", workbook({"S": GOOD_SHEET}), "a") == "a,b\n1,2\n"
    assert rows_of(shared_stack, "a.xlsx", strict, "a") == "a,b\n1,2\n"


def test_a_json_array_is_a_table(shared_stack):
    content = json.dumps([{"a": 1, "b": "x"}, {"b": None, "c": [1, 2.0], "a": 2.0}])
    assert rows_of(shared_stack, "a.json", content, "a") == 'a,b,c\n1,x,\n2,,"[1,2.0]"\n'


def test_a_sheet_is_chosen_by_name_or_number(shared_stack):
    book = workbook({"First": GOOD_SHEET, "Zweites Blatt": sheet_xml([["a", "c"], ["3", "4"]])})
    assert rows_of(shared_stack, "a.xlsx", book, "a") == "a,b\n1,2\n"
    for sheet in ("Zweites Blatt", 1, "1"):
        assert rows_of(shared_stack, "a.xlsx", book, "a", sheet=sheet) == "a,c\n3,4\n"
    must_be_refused(shared_stack, "a.xlsx", book, "Worksheet 'Third' not found. Available sheets: 'First', 'Zweites Blatt'",
                    all_rows("a", sheet="Third"))
    must_be_refused(shared_stack, "a.xlsx", book, "Argument 'sheet' must be the name or the number of a sheet",
                    all_rows("a", sheet=["First"]))
