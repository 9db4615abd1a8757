# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many frames a second get from one process to another, when nothing but the listeners holds
the sender up."""

from harness import ipc
from harness.row import EVERY_PEER, HIGHER, LIMIT, Figure, Goal, Row, Subject

MESSAGES = {1: 100_000, 8: 12_500}  # the same work


def name_of(listeners):
    return f"{listeners} listening"


def measure(subject, quick):
    return {name_of(listeners):
                ipc.run(subject.how, listeners=listeners,
                        messages=MESSAGES[listeners] // (4 if quick else 1))["messages_per_second"]
            for listeners in subject.how.listeners}


ROW = Row(
    title="messages of 240 bytes a second, to each of the listeners",
    subjects=(ipc.OUR_WAY, *ipc.PEERS,
              Subject("raw socket, two reads", LIMIT, ipc.Way("raw", reads=2))),
    figures=tuple(Figure(name_of(listeners), "1/s", HIGHER, (Goal(1.0, LIMIT), Goal(of=EVERY_PEER)))
                  for listeners in ipc.LISTENERS),
    measure=measure, rounds=5, quick_rounds=2,
    notes=("At most 64 messages are on their way to a listener. The raw socket reads the header and "
           "then the payload.",))
