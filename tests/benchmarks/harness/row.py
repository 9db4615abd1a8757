# SPDX-License-Identifier: LGPL-2.1-or-later
"""Defines a benchmark: its subjects, its figures, and the goals for jkvm."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

JKVM = "jkvm"
PEER = "peer"    # other elements that do the same work
LIMIT = "limit"  # theoretical optimum for this work
KINDS = (JKVM, PEER, LIMIT)

EVERY_PEER = "every peer"  # Goal.of: the best peer

LOWER = "lower"
HIGHER = "higher"


@dataclass(frozen=True)
class Subject:
    """An implementation that a row measures."""
    name: str
    kind: str
    how: Any = None  # parameter for the row's measure()


@dataclass(frozen=True)
class Goal:
    """A bound for the median of jkvm: factor * (median of another subject) + plus."""
    factor: float = 1.0
    of: str = ""       # a subject's name, LIMIT or EVERY_PEER; "": the bound is plus
    plus: float = 0.0  # in the figure's unit

    def compared(self, subjects):
        """Returns the names of the subjects that the bound depends on."""
        return {s.name for s in subjects
                if self.of and (self.of == s.name or self.of == s.kind == LIMIT
                                or self.of == EVERY_PEER and s.kind == PEER)}

    def bound(self, figure, subjects, medians):
        """Returns the bound, or None if none of the subjects it depends on was measured. medians:
        subject name -> median of the figure."""
        if not self.of:
            return self.plus
        others = [medians[name] for name in self.compared(subjects) if name in medians]
        if not others:
            return None
        best = min(others) if figure.better == LOWER else max(others)
        return self.factor * best + self.plus

    def describe(self, figure):
        sign = "≤" if figure.better == LOWER else "≥"
        if not self.of:
            return f"{sign} {self.plus:g} {figure.unit}".rstrip()
        times = "" if self.factor == 1 else f"{self.factor:g} × "
        plus = f" {self.plus:+g} {figure.unit}".rstrip() if self.plus else ""
        return f"{sign} {times}{self.of}{plus}"


@dataclass(frozen=True)
class Figure:
    """A number that each round measures."""
    name: str
    unit: str
    better: str = LOWER
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class Row:
    """A benchmark. measure(subject, quick) runs one round and returns {figure name: value}, without
    figures that do not apply to the subject. Its exceptions are reported as errors of the round."""
    title: str
    subjects: tuple[Subject, ...]
    figures: tuple[Figure, ...]
    measure: Callable[[Subject, bool], Mapping[str, float]]
    rounds: int = 5
    quick_rounds: int = 3
    notes: tuple[str, ...] = ()  # printed below the table

    def __post_init__(self):
        if [s.kind for s in self.subjects].count(JKVM) != 1:
            raise ValueError("a row needs exactly one subject of kind JKVM")
        if any(s.kind not in KINDS for s in self.subjects):
            raise ValueError(f"the kind of a subject must be one of {KINDS}")
        for names in ([s.name for s in self.subjects], [f.name for f in self.figures]):
            if len(set(names)) < len(names):
                raise ValueError(f"duplicate name in {names}")

    @property
    def jkvm(self):
        return next(s for s in self.subjects if s.kind == JKVM)
