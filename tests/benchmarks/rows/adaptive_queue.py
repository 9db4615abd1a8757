# SPDX-License-Identifier: LGPL-2.1-or-later
"""What processor time it costs to get a buffer through the adaptive queue, and through those of
GStreamer."""

from harness import programs, queues, sound
from harness.row import Figure, Goal, Row


def measure(subject, quick):
    frames = (2 if quick else 4) * sound.FRAMES_PER_SECOND
    return {"processor time": programs.run(queues.command(subject, frames))["ns"] / 1000}


ROW = Row(
    title="processor time of a buffer on its way through a queue, in real time",
    subjects=queues.SUBJECTS,
    figures=(Figure("processor time", "µs", goals=(Goal(1.5, "queue"),)),),
    measure=measure, rounds=5, quick_rounds=1)
