# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the processes of a path hold of the machine's memory."""

import pathlib

from harness import sound
from harness.row import EVERY_PEER, OURS, PEER, Figure, Goal, Row, Subject

SECONDS = 10


def proportional_set(process):
    """Its memory in KiB; pages that several processes share are shared out among them."""
    for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text(
            encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError("the kernel does not say")


def measure(subject, _):
    with sound.play_path(subject.how, 1, SECONDS * sound.FRAMES_PER_SECOND) as processes:
        capturing, receiving = (proportional_set(process) / 1024 for process in processes)
    return {"capturing": capturing, "receiving": receiving}


ROW = Row(
    title=f"memory of the two processes of a path after {SECONDS} s (PSS)",
    subjects=(Subject("jkvm", OURS, sound.OUR_PATH),
              Subject("stock chain over tcp and gdp", PEER, sound.STOCK_PATH)),
    figures=tuple(Figure(name, "MiB", goals=(Goal(of=EVERY_PEER),))
                  for name in ("capturing", "receiving")),
    measure=measure, rounds=3, quick_rounds=1)
