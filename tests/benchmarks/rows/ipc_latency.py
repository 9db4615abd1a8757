# SPDX-License-Identifier: LGPL-2.1-or-later
"""Latency of a frame from a sink's render() to a source's create() in another process."""

from harness import ipc, programs
from harness.ipc import count_of
from harness.row import EVERY_PEER, LIMIT, Figure, Goal, Row

# Goals: p50 within 1.5 times, p99 within twice that of the raw socket.
QUANTILES = (("p50", "p50_us", 1.5), ("p99", "p99_us", 2.0), ("p99.9", "p999_us", None))
PACE_US = 1000


def name_of(is_loaded, listeners, quantile):
    return f"{'loaded' if is_loaded else 'idle'}, {count_of(listeners)}, {quantile}"


def make_figures():
    figures = []
    for is_loaded in (False, True):
        for listeners in ipc.LISTENERS:
            for quantile, _, factor in QUANTILES:
                goals = (*((Goal(factor, LIMIT),) if factor else ()), Goal(of=EVERY_PEER))
                figures.append(Figure(name_of(is_loaded, listeners, quantile), "µs", goals=goals))
    return tuple(figures)


def measure(subject, quick):
    values = {}
    for is_loaded in subject.how.loads:
        with programs.loaded_cores(is_loaded):
            for listeners in subject.how.listeners:
                result = ipc.run(subject.how, listeners=listeners,
                                 messages=500 if quick else 2000, pace_us=PACE_US)
                values |= {name_of(is_loaded, listeners, quantile): result[key]
                           for quantile, key, _ in QUANTILES}
    return values


ROW = Row(
    title="latency from a sink's render() to a source's create() in another process, 240 bytes",
    subjects=(ipc.JKVM_TRANSPORT, *ipc.PEERS, ipc.RAW_SOCKET), figures=make_figures(), measure=measure,
    rounds=5, quick_rounds=2,
    notes=("Loaded: stress-ng keeps every core busy. fd supports one listener only.",))
