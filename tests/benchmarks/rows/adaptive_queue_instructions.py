# SPDX-License-Identifier: LGPL-2.1-or-later
"""Instructions per buffer of jkvmadaptivequeue and of GStreamer's queues."""

from harness import audio, callgrind, programs, queues
from harness.row import Figure, Goal, Row


def count(subject, frames):
    """Returns the instructions of all pushes into the queue and of the queue's threads."""
    profile = callgrind.profile(queues.command(subject, frames))
    return sum(cost for ((caller, _), (_, callee)), cost in profile.calls.items()
               if callee == "start_thread" or "queue-cost" in caller and callee == "gst_pad_push")


def measure(subject, quick):
    frames = (2 if quick else 4) * audio.FRAMES_PER_SECOND
    programs.refresh_registry()
    # The difference removes the costs that do not depend on the number of frames.
    short, long = count(subject, 1), count(subject, 1 + frames)
    return {"instructions per buffer": (long - short) / frames / 1000}


ROW = Row(
    title="instructions of a queue per buffer, in real time",
    subjects=queues.SUBJECTS,
    figures=(Figure("instructions per buffer", "thousand", goals=(Goal(1.5, "queue"),)),),
    measure=measure, rounds=3, quick_rounds=1)
