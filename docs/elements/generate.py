# SPDX-License-Identifier: LGPL-2.1-or-later
"""Generates the pages of this folder from the sources' documentation blocks and from introspection.

update.sh runs it with the path of the program describe-element.
"""
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
METRIC_TABLE = ROOT / "ext/jkvmmetrics/metric_table.cpp"

# Units that a blurb may have in parentheses.
UNIT = re.compile(r"\((ns|us|ms|s|Hz|bit/s|kbit/s|bytes|frames|buffers|packets|samples|channels|dB|"
                  r"ppm|percent|%|0 to 1)\)")
NUMBERS = ("gint", "guint", "gint64", "guint64", "gdouble")
# Numeric properties without a unit: counts, factors and codes.
DIMENSIONLESS = {"complexity", "current-level-buffers", "max-clients", "max-restarts",
                 "max-size-buffers", "optimize-evaluations", "optimize-lower-step",
                 "optimize-raise-step", "priority", "socket-mode", "volume"}
STARTS_SIGNAL = re.compile(r"^\s*\* Gst\w+::([\w-]+):$")
STARTS_PROPERTY = re.compile(r"^\s*\* Gst\w+:([\w-]+):$")


def documentation_block(source):
    """Returns the lines of the SECTION block as Markdown, and the kind of plugin feature it describes."""
    lines = []
    kind = None
    in_code = False
    for line in source.read_text().splitlines():
        start = re.match(r"^ \* SECTION:(element|tracer|provider)-(.*)", line)
        if start:
            kind = start[1]
            lines.append(f"# {start[2]}")
        elif kind is None:
            continue
        elif line.startswith(" */"):
            break
        else:
            text = re.sub(r"^ \* ?", "", line)
            if text.startswith("@title:"):
                continue
            summary = re.match(r"@short_description: *(.*)", text)
            if summary:
                lines += ["", f"*{summary[1]}*"]
            elif text in ("|[", "]|"):
                in_code = text == "|["
            else:
                lines.append(("    " if in_code else "") + text)
    return lines, kind


def comment_blocks(source, start):
    """Returns the blocks `GstType::name:` of a source file: {name: lines below}."""
    blocks = {}
    name = None
    for line in source.read_text().splitlines():
        match = start.match(line)
        if match:
            name = match[1]
            blocks[name] = []
        elif re.match(r"^\s*\*/", line):
            name = None
        elif name:
            blocks[name].append(re.sub(r"^\s*\* ?", "", line))
    return blocks


def since_of(lines):
    return next((line[len("Since:"):].strip() for line in lines if line.startswith("Since:")), None)


def cell(text):
    return text.replace("|", "\\|")


def property_section(description, source, element_since):
    """Returns the section with the properties, from introspection."""
    blocks = comment_blocks(source, STARTS_PROPERTY)
    parent = next(fields[1] for fields in description if fields[0] == "parent")
    lines = ["## Properties", "", f"In addition to those of {parent}:", "",
             "| property | type | unit | range | default | writable in | meaning |",
             "|---|---|---|---|---|---|---|"]
    for fields in description:
        if fields[0] != "property":
            continue
        _, name, kind, values, default, mutability, blurb = fields
        unit = UNIT.search(blurb)
        if kind in NUMBERS and not unit and name not in DIMENSIONLESS:
            sys.exit(f"{source}: the blurb of {name} has no unit in parentheses; "
                     "see docs/elements/generate.py")
        meaning = re.sub(r" ?" + UNIT.pattern, "", blurb, count=1)
        since = since_of(blocks.get(name, []))
        if since and since != element_since:
            meaning += f" (since {since})"
        lines.append("| " + " | ".join(cell(text) for text in (
            name, kind, unit[1] if unit else "", values, default, mutability, meaning)) + " |")
    return lines + [""]


def signal_section(description, source):
    """Returns the section with the signals; the names of their arguments are from the blocks."""
    blocks = comment_blocks(source, STARTS_SIGNAL)
    lines = []
    for fields in description:
        if fields[0] != "signal":
            continue
        _, name, returned, *types = fields
        if name not in blocks:
            sys.exit(f"{source}: the signal {name} has no documentation block")
        block = blocks[name]
        arguments = [re.match(r"@(\w+): *(.*)", line) for line in block if line.startswith("@")]
        if len(arguments) != len(types):
            sys.exit(f"{source}: {name} has {len(types)} arguments, {len(arguments)} are documented")
        result = next((line[len("Returns:"):].strip() for line in block
                       if line.startswith("Returns:")), None)
        text = " ".join(line for line in block
                        if line and not line.startswith(("@", "Since:", "Returns:")))
        described = "; ".join(
            f"{a[1]} ({kind}): " + re.sub(r" \(\w+\)\.?$", "", a[2])
            for a, kind in zip(arguments, types))
        if result:
            returned += f": {result}"
        lines.append(f"| {name} | {cell(described)} | {cell(returned)} | {cell(text)} |")
    if lines:
        lines = ["## Signals", "", "| signal | arguments | returns | meaning |", "|---|---|---|---|",
                 *lines, ""]
    return lines


def check_signals(lines, description, source):
    """Checks that a handwritten section names each signal with the right number of arguments."""
    text = "\n".join(lines[lines.index("## Signals"):])
    for fields in description:
        if fields[0] != "signal":
            continue
        _, name, _, *types = fields
        row = re.search(rf"^\| {re.escape(name)}(?: \(([^)]*)\))?", text, re.MULTILINE)
        named = row[1].count(",") + 1 if row and row[1] else 0
        if not row or named != len(types):
            sys.exit(f"{source}: the section on signals does not describe {name} "
                     f"and its {len(types)} arguments")


def insert_before(lines, headings, section):
    """Inserts the section before the first of these headings, or before the line Since:."""
    for i, line in enumerate(lines):
        if line in headings or line.startswith("Since:"):
            return lines[:i] + section + lines[i:]
    return lines + section


def element_page(source, describe):
    lines, kind = documentation_block(source)
    if kind != "element":
        return expand_tables(lines)
    name = lines[0][2:]
    output = subprocess.run([describe, name], check=True, capture_output=True, text=True).stdout
    description = [line.split("\t") for line in output.splitlines()]
    lines = insert_before(lines, ("## Statistics", "## Messages", "## Signals"),
                          property_section(description, source, since_of(lines)))
    if "## Signals" in lines:
        check_signals(lines, description, source)
    else:
        lines = insert_before(lines, (), signal_section(description, source))
    return lines


def expand_tables(lines):
    """Replaces `TABLE: metrics` and `TABLE: stages` with the rows of jkvmmetrics' tables."""
    tables = {"TABLE: metrics": metric_rows, "TABLE: stages": stage_rows}
    expanded = []
    for line in lines:
        expanded += tables[line]() if line in tables else [line]
    return expanded


def metric_rows():
    rows = ["| metric | kind | labels | source | meaning |", "|---|---|---|---|---|"]
    row = re.compile(r'^    \{"([\w-]*)", (\w+), (\w+), (\w+), \w+, "([^"]*)", "([^"]*)", "([^"]*)"')
    for field, source, path, kind, name, labels, text in table_rows(row):
        origin = field if source in ("stats", "queue", "sink") else f"{source} {field}"
        if path != "any":
            origin += f" ({path})"
        rows.append(f"| {name} | {kind} | {labels} | {origin} | {text} |")
    return rows


def stage_rows():
    rows = ["| stage | statistics | fields | meaning |", "|---|---|---|---|"]
    row = re.compile(r'^    \{"(application/[^"]*)", "([^"]*)", "([^"]*)", "([^"]*)"')
    for structure, prefix, stage, text in table_rows(row):
        rows.append(f"| {stage} | {structure} | {prefix}-buckets, {prefix}-sum | {text} |")
    return rows


def table_rows(pattern):
    for line in METRIC_TABLE.read_text().splitlines():
        match = pattern.match(line)
        if match:
            yield match.groups()


def main(describe, is_check):
    is_current = True
    for source in sorted([*ROOT.glob("gst/jkvm*/gstjkvm*.cpp"), *ROOT.glob("ext/jkvm*/gstjkvm*.cpp")]):
        page = HERE / (source.stem[len("gst"):] + ".md")
        text = "\n".join(element_page(source, describe)) + "\n"
        if not is_check:
            page.write_text(text)
        elif page.read_text() != text:
            is_current = False
            print(f"{page} differs:")
            subprocess.run(["diff", "-u", str(page), "-"], input=text, text=True, check=False)
    if not is_current:
        sys.exit("docs/elements is not up to date; run docs/elements/update.sh")


if __name__ == "__main__":
    main(sys.argv[1], "--check" in sys.argv)
