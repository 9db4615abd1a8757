# SPDX-License-Identifier: LGPL-2.1-or-later
"""Throughput from one process to another, limited by the listeners only."""

from harness import ipc
from harness.row import EVERY_PEER, HIGHER, LIMIT, Figure, Goal, Row, Subject

MESSAGES = {1: 100_000, 8: 12_500}  # by listeners; the same total work


def name_of(listeners):
    return ipc.count_of(listeners)


def measure(subject, quick):
    return {name_of(listeners):
                ipc.run(subject.how, listeners=listeners,
                        messages=MESSAGES[listeners] // (4 if quick else 1))["messages_per_second"]
            for listeners in subject.how.listeners}


ROW = Row(
    title="messages of 240 bytes per second to each listener",
    subjects=(ipc.JKVM_TRANSPORT, *ipc.PEERS,
              Subject("raw socket, two reads", LIMIT, ipc.Transport("raw", reads=2))),
    figures=tuple(Figure(name_of(listeners), "1/s", HIGHER, (Goal(1.0, LIMIT), Goal(of=EVERY_PEER)))
                  for listeners in ipc.LISTENERS),
    measure=measure, rounds=5, quick_rounds=2,
    notes=("At most 64 messages are in flight to a listener. The raw socket reads the header and "
           "then the payload.",))
