# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many instructions it takes to get a buffer through the adaptive queue, and through those of
GStreamer."""

from harness import callgrind, programs, queues, sound
from harness.row import Figure, Goal, Row


def count(subject, frames):
    """Those of the pushes into the queue, and of its own threads."""
    profile = callgrind.profile(queues.command(subject, frames))
    return sum(cost for ((caller, _), (_, callee)), cost in profile.calls.items()
               if callee == "start_thread" or "queue-cost" in caller and callee == "gst_pad_push")


def measure(subject, quick):
    frames = (2 if quick else 4) * sound.FRAMES_PER_SECOND
    programs.refresh_registry()
    # What does not depend on the length of the run is the same in both.
    short, long = count(subject, 1), count(subject, 1 + frames)
    return {"instructions": (long - short) / frames / 1000}


ROW = Row(
    title="instructions of a buffer on its way through a queue, in real time",
    subjects=queues.SUBJECTS,
    figures=(Figure("instructions", "thousand", goals=(Goal(1.5, "queue"),)),),
    measure=measure, rounds=3, quick_rounds=1)
