# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many frames a second get from one process to another, when nothing but the listeners holds
the sender up."""

from harness import programs
from harness.row import EVERY_PEER, HIGHER, LIMIT, OURS, PEER, Figure, Goal, Row, Subject

LISTENERS = (1, 8)
MESSAGES = {1: 100_000, 8: 12_500}  # the same work


def name_of(listeners):
    return f"{listeners} listening"


def measure(subject, quick):
    values = {}
    for listeners in subject.how["listeners"]:
        result = programs.run(
            [programs.program("ipc-bench"), "--transport", subject.how["transport"],
             "--listeners", listeners, "--messages", MESSAGES[listeners] // (4 if quick else 1),
             "--reads", subject.how.get("reads", 1)])
        if result["lost"]:
            raise RuntimeError(f"{result['lost']} messages were lost")
        values[name_of(listeners)] = result["messages_per_second"]
    return values


ROW = Row(
    title="messages of 240 bytes a second, to each of the listeners",
    subjects=(
        Subject("jkvmipc", OURS, {"transport": "jkvm", "listeners": LISTENERS}),
        Subject("shm", PEER, {"transport": "shm", "listeners": LISTENERS}),
        Subject("tcp + gdp", PEER, {"transport": "tcp", "listeners": LISTENERS}),
        Subject("fd + gdp", PEER, {"transport": "fd", "listeners": (1,)}),
        Subject("raw socket, two reads", LIMIT,
                {"transport": "raw", "listeners": LISTENERS, "reads": 2})),
    figures=tuple(Figure(name_of(listeners), "1/s", HIGHER, (Goal(1.0, LIMIT), Goal(of=EVERY_PEER)))
                  for listeners in LISTENERS),
    measure=measure, rounds=5, quick_rounds=2,
    notes=("At most 64 messages are on their way to a listener. The raw socket reads the header and "
           "then the payload.",))
