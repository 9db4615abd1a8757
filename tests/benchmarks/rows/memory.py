# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory of the two processes of a path."""

import pathlib

from harness import audio
from harness.row import EVERY_PEER, JKVM, PEER, Figure, Goal, Row, Subject

SECONDS = 10


def proportional_set(process):
    """Returns the proportional set size of a process (KiB)."""
    for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text(
            encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError(f"no Pss in /proc/{process.pid}/smaps_rollup")


def measure(subject, _):
    with audio.play_path(subject.how, 1, SECONDS * audio.FRAMES_PER_SECOND) as processes:
        capturing, receiving = (proportional_set(process) / 1024 for process in processes)
    return {"capturing process": capturing, "receiving process": receiving}


ROW = Row(
    title=f"memory of the two processes of a path after {SECONDS} s (PSS)",
    subjects=(Subject("jkvm", JKVM, audio.JKVM_PATH),
              Subject("stock chain over tcp and gdp", PEER, audio.STOCK_PATH)),
    figures=tuple(Figure(name, "MiB", goals=(Goal(of=EVERY_PEER),))
                  for name in ("capturing process", "receiving process")),
    measure=measure, rounds=3, quick_rounds=1)
