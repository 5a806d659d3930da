"""What other programs need for the same work on the same files, as far as this machine has them."""
import os
import shutil
import statistics
import subprocess
import sys
import time

# Prints its own seconds, so that loading the libraries is not in them.
PANDAS = """
import sys, time
import pandas as pd
start = time.perf_counter()
kind, source, target, side = sys.argv[1:5]
if kind == "filter":
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame[frame["word"] == "echo"].to_csv(target, index=False)
elif kind == "number":
    frame = pd.read_csv(source, dtype={"price": float}, keep_default_na=False)
    frame[frame["price"] > 5000].to_csv(target, index=False)
elif kind == "join":
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame.merge(pd.read_csv(side, dtype=str), on="customer", how="left").to_csv(target, index=False)
elif kind == "json":
    frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    frame[["id", "word"]].to_json(target, orient="records")
elif kind == "write":
    pd.read_csv(source, dtype=str, keep_default_na=False).to_excel(target, index=False)
elif kind == "read":
    pd.read_excel(source, dtype=str).to_csv(target, index=False)
elif kind == "dedupe":
    pd.read_excel(source, dtype=str)[["customer", "word"]].drop_duplicates().to_excel(target, index=False)
print("%.4f" % (time.perf_counter() - start))
"""

MILLER = {
    "filter": ["filter", '$word == "echo"'],
    "number": ["filter", "$price > 5000"],
    "json": ["--ojson", "cut", "-f", "id,word"],
    "join": ["join", "--ur", "-j", "customer", "-f"],
}


def pandas_python():
    for python in ("/usr/bin/python3", sys.executable):
        if subprocess.run([python, "-c", "import pandas, openpyxl"], capture_output=True).returncode == 0:
            return python
    return None


def pandas_command(python, kind, source, target, side):
    return [python, "-c", PANDAS, kind, source, target, side], None


def miller_command(program, kind, source, target, side):
    if kind not in MILLER:
        return None
    words = MILLER[kind]
    flags = [word for word in words if word.startswith("--o")] or ["--ocsv"]
    verb = [word for word in words if not word.startswith("--o")] + ([side] if kind == "join" else [])
    return [program, "--icsv"] + flags + verb + [source], target


def xlsx2csv_command(program, kind, source, target, side):
    return ([program, source, target], None) if kind == "read" else None


def present():
    """(name, function that makes a command) of each peer of this machine, and the names of those it lacks."""
    found, lacking = [], []
    for name, program, make in (("pandas", pandas_python(), pandas_command), ("Miller", shutil.which("mlr"), miller_command),
                                ("xlsx2csv", shutil.which("xlsx2csv"), xlsx2csv_command)):
        if program:
            found.append((name, lambda *arguments, make=make, program=program: make(program, *arguments)))
        else:
            lacking.append(name)
    return found, lacking


def run_once(command, stdout_path):
    """Seconds, user and system seconds, peak KiB."""
    with open(stdout_path or os.devnull, "wb") as out:
        stdout = out if stdout_path else subprocess.PIPE
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)
        said = process.stdout.read() if not stdout_path else b""
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit("%s failed" % command[0])
    return float(said) if said.strip() else seconds, used.ru_utime + used.ru_stime, used.ru_maxrss


def measure(command, stdout_path, runs):
    figures = [run_once(command, stdout_path) for _ in range(runs)]
    return tuple(statistics.median(column) for column in zip(*figures))
