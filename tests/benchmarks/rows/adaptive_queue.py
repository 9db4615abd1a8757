# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU time per buffer of jkvmadaptivequeue and of GStreamer's queues."""

from harness import audio, programs, queues
from harness.row import Figure, Goal, Row


def measure(subject, quick):
    frames = (2 if quick else 4) * audio.FRAMES_PER_SECOND
    return {"CPU time per buffer": programs.run(queues.command(subject, frames))["ns"] / 1000}


ROW = Row(
    title="CPU time of a queue per buffer, in real time",
    subjects=queues.SUBJECTS,
    figures=(Figure("CPU time per buffer", "µs", goals=(Goal(1.5, "queue"),)),),
    measure=measure, rounds=5, quick_rounds=1)
