# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wake-ups and threads of a capture chain."""

from harness import audio, programs
from harness.row import LIMIT, JKVM, PEER, Figure, Goal, Row, Subject

SETTLE_S = 1


def measure(subject, quick):
    frames = (3 if quick else 5) * audio.FRAMES_PER_SECOND
    make_command, chain = subject.how
    with audio.stereo_device() as device:
        window = programs.run(
            make_command(chain, device, SETTLE_S * audio.FRAMES_PER_SECOND, frames))
    return {"wake-ups": window["switches"] / frames, "threads": window["threads"]}


ROW = Row(
    title="context switches of a capture chain with frames of 20 ms, in real time",
    subjects=(Subject("jkvmaudiosrc", JKVM, (audio.play_chain, audio.JKVM_CAPTURE)),
              Subject("alsasrc, opusenc", PEER, (audio.play_chain, audio.STOCK_CAPTURE)),
              Subject("alsasrc, opusenc, tuned", PEER, (audio.play_chain, audio.BEST_STOCK_CAPTURE)),
              Subject("bare loop", LIMIT, (audio.bare_capture, None))),
    figures=(Figure("wake-ups", "per frame", goals=(Goal(plus=1.05),)),
             Figure("threads", "", goals=(Goal(plus=1),))),
    measure=measure, rounds=3, quick_rounds=1,
    notes=("Wake-ups: voluntary context switches of all threads of the process. Threads: those that "
           "switch at least once in ten frames. Tuned: one period per frame, and no conversion.",))
