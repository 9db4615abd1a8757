# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a frame takes from a sink's render to a source's create in another process."""

from harness import programs
from harness.row import EVERY_PEER, LIMIT, OURS, PEER, Figure, Goal, Row, Subject

# p50 may take 1.5 times as long as on the bare socket, p99 twice.
QUANTILES = (("p50", "p50_us", 1.5), ("p99", "p99_us", 2.0), ("p99.9", "p999_us", None))
LISTENERS = (1, 8)
PACE_US = 1000


def name_of(is_loaded, listeners, quantile):
    return f"{'loaded' if is_loaded else 'idle'}, {listeners} listening, {quantile}"


def make_figures():
    figures = []
    for is_loaded in (False, True):
        for listeners in LISTENERS:
            for quantile, _, factor in QUANTILES:
                goals = (Goal(factor, LIMIT), Goal(of=EVERY_PEER)) if factor else ()
                figures.append(Figure(name_of(is_loaded, listeners, quantile), "µs", goals=goals))
    return tuple(figures)


def measure(subject, quick):
    values = {}
    for is_loaded in (False, True):
        with programs.loaded_cores(is_loaded):
            for listeners in subject.how["listeners"]:
                result = programs.run(
                    [programs.program("ipc-bench"), "--transport", subject.how["transport"],
                     "--listeners", listeners, "--messages", 500 if quick else 2000,
                     "--pace-us", PACE_US])
                if result["lost"]:
                    raise RuntimeError(f"{result['lost']} messages were lost")
                values |= {name_of(is_loaded, listeners, quantile): result[key]
                           for quantile, key, _ in QUANTILES}
    return values


ROW = Row(
    title="one way, from a sink's render to a source's create in another process, 240 bytes",
    subjects=(
        Subject("jkvmipc", OURS, {"transport": "jkvm", "listeners": LISTENERS}),
        Subject("shm", PEER, {"transport": "shm", "listeners": LISTENERS}),
        Subject("tcp + gdp", PEER, {"transport": "tcp", "listeners": LISTENERS}),
        Subject("fd + gdp", PEER, {"transport": "fd", "listeners": (1,)}),
        Subject("raw socket", LIMIT, {"transport": "raw", "listeners": LISTENERS})),
    figures=make_figures(), measure=measure, rounds=5, quick_rounds=2,
    notes=("Loaded: stress-ng keeps every core busy. A descriptor (fdsink, fdsrc) has one listener "
           "only.",))
