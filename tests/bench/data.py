"""Measures the data engine: each operation on inputs made here, beside a floor in the same run and the peers this machine has.

usage: data.py BUILD_DIR [--runs 5] [--rows 1000000] [--sheet-rows 100000] [--markdown]
Prints seconds (median of the runs), rows/s, peak memory of the process, and the ratio to the floor."""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "Zürich", "a, b", 'say "hi"']


def rows(count):
    rng = random.Random(7)
    for i in range(count):
        yield [i, "c%05d" % rng.randrange(150000), rng.choice(WORDS), "%.2f" % (rng.random() * 10000), rng.randrange(1000),
               "2024-%02d-%02d" % (rng.randrange(1, 13), rng.randrange(1, 29)), rng.choice(["true", "false"]),
               rng.choice(WORDS) + " " + rng.choice(WORDS), "x" * rng.randrange(30), rng.random()]


HEADER = ["id", "customer", "word", "price", "quantity", "day", "active", "note", "padding", "ratio"]


def make_csv(path, count):
    import csv
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows(count))


def make_side(path, count=150000):
    keys = list(range(count))
    random.Random(3).shuffle(keys)
    with open(path, "w", encoding="utf-8") as out:
        out.write("customer,full_name,town\n")
        out.writelines("c%05d,Name Number %d,Town%d\n" % (key, key, key % 977) for key in keys)


def make_xlsx(step, csv_path, path):
    subprocess.run([step, "csv/convert-to-excel", "{}", csv_path, path], check=True, stdout=subprocess.DEVNULL)


def measure(command, runs, env=None):
    """Seconds printed by the command itself, its other figures, medians over the runs."""
    seconds, last = [], None
    for _ in range(runs):
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        if done.returncode != 0:
            sys.exit("%s failed: %s" % (command[0], done.stderr.strip()))
        last = done.stdout.split()
        seconds.append(float(last[0]))
    return statistics.median(seconds), last[1:]


PANDAS = """
import sys, time, resource
import pandas as pd
start = time.perf_counter()
kind, source, target = sys.argv[1:4]
if kind == "filter":
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame[frame["word"] == "echo"].to_csv(target, index=False)
elif kind == "json":
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame[["id", "word"]].to_json(target, orient="records")
elif kind == "toxlsx":
    pd.read_csv(source, dtype=str, keep_default_na=False).to_excel(target, index=False)
elif kind == "xlsxread":
    pd.read_excel(source, dtype=str).to_csv(target, index=False)
print("%.4f %d %d %d" % (time.perf_counter() - start, 0, 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


def pandas_python():
    for python in ("/usr/bin/python3", sys.executable):
        if subprocess.run([python, "-c", "import pandas, openpyxl"], capture_output=True).returncode == 0:
            return python
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--sheet-rows", type=int, default=100000)
    options = parser.parse_args()
    step = os.path.join(options.build, "bench", "bench_step")
    floor = os.path.join(options.build, "bench", "bench_floor")
    folder = tempfile.mkdtemp(prefix="sheetwire-bench-")
    path = lambda name: os.path.join(folder, name)
    try:
        make_csv(path("big.csv"), options.rows)
        make_csv(path("sheet.csv"), options.sheet_rows)
        make_csv(path("small.csv"), 10)
        make_side(path("side.csv"))
        make_xlsx(step, path("sheet.csv"), path("sheet.xlsx"))
        search = json.dumps({"conditions": [{"column": "word", "operator": "equals", "value": "echo"}]})
        number = json.dumps({"conditions": [{"column": "price", "operator": "greater_than", "value": 5000}]})
        to_csv = json.dumps({"conditions": [{"column": "word", "operator": "equals", "value": "echo"}], "output_format": "csv"})
        keep = json.dumps({"columns": ["customer", "word"], "remove_duplicates": True})
        mapping = json.dumps({"column_mapping": {"id": "i", "word": "w"}, "pretty_print": False})
        join = json.dumps({"bind_file": "side.csv", "comparison_column": "customer", "bind_columns": ["full_name", "town"],
                           "output_format": "csv"})
        template = json.dumps({"template": {"id": "{i:int}", "what": {"word": "{w}", "price": "{p:float}"}},
                               "column_mapping": {"i": "id", "w": "word", "p": "price"}, "pretty_print": False})
        cases = [
            ("CSV filter, text", "csv/search", search, "big.csv", "filter"),
            ("CSV filter, number", "csv/search", number, "big.csv", None),
            ("CSV to JSON, 2 columns", "json/generate", mapping, "big.csv", "json"),
            ("CSV join with 150,000 keys", "excel/bind-single-key", join, "big.csv", None),
            ("CSV to SQL INSERTs, 10 columns", "sql/generate", "{}", "big.csv", None),
            ("CSV to JSON by a template", "json/generate-with-template", template, "big.csv", None),
            ("CSV to XLSX, level 6", "csv/convert-to-excel", "{}", "sheet.csv", "toxlsx"),
            ("CSV to XLSX, level 1", "csv/convert-to-excel", "{}", "sheet.csv", None),
            ("XLSX read + filter", "excel/search", to_csv, "sheet.xlsx", "xlsxread"),
            ("XLSX extract + dedupe + write", "excel/extract-columns-to-file", keep, "sheet.xlsx", None),
            ("CSV filter, 10 rows", "csv/search", search, "small.csv", None),
        ]
        python = pandas_python()
        print("| operation | input | seconds | rows/s | peak MiB | floor s | times floor | pandas s | pandas MiB |")
        print("|---|---|---|---|---|---|---|---|---|")
        for title, operation, arguments, name, peer in cases:
            env = dict(os.environ, LEVEL="1" if "level 1" in title else "6")
            side = ["side=" + path("side.csv")] if "bind_file" in arguments else []
            seconds, (read, _, kib) = measure([step, operation, arguments, path(name), path("out")] + side, options.runs, env)
            limit, _ = measure([floor, "inflate" if name.endswith("xlsx") else "lines", path(name)], options.runs)
            peer_text = "| - | - "
            if python and peer:
                target = path("peer.xlsx" if peer == "toxlsx" else "peer.out")
                took, figures = measure([python, "-c", PANDAS, peer, path(name), target], max(1, options.runs // 2))
                peer_text = "| %.2f | %d " % (took, int(figures[2]) // 1024)
            print("| %s | %s, %.1f MB | %.3f | %s | %.1f | %.4f | %.1f %s|" %
                  (title, name, os.path.getsize(path(name)) / 1e6, seconds, format(int(int(read) / max(seconds, 1e-9)), ","),
                   int(kib) / 1024, limit, seconds / max(limit, 1e-6), peer_text))
        if not python:
            print("\nnot run: pandas: no python3 with pandas and openpyxl")
    finally:
        shutil.rmtree(folder)


main()
