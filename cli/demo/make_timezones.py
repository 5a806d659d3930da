"""Makes timezones.csv and timezones.xlsx: the time zones of the world, one row a zone and country.

usage: make_timezones.py            (run once; the files are kept in the repository)
Source: the public-domain time zone database (zone.tab, iso3166.tab, package tzdata); offsets are those of 2026."""
import csv
import datetime
import pathlib
import re
import zoneinfo

import openpyxl

TABLES = pathlib.Path("/usr/share/zoneinfo")
HERE = pathlib.Path(__file__).parent
HEADER = ["zone", "country_code", "country", "latitude", "longitude", "january_offset", "july_offset", "comment"]


def table(name):
    for line in (TABLES / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def degrees(text):
    """ISO 6709 with sign: +DDMM, +DDDMM, +DDMMSS or +DDDMMSS."""
    sign, digits = (-1 if text[0] == "-" else 1), text[1:]
    whole = len(digits) - (2 if len(digits) <= 5 else 4)
    parts = [int(digits[:whole]), int(digits[whole:whole + 2]), int(digits[whole + 2:] or 0)]
    return round(sign * (parts[0] + parts[1] / 60 + parts[2] / 3600), 4)


def offset_hours(zone, month):
    moment = datetime.datetime(2026, month, 15, 12, tzinfo=zoneinfo.ZoneInfo(zone))
    hours = moment.utcoffset().total_seconds() / 3600
    return int(hours) if hours == int(hours) else hours


def rows():
    countries = {code: name for code, name in table("iso3166.tab")}
    for code, place, zone, *comment in table("zone.tab"):
        latitude, longitude = re.match(r"([+-]\d+)([+-]\d+)$", place).groups()
        yield [zone, code, countries[code], degrees(latitude), degrees(longitude), offset_hours(zone, 1),
               offset_hours(zone, 7), comment[0] if comment else ""]


def main():
    data = sorted(rows())
    with open(HERE / "timezones.csv", "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(data)
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Time zones"
    for row in [HEADER, *data]:
        sheet.append(row)
    book.save(HERE / "timezones.xlsx")


if __name__ == "__main__":
    main()
