"""Measures the data engine: each operation on inputs made here, beside a floor in the same run, the peers this machine has,
and the aims it is held to.

usage: data.py BUILD_DIR [--runs 5] [--peer-runs 5] [--rows 1000000] [--sheet-rows 100000]
               [--only speed|peers|process|memory]
Prints medians: seconds, processor seconds, rows/s, peak memory of the process, and the ratio to the floor, which is of processor
seconds, so that it holds on a busy machine too."""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

from support import peers, tables

MIB = 1024  # KiB
ROWS, SHEET_ROWS = 1000000, 100000
PROCESSES = 200


class Case:
    """One row of the table. `aim` is (seconds, rows/s, MiB), each None where there is none; `peer` names the same work of
    peers.py; `level` is zlib's."""

    def __init__(self, title, operation, arguments, source, peer=None, aim=(None, None, None), level=6):
        self.title, self.operation, self.source, self.peer, self.aim, self.level = title, operation, source, peer, aim, level
        self.arguments = json.dumps(arguments)
        self.joins = "bind_file" in arguments


def equals(**more):
    return dict({"conditions": [{"column": "word", "operator": "equals", "value": "echo"}]}, **more)


JOIN = {"bind_file": "side.csv", "comparison_column": "customer", "bind_columns": ["full_name", "town"],
        "output_format": "csv"}
JOIN_MULTI = {"bind_file": "side.csv", "comparison_columns": ["customer"], "bind_columns": ["town"], "output_format": "csv"}
TEMPLATE = {"template": {"id": "{i:int}", "what": {"word": "{w}", "price": "{p:float}"}},
            "column_mapping": {"i": "id", "w": "word", "p": "price"}, "pretty_print": False}
DEDUPE = {"columns": ["customer", "word"], "remove_duplicates": True}
NUMBER = {"conditions": [{"column": "price", "operator": "greater_than", "value": 5000}]}
MAPPING = {"column_mapping": {"id": "i", "word": "w"}, "pretty_print": False}
NORMALIZE = {"normalizations": [{"column_name": "word", "normalization_type": "uppercase"},
                                {"column_name": "price", "normalization_type": "z_score"}]}
MEDIAN = {"normalizations": [{"column_name": "price", "normalization_type": "fill_null_values",
                              "parameters": {"method": "median"}}]}

CASES = [
    Case("CSV filter, text", "csv/search", equals(), "big.csv", "filter", (0.30, None, 16)),
    Case("CSV filter, number", "csv/search", NUMBER, "big.csv", "number", (0.30, None, 16)),
    Case("CSV join with 150,000 keys", "excel/bind-single-key", JOIN, "big.csv", "join", (0.70, None, 64)),
    Case("CSV to SQL INSERTs, 10 columns", "sql/generate", {}, "big.csv", None, (None, 1.3e6, None)),
    Case("CSV to JSON, 2 columns", "json/generate", MAPPING, "big.csv", "json", (None, 1.3e6, None)),
    Case("CSV to JSON by a template", "json/generate-with-template", TEMPLATE, "big.csv", None, (None, 1.3e6, None)),
    Case("CSV to XLSX, level 6", "csv/convert-to-excel", {}, "sheet.csv", "write", (0.85, None, None)),
    Case("CSV to XLSX, level 1", "csv/convert-to-excel", {}, "sheet.csv", None, (0.35, None, None), 1),
    Case("XLSX of ours: read + filter", "excel/search", equals(output_format="csv"), "sheet.xlsx", "read", (0.25, None, 24)),
    Case("XLSX as of Excel: read + filter", "excel/search", equals(output_format="csv"), "excel.xlsx", "read",
         (0.25, None, 24)),
    Case("XLSX extract + dedupe + write", "excel/extract-columns-to-file", DEDUPE, "sheet.xlsx", "dedupe",
         (0.50, None, None)),
]

# Every operation, on tables of 1, 10 and 100 MB; what it remembers is what may grow.
GROWTH = [
    ("excel/extract-columns", {"columns": ["customer", "word"]}, "fingerprints of unique values"),
    ("excel/extract-columns-to-file", {"columns": ["customer", "word"], "output_format": "csv"}, None),
    ("excel/extract-columns-to-file", DEDUPE, "every different row of the columns"),
    ("excel/map-columns", {"mapping": {"a": "word", "b": {"source": "price", "default": 0}}}, None),
    ("excel/bind-single-key", JOIN, "keys and bind columns, 0.15 rows for each of the input"),
    ("excel/bind-multi-key", JOIN_MULTI, "keys and bind columns, 0.15 rows for each of the input"),
    ("excel/search", equals(output_format="xlsx"), None),
    ("csv/search", equals(), None),
    ("csv/convert-to-excel", {}, None),
    ("normalization/apply", NORMALIZE, "fingerprints of unique values for its report"),
    ("normalization/apply", MEDIAN, "the numbers of a median, and fingerprints"),
    ("sql/generate", {}, None),
    ("sql/generate-to-text", {}, None),
    ("sql/generate-custom-to-text", {"template": "UPDATE t SET w = {w} WHERE id = {i:int};",
                                     "column_mapping": {"w": "word", "i": "id"}}, None),
    ("json/generate", MAPPING, None),
    ("json/generate-with-template", TEMPLATE, None),
]


def processor_seconds():
    """Of all children so far, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.ours = {}

    def program(self, name):
        return os.path.join(self.options.build, "bench", name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, command, level=6):
        """The figures a program prints, and its processor seconds."""
        before = processor_seconds()
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, LEVEL=str(level)))
        used = processor_seconds() - before
        if done.returncode != 0:
            sys.exit("%s %s failed: %s" % (command[0], command[1], done.stderr.strip()))
        return [float(word) for word in done.stdout.split()[:4]] + [used]

    def medians(self, command, level=6):
        return [statistics.median(column) for column in zip(*(self.run(command, level) for _ in range(self.options.runs)))]

    def step(self, operation, arguments, source, level=6, side=None, runs=None):
        """(seconds, rows read, rows written, KiB, processor seconds)"""
        command = [self.program("bench_step"), operation, arguments, self.path(source), self.path("out")]
        command += ["side=" + self.path(side)] if side else []
        return self.run(command, level) if runs == 1 else self.medians(command, level)


def verdict(case, options, seconds, rows_per_second, mib):
    """The aim as text, and whether it is met. Aims are for the standard sizes."""
    missed, aims = [], []
    standard = (options.rows, options.sheet_rows) == (ROWS, SHEET_ROWS)
    aim_seconds, aim_rows, aim_mib = case.aim if standard else (None, None, None)
    if aim_seconds:
        aims.append("%.2f s" % aim_seconds)
        missed += ["%+.0f %% time" % (100 * (seconds / aim_seconds - 1))] if seconds > aim_seconds else []
    if aim_rows:
        aims.append("%.1f M rows/s" % (aim_rows / 1e6))
        missed += ["%+.0f %% rate" % (100 * (rows_per_second / aim_rows - 1))] if rows_per_second < aim_rows else []
    if aim_mib:
        aims.append("%d MiB" % aim_mib)
        missed += ["%+.0f MiB" % (mib - aim_mib)] if mib > aim_mib else []
    return ", ".join(aims) or "-", "no: " + ", ".join(missed) if missed else "yes" if aims else "-"


def table(title, *columns):
    print("\n%s\n\n| %s |\n|%s" % (title, " | ".join(columns), "---|" * len(columns)))


def print_row(*cells):
    print("| %s |" % " | ".join(str(cell) for cell in cells), flush=True)


def speed(bench):
    table("One step in one process; the floor reads the same file in blocks and finds its line ends, or only inflates it",
          "operation", "input", "seconds", "processor s", "rows/s", "VmHWM MiB", "floor, processor s", "times floor", "aim", "met")
    for case in CASES:
        seconds, read, _, kib, used = bench.step(case.operation, case.arguments, case.source, case.level,
                                                 "side.csv" if case.joins else None)
        kind = "inflate" if case.source.endswith("xlsx") else "lines"
        floor = bench.medians([bench.program("bench_floor"), kind, bench.path(case.source)])[-1]
        rate = read / max(seconds, 1e-9)
        bench.ours[case.title] = (seconds, kib)
        print_row(case.title, "%s, %.1f MB" % (case.source, os.path.getsize(bench.path(case.source)) / 1e6),
                  "%.3f" % seconds, "%.3f" % used, format(int(rate), ","), "%.1f" % (kib / MIB), "%.4f" % floor,
                  "%.1f" % (used / max(floor, 1e-6)), *verdict(case, bench.options, seconds, rate, kib / MIB))


def beside_peers(bench):
    found, lacking = peers.present()
    table("The same work by other programs", "operation", "Sheetwire s", "MiB", "peer", "s", "processor s", "MiB", "times")
    for case in CASES:
        if not case.peer:
            continue
        if case.title not in bench.ours:
            figures = bench.step(case.operation, case.arguments, case.source, case.level, "side.csv" if case.joins else None)
            bench.ours[case.title] = (figures[0], figures[3])
        seconds, kib = bench.ours[case.title]
        for name, make in found:
            target = bench.path("peer.xlsx" if case.peer in ("write", "dedupe") else "peer.out")
            command = make(case.peer, bench.path(case.source), target, bench.path("side.csv"))
            if not command:
                continue
            took, used, peer_kib = peers.measure(*command, bench.options.peer_runs)
            print_row(case.title, "%.3f" % seconds, "%.1f" % (kib / MIB), name, "%.2f" % took, "%.2f" % used,
                      "%d" % (peer_kib / MIB), "%.1f" % (took / seconds))
    for name in lacking:
        print("\nnot run: %s is not installed" % name)


def process(bench):
    table("A step as the worker runs it: fork, sandbox, step, output and spool synced to disk, report, end",
          "step", "median ms", "fastest ms", "processor ms", "peak MiB", "aim", "met")
    for title, operation, arguments in (
            ("csv/search, 10 rows", "csv/search", equals()),
            ("csv/convert-to-excel, 10 rows", "csv/convert-to-excel", {}),
            ("json/generate, 10 rows", "json/generate", MAPPING)):
        before = processor_seconds()
        done = subprocess.run([bench.program("bench_process"), operation, json.dumps(arguments), bench.path("small.csv"),
                               bench.folder, str(PROCESSES)], capture_output=True, text=True)
        used = 1000 * (processor_seconds() - before) / PROCESSES
        if done.returncode != 0:
            sys.exit("bench_process failed: %s" % done.stderr.strip())
        runs = [line.split() for line in done.stdout.splitlines()]
        took = [1000 * float(run[0]) for run in runs]
        median = statistics.median(took)
        print_row(title, "%.2f" % median, "%.2f" % min(took), "%.2f" % used, "%.1f" % (max(int(run[1]) for run in runs) / MIB), "5 ms",
                  "yes" if median < 5 else "no: %+.1f ms" % (median - 5))


def memory(bench):
    sizes = [max(bench.options.rows // part, 10) for part in (100, 10, 1)]
    for rows in sizes:
        tables.make_csv(bench.path("grow%d.csv" % rows), rows)
        folder = bench.path("side%d" % rows)
        os.mkdir(folder)
        tables.make_side(os.path.join(folder, "side.csv"), max(rows * 15 // 100, 1))
    names = ["%.0f MB" % (os.path.getsize(bench.path("grow%d.csv" % rows)) / 1e6) for rows in sizes]
    table("Memory as rows grow (VmHWM of the process, MiB)", "operation", *names, "what may grow")
    for operation, arguments, grows in GROWTH:
        side = "side%d/side.csv" if "bind_file" in arguments else None
        peaks = [bench.step(operation, json.dumps(arguments), "grow%d.csv" % rows, 1, side and side % rows, 1)[3]
                 for rows in sizes]
        title = operation + (", dedupe" if arguments is DEDUPE else ", median" if arguments is MEDIAN else "")
        print_row(title, *("%.1f" % (kib / MIB) for kib in peaks), grows or "nothing")
    peaks = []
    for rows in sizes:
        bench.step("csv/convert-to-excel", "{}", "grow%d.csv" % rows, 1, None, 1)
        os.replace(bench.path("out"), bench.path("grow.xlsx"))
        peaks.append(bench.step("excel/search", json.dumps(equals(output_format="csv")), "grow.xlsx", 1, None, 1)[3])
    print_row("excel/search of a workbook of these rows", *("%.1f" % (kib / MIB) for kib in peaks),
              "the first 16 MiB of cells, kept so that they need not be read twice")


def make_inputs(bench):
    tables.make_csv(bench.path("big.csv"), bench.options.rows)
    tables.make_csv(bench.path("sheet.csv"), bench.options.sheet_rows)
    tables.make_csv(bench.path("small.csv"), 10)
    tables.make_side(bench.path("side.csv"), tables.SIDE_ROWS)
    tables.make_excel(bench.path("excel.xlsx"), bench.options.sheet_rows)
    bench.step("csv/convert-to-excel", "{}", "sheet.csv", 6, None, 1)
    os.replace(bench.path("out"), bench.path("sheet.xlsx"))


PARTS = {"speed": speed, "peers": beside_peers, "process": process, "memory": memory}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer-runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--sheet-rows", type=int, default=SHEET_ROWS)
    parser.add_argument("--only", choices=sorted(PARTS))
    options = parser.parse_args()
    bench = Bench(options, tempfile.mkdtemp(prefix="sheetwire-bench-"))
    try:
        make_inputs(bench)
        print("Medians of %d runs (peers: %d), warm cache; %s x 10 CSV, %s x 10 XLSX." % (
            options.runs, options.peer_runs, format(options.rows, ","), format(options.sheet_rows, ",")))
        for name, part in PARTS.items():
            if options.only in (None, name):
                part(bench)
    finally:
        shutil.rmtree(bench.folder)


main()
