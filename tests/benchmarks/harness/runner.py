# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the subjects of a row and compares them with the goals. The subjects take turns, so that
noise on the machine affects all of them."""

import math
import pathlib
import statistics
import subprocess
import time
from dataclasses import dataclass

from .row import LOWER


@dataclass(frozen=True)
class Round:
    number: int
    subject: str
    seconds: float         # duration
    values: dict           # figure -> number; empty if the round failed
    error: str | None = None


@dataclass(frozen=True)
class Summary:
    median: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Verdict:
    figure: str
    goal: str
    value: float         # median of jkvm
    bound: float | None  # None: the subject to compare with was not measured
    reached: bool


@dataclass(frozen=True)
class Result:
    name: str
    row: object
    rounds: list

    @property
    def errors(self):
        return [r for r in self.rounds if r.error is not None]

    def summary(self, figure, subject):
        """Returns the Summary of a figure, or None if it was not measured."""
        values = [r.values[figure.name] for r in self.rounds
                  if r.subject == subject.name and figure.name in r.values]
        return Summary(statistics.median(values), min(values), max(values)) if values else None

    def verdicts(self, figure):
        """Returns one Verdict per goal, or none if jkvm failed. A subject that failed in any round is
        not compared with."""
        failed = {r.subject for r in self.errors}
        medians = {s.name: summary.median for s in self.row.subjects
                   if (summary := self.summary(figure, s))}
        value = medians.get(self.row.jkvm.name)
        if value is None or self.row.jkvm.name in failed:
            return []
        verdicts = []
        for goal in figure.goals:
            bound = (goal.bound(figure, self.row.subjects, medians)
                     if failed.isdisjoint(goal.compared(self.row.subjects)) else None)
            reached = bound is not None and (
                value <= bound if figure.better == LOWER else value >= bound)
            verdicts.append(
                Verdict(figure.name, goal.describe(figure), value, bound, reached))
        return verdicts

    def to_json(self):
        figures = []
        for figure in self.row.figures:
            summaries = {s.name: vars(summary) for s in self.row.subjects
                         if (summary := self.summary(figure, s))}
            figures.append({"name": figure.name, "unit": figure.unit, "better": figure.better,
                            "subjects": summaries,
                            "goals": [vars(v) for v in self.verdicts(figure)]})
        return {"name": self.name, "title": self.row.title,
                "subjects": [{"name": s.name, "kind": s.kind} for s in self.row.subjects],
                "figures": figures, "rounds": [vars(r) for r in self.rounds]}


def explain(error):
    """Returns the text of an error for the report."""
    if isinstance(error, subprocess.CalledProcessError):
        last = " / ".join((error.stderr or "").strip().splitlines()[-3:])
        return f"{pathlib.Path(error.cmd[0]).name} exited with status {error.returncode}: {last}"
    return str(error) or type(error).__name__


def measure_once(row, subject, number, quick):
    start = time.monotonic()
    try:
        values = dict(row.measure(subject, quick))
        unknown = values.keys() - {f.name for f in row.figures}
        if unknown:
            raise ValueError(f"undeclared figures: {', '.join(sorted(unknown))}")
        for name, value in values.items():
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value}")
        error = None
    except Exception as failure:  # the other subjects are measured whatever the error is
        values, error = {}, explain(failure)
    return Round(number, subject.name, time.monotonic() - start, values, error)


def run_row(name, row, quick, progress=lambda text: None):
    """Runs all rounds of a row. A subject that failed is not measured again, because a failure may
    take long."""
    rounds = []
    failed = set()
    count = row.quick_rounds if quick else row.rounds
    for number in range(1, count + 1):
        for subject in row.subjects:
            if subject.name in failed:
                continue
            progress(f"{name}: round {number} of {count}, {subject.name}")
            rounds.append(measure_once(row, subject, number, quick))
            if rounds[-1].error is not None:
                failed.add(subject.name)
    return Result(name, row, rounds)
