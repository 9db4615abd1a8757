#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares jkvm with other elements and with the theoretical limit, and prints a table for each row.

A row is a module in rows/ that defines ROW, a Row of harness/row.py. Its name on the command line is
the module name with dashes. `./jkvm bench` builds the programs that the rows run, and sets the
environment.
"""

import argparse
import importlib
import json
import os
import pathlib
import sys
import time

from harness import machine, report, runner

HERE = pathlib.Path(__file__).resolve().parent

# Programs that take minutes and have their own options; they run only when named.
SCENARIOS = {
    "throttled-link": "receivers of a throttled sender",
    "weighted-load": "policy=weighted on an idle and on a busy machine",
}


def row_names():
    return sorted(path.stem.replace("_", "-") for path in (HERE / "rows").glob("*.py"))


def load_row(name):
    return importlib.import_module("rows." + name.replace("-", "_")).ROW


def parse_arguments(names):
    parser = argparse.ArgumentParser(
        prog="jkvm bench", description=__doc__.split("\n\n", maxsplit=1)[0],
        epilog=f"{' and '.join(SCENARIOS)} have their own options: jkvm bench NAME --help")
    parser.add_argument("names", nargs="*", metavar="NAME", help="row to measure; default: all")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="write the results of all rounds and their summaries to FILE")
    parser.add_argument("--quick", action="store_true", help="run fewer and shorter rounds")
    parser.add_argument("--list", action="store_true", help="print the names and titles of all rows")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in names]:
        parser.error(f"unknown row {', '.join(unknown)} (rows: "
                     f"{', '.join([*names, *SCENARIOS])})")
    return options


def show_progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def write_json(path, head, quick, results):
    """Writes the results so far; called after each row, so that an interrupted run keeps them."""
    content = {"machine": head, "quick": quick, "rows": [r.to_json() for r in results]}
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def main():
    if sys.argv[1:2] and sys.argv[1] in SCENARIOS:
        program = HERE / (sys.argv[1].replace("-", "_") + ".py")
        os.execv(program, [program.name, *sys.argv[2:]])
    names = row_names()
    options = parse_arguments(names)
    if options.list:
        for name in names:
            print(f"{name:28} {load_row(name).title}")
        for name, title in SCENARIOS.items():
            print(f"{name:28} {title}; not in the default run")
        return 0
    start = time.monotonic()
    head = machine.describe()
    print("\n".join(f"{name}: {value}" for name, value in head.items()))
    print("\nEach cell is the median of the rounds (minimum..maximum).", flush=True)
    results = []
    for name in options.names or names:
        results.append(
            runner.run_row(name, load_row(name), options.quick, show_progress))
        show_progress("")
        print("\n" + report.table(results[-1]), flush=True)
        if options.json:
            write_json(options.json, head, options.quick, results)
    print(f"\n{time.monotonic() - start:.0f} s")
    return 1 if any(result.errors for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
