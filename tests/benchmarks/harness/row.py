# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one benchmark is: who is measured, for what, and what ours should reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

OURS = "ours"
PEER = "peer"    # does the same work with other elements
LIMIT = "limit"  # what nobody who does this work can be better than
KINDS = (OURS, PEER, LIMIT)

EVERY_PEER = "every peer"  # Goal.of: the best of them

LOWER = "lower"
HIGHER = "higher"


@dataclass(frozen=True)
class Subject:
    """One of those that are measured side by side."""
    name: str
    kind: str
    how: Any = None  # what the row's measure() needs to know of it


@dataclass(frozen=True)
class Goal:
    """What ours is compared with: factor * (the median of another) + plus."""
    factor: float = 1.0
    of: str = ""       # a subject's name, LIMIT or EVERY_PEER; "": a number, which is plus
    plus: float = 0.0  # in the figure's unit

    def compared(self, subjects):
        """The names of those that ours is compared with."""
        return {s.name for s in subjects
                if self.of and (self.of == s.name or self.of == s.kind == LIMIT
                                or self.of == EVERY_PEER and s.kind == PEER)}

    def bound(self, figure, subjects, medians):
        """medians: of this figure, by the subject's name. None: there is nothing to compare with."""
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
    """A number that a round gives."""
    name: str
    unit: str
    better: str = LOWER
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class Row:
    """measure(subject, quick) measures one round and returns {figure's name: value}. A figure that
    a subject cannot have is left out. Whatever it raises is reported as the reason."""
    title: str
    subjects: tuple[Subject, ...]
    figures: tuple[Figure, ...]
    measure: Callable[[Subject, bool], Mapping[str, float]]
    rounds: int = 5
    quick_rounds: int = 3
    notes: tuple[str, ...] = ()  # printed below the table

    def __post_init__(self):
        if [s.kind for s in self.subjects].count(OURS) != 1:
            raise ValueError("a row has one subject that is ours")
        if any(s.kind not in KINDS for s in self.subjects):
            raise ValueError(f"a subject is one of {KINDS}")
        for names in ([s.name for s in self.subjects], [f.name for f in self.figures]):
            if len(set(names)) < len(names):
                raise ValueError(f"the same name twice: {names}")

    @property
    def ours(self):
        return next(s for s in self.subjects if s.kind == OURS)
