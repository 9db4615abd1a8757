# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the subjects of a row in turns, so that a noisy minute hits all of them, and judges."""

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
    seconds: float         # that it took
    values: dict           # figure -> number; empty when it failed
    error: str | None = None


@dataclass(frozen=True)
class Summary:
    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Verdict:
    figure: str
    goal: str
    ours: float
    bound: float | None  # None: what it is compared with was not measured
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
        """None when there is no such number."""
        values = [r.values[figure.name] for r in self.rounds
                  if r.subject == subject.name and figure.name in r.values]
        return Summary(statistics.median(values), min(values), max(values)) if values else None

    def verdicts(self, figure):
        """One for each goal, if ours was measured. Who failed in one round is not compared with."""
        failed = {r.subject for r in self.errors}
        medians = {s.name: summary.median for s in self.row.subjects
                   if (summary := self.summary(figure, s))}
        ours = medians.get(self.row.ours.name)
        if ours is None or self.row.ours.name in failed:
            return []
        verdicts = []
        for goal in figure.goals:
            bound = (goal.bound(figure, self.row.subjects, medians)
                     if failed.isdisjoint(goal.compared(self.row.subjects)) else None)
            reached = bound is not None and (
                ours <= bound if figure.better == LOWER else ours >= bound)
            verdicts.append(
                Verdict(figure.name, goal.describe(figure), ours, bound, reached))
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
    """The reason for the table."""
    if isinstance(error, subprocess.CalledProcessError):
        last = " / ".join((error.stderr or "").strip().splitlines()[-3:])
        return f"{pathlib.Path(error.cmd[0]).name} ended with {error.returncode}: {last}"
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
    except Exception as failure:  # whatever it is, the other subjects are measured
        values, error = {}, explain(failure)
    return Round(number, subject.name, time.monotonic() - start, values, error)


def run_row(name, row, quick, progress=lambda text: None):
    """Who failed once is not measured again: it may have taken long."""
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
