# SPDX-License-Identifier: LGPL-2.1-or-later
"""Formats results as Markdown."""

from .row import JKVM


def number(value):
    """Formats a number with three significant digits, or all integer digits if there are more."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cell(summary):
    if summary is None:
        return "–"
    if summary.minimum == summary.maximum:
        return number(summary.median)
    return f"{number(summary.median)} ({number(summary.minimum)}..{number(summary.maximum)})"


def verdict(verdict, unit):
    """Returns e.g. "≤ 1.5 × limit: not reached, 1.20 × the bound of 15 µs"."""
    if verdict.bound is None:
        return f"{verdict.goal}: not comparable"
    if verdict.reached:
        return f"{verdict.goal}: reached"
    ratio = f"{verdict.value / verdict.bound:.2f} × " if verdict.bound else "above "
    return f"{verdict.goal}: not reached, {ratio}the bound of {number(verdict.bound)} {unit}".rstrip()


def heading(subject):
    return subject.name if subject.kind == JKVM else f"{subject.name} ({subject.kind})"


def table(result):
    row = result.row
    columns = ["", "unit"] + [heading(s) for s in row.subjects] + ["goal"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for figure in row.figures:
        cells = [cell(result.summary(figure, s)) for s in row.subjects]
        goals = "; ".join(verdict(v, figure.unit) for v in result.verdicts(figure))
        better = "" if figure.better == "lower" else " (higher is better)"
        lines.append("| " + " | ".join([figure.name + better, figure.unit, *cells, goals]) + " |")
    lines.extend(f"\nError: {r.subject}, round {r.number}: {r.error}" for r in result.errors)
    lines.extend(f"\n{note}" for note in row.notes)
    return "\n".join([f"## {result.name}: {row.title}", "", *lines])
