# SPDX-License-Identifier: LGPL-2.1-or-later
"""Results as text, in Markdown, for people."""


def number(value):
    """Three digits, but all of those before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cell(summary):
    if summary is None:
        return "–"
    if summary.least == summary.most:
        return number(summary.median)
    return f"{number(summary.median)} ({number(summary.least)}..{number(summary.most)})"


def verdict(verdict, unit):
    """As "≤ 1.5 × limit: not reached (bound 15 µs, ours is 1.20 × that)"."""
    if verdict.bound is None:
        return f"{verdict.goal}: nothing to compare with"
    if verdict.reached:
        return f"{verdict.goal}: reached"
    missed = f"bound {number(verdict.bound)} {unit}".rstrip()
    if verdict.bound:
        missed += f", ours is {verdict.ours / verdict.bound:.2f} × that"
    return f"{verdict.goal}: not reached ({missed})"


def table(result):
    row = result.row
    columns = ["", "unit"] + [f"{s.name} ({s.kind})" for s in row.subjects] + ["goal"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for figure in row.figures:
        cells = [cell(result.summary(figure, s)) for s in row.subjects]
        goals = "; ".join(verdict(v, figure.unit) for v in result.verdicts(figure))
        better = "" if figure.better == "lower" else " (more is better)"
        lines.append("| " + " | ".join([figure.name + better, figure.unit, *cells, goals]) + " |")
    lines.extend(f"\nError: {r.subject}, round {r.number}: {r.error}" for r in result.errors)
    lines.extend(f"\n{note}" for note in row.notes)
    return "\n".join([f"## {result.name}: {row.title}", "", *lines])
