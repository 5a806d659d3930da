"""The inputs of data.py: the same bytes every time."""
import csv
import datetime
import random
import zipfile
from xml.sax.saxutils import escape

WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "Zürich", "a, b", 'say "hi"']
HEADER = ["id", "customer", "word", "price", "quantity", "day", "active", "note", "padding", "ratio"]
SIDE_ROWS = 150000


def rows(count):
    rng = random.Random(7)
    for i in range(count):
        yield [i, "c%05d" % rng.randrange(SIDE_ROWS), rng.choice(WORDS), "%.2f" % (rng.random() * 10000),
               rng.randrange(1000), "2024-%02d-%02d" % (rng.randrange(1, 13), rng.randrange(1, 29)),
               rng.choice(["true", "false"]), rng.choice(WORDS) + " " + rng.choice(WORDS), "x" * rng.randrange(30),
               rng.random()]


def make_csv(path, count):
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows(count))


def make_side(path, count):
    """The second table of a join: every customer once, in any order."""
    keys = list(range(count))
    random.Random(3).shuffle(keys)
    with open(path, "w", encoding="utf-8") as out:
        out.write("customer,full_name,town\n")
        out.writelines("c%05d,Name Number %d,Town%d\n" % (key, key, key % 977) for key in keys)


# A workbook as Excel writes it: shared strings, numbers as numbers, dates as numbers with a format.

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
STYLES = ('<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts><fills count="1"><fill>'
          '<patternFill patternType="none"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1">'
          '<xf/></cellStyleXfs><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>')
NUMBERS = {"id", "price", "quantity", "ratio"}


def relationships(*targets):
    return "%s<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">%s</Relationships>" % (
        XML, "".join('<Relationship Id="rId%d" Type="%s/%s" Target="%s"/>' % (i, RELATION, kind, target)
                     for i, (kind, target) in enumerate(targets, 1)))


def cell(reference, column, text, strings):
    if column in NUMBERS:
        return '<c r="%s"><v>%s</v></c>' % (reference, text)
    if column == "day":
        serial = (datetime.date.fromisoformat(text) - datetime.date(1899, 12, 30)).days
        return '<c r="%s" s="1"><v>%d</v></c>' % (reference, serial)
    if not text:
        return ""
    return '<c r="%s" t="s"><v>%d</v></c>' % (reference, strings.setdefault(text, len(strings)))


def make_excel(path, count):
    strings = {}
    lines = ['<row r="1" spans="1:10">%s</row>' % "".join(
        cell("%s1" % chr(65 + i), None, name, strings) for i, name in enumerate(HEADER))]
    for number, row in enumerate(rows(count), 2):
        cells = "".join(cell("%s%d" % (chr(65 + i), number), HEADER[i], str(value), strings)
                        for i, value in enumerate(row))
        lines.append('<row r="%d" spans="1:10">%s</row>' % (number, cells))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
        overrides = "".join('<Override PartName="/xl/%s.xml" ContentType="application/vnd.openxmlformats-officedocument.'
                            'spreadsheetml.%s+xml"/>' % part for part in (
                                ("workbook", "sheet.main"), ("worksheets/sheet1", "worksheet"), ("styles", "styles"),
                                ("sharedStrings", "sharedStrings")))
        out.writestr("[Content_Types].xml", XML +
                     '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                     '<Default Extension="xml" ContentType="application/xml"/>' + overrides + "</Types>")
        out.writestr("_rels/.rels", relationships(("officeDocument", "xl/workbook.xml")))
        out.writestr("xl/_rels/workbook.xml.rels", relationships(
            ("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")))
        out.writestr("xl/workbook.xml", '%s<workbook %s xmlns:r="%s"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/>'
                     "</sheets></workbook>" % (XML, MAIN, RELATION))
        out.writestr("xl/styles.xml", "%s<styleSheet %s>%s</styleSheet>" % (XML, MAIN, STYLES))
        out.writestr("xl/sharedStrings.xml", '%s<sst %s uniqueCount="%d">%s</sst>' % (
            XML, MAIN, len(strings), "".join("<si><t>%s</t></si>" % escape(text) for text in strings)))
        out.writestr("xl/worksheets/sheet1.xml",
                     '%s<worksheet %s><dimension ref="A1:J%d"/><sheetData>%s</sheetData></worksheet>' %
                     (XML, MAIN, count + 1, "".join(lines)))
