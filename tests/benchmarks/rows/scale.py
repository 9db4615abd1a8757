# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cost of more listeners of one sink, and of more pipelines in one process."""

import pathlib
import tempfile

from harness import ipc
from harness.row import EVERY_PEER, LIMIT, Figure, Goal, Row

LISTENERS = (1, 8, 64)
PIPELINES = (16, 64)  # with one listener each; a single pipeline is measured by LISTENERS
PACE_US = 20_000      # frames of 20 ms in real time
CALLS_LISTENERS = 8   # compared with 1 to find the cost of one more

LISTENERS_GROWTH = "CPU of an added listener, 9th to 64th relative to 2nd to 8th"
PIPELINES_GROWTH = "CPU of an added pipeline, 17th to 64th relative to 2nd to 16th"
LISTENER_CALLS = "system calls of the sender per added listener and frame"


def listeners_name(count):
    return f"{ipc.count_of(count)}, CPU per frame and listener"


def pipelines_name(count):
    return f"{count} pipelines, CPU per frame and pipeline"


def growth(totals):
    """Returns the marginal cost between the last two counts relative to that between the first two.
    totals: count -> total cost."""
    (few, of_few), (some, of_some), (many, of_many) = sorted(totals.items())
    return ((of_many - of_some) / (many - some)) / ((of_some - of_few) / (some - few))


def cpu_us(result):
    return result["sender_cpu_us_per_message"] + result["receiver_cpu_us_per_message"]


def count_calls(transport, listeners, frames):
    """Returns the system calls of the sender per frame, without the benchmark's own sleeps."""
    with tempfile.TemporaryDirectory(prefix="jkvm-bench-") as directory:
        summary = pathlib.Path(directory) / "strace"
        ipc.run(transport, listeners=listeners, messages=frames, pace_us=PACE_US, strace=summary)
        calls = 0
        for line in summary.read_text(encoding="utf-8").splitlines():
            words = line.split()  # % time, seconds, usecs/call, calls, [errors,] name
            if len(words) >= 5 and words[3].isdigit() and words[-1] not in ("clock_nanosleep",
                                                                            "total"):
                calls += int(words[3])
        return calls / frames


def measure(subject, quick):
    frames = 25 if quick else 50
    by_listeners = {count: cpu_us(ipc.run(subject.how, listeners=count, messages=frames,
                                          pace_us=PACE_US)) / count
                    for count in LISTENERS}
    by_pipelines = {count: cpu_us(ipc.run(subject.how, streams=count, messages=frames,
                                          pace_us=PACE_US))
                    for count in PIPELINES}
    more = count_calls(subject.how, CALLS_LISTENERS, frames) - count_calls(subject.how, 1, frames)
    values = {listeners_name(count): cpu for count, cpu in by_listeners.items()}
    values |= {pipelines_name(count): cpu for count, cpu in by_pipelines.items()}
    values[LISTENERS_GROWTH] = growth({n: n * cpu for n, cpu in by_listeners.items()})
    values[PIPELINES_GROWTH] = growth({1: by_listeners[1]} |
                                      {n: n * cpu for n, cpu in by_pipelines.items()})
    values[LISTENER_CALLS] = more / (CALLS_LISTENERS - 1)
    return values


LINEAR = (Goal(plus=1.1),)  # at most 10 % more expensive

ROW = Row(
    title="scaling with listeners and with pipelines in one process",
    subjects=(ipc.JKVM_TRANSPORT, *(peer for peer in ipc.PEERS if len(peer.how.listeners) > 1),
              ipc.RAW_SOCKET),
    figures=(*(Figure(listeners_name(count), "µs", goals=(Goal(of=EVERY_PEER),))
               for count in LISTENERS),
             Figure(LISTENERS_GROWTH, "", goals=LINEAR),
             *(Figure(pipelines_name(count), "µs", goals=(Goal(of=EVERY_PEER),))
               for count in PIPELINES),
             Figure(PIPELINES_GROWTH, "", goals=LINEAR),
             Figure(LISTENER_CALLS, "", goals=(Goal(plus=2),))),
    measure=measure, rounds=3, quick_rounds=1,
    notes=("CPU: user and system time of both processes, with a frame every 20 ms.",))
