# SPDX-License-Identifier: LGPL-2.1-or-later
"""The queues to compare, and the command that measures one."""

from .programs import program
from .row import JKVM, PEER, Subject

SETTLE = 50

# (input format, element). Periodic statistics messages are not part of the cost of a buffer.
SUBJECTS = (Subject("jkvmadaptivequeue", JKVM, ("opus", "jkvmadaptivequeue stats-interval=0")),
            Subject("queue", PEER, ("opus", "queue")),
            Subject("queue2", PEER, ("opus", "queue2")),
            Subject("rtpjitterbuffer", PEER, ("rtp", "rtpjitterbuffer")))


def command(subject, frames):
    return [program("queue-cost"), SETTLE, frames, *subject.how]
