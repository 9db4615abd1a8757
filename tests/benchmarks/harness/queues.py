# SPDX-License-Identifier: LGPL-2.1-or-later
"""The queues that are measured, and the command that does it."""

from .programs import program
from .row import OURS, PEER, Subject

SETTLE = 50

# What comes in, and the element. Statistics that are told every few seconds are no part of what a
# buffer costs.
SUBJECTS = (Subject("jkvmadaptivequeue", OURS, ("opus", "jkvmadaptivequeue stats-interval=0")),
            Subject("queue", PEER, ("opus", "queue")),
            Subject("queue2", PEER, ("opus", "queue2")),
            Subject("rtpjitterbuffer", PEER, ("rtp", "rtpjitterbuffer")))


def command(subject, frames):
    return [program("queue-cost"), SETTLE, frames, *subject.how]
