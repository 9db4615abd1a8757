# SPDX-License-Identifier: LGPL-2.1-or-later
"""How often a capture wakes up, and on how many threads."""

from harness import programs, sound
from harness.row import LIMIT, OURS, PEER, Figure, Goal, Row, Subject

SETTLE_S = 1


def measure(subject, quick):
    frames = (3 if quick else 5) * sound.FRAMES_PER_SECOND
    make_command, chain = subject.how
    with sound.stereo_device() as device:
        window = programs.run(
            make_command(chain, device, SETTLE_S * sound.FRAMES_PER_SECOND, frames))
    return {"wake-ups a frame": window["switches"] / frames, "threads": window["threads"]}


ROW = Row(
    title="context switches of a capture of 20 ms frames, in real time",
    subjects=(Subject("jkvmaudiosrc", OURS, (sound.play_chain, sound.OUR_CAPTURE)),
              Subject("alsasrc, opusenc", PEER, (sound.play_chain, sound.STOCK_CAPTURE)),
              Subject("the same at its best", PEER, (sound.play_chain, sound.BEST_STOCK_CAPTURE)),
              Subject("bare loop", LIMIT, (sound.bare_capture, None))),
    figures=(Figure("wake-ups a frame", "", goals=(Goal(plus=1.05),)),
             Figure("threads", "", goals=(Goal(plus=1),))),
    measure=measure, rounds=3, quick_rounds=1,
    notes=("Voluntary context switches of all threads of the process. A thread counts when it "
           "switches at least once in ten frames.",))
