# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory allocations of each element per frame in steady state."""

import contextlib
import pathlib
import tempfile

from harness import audio
from harness.programs import program
from harness.row import JKVM, PEER, Figure, Goal, Row, Subject

SETTLE = 100
FRAMES = 200

# Part of the path -> plugins that implement it.
PARTS = {
    "capture": ("libgstjkvmaudio", "libgstalsa", "libgstaudioconvert", "libgstaudioresample",
                "libgstopus"),
    "send": ("libgstjkvmipc", "libgstgdp", "libgsttcp"),
    "receive": ("libgstjkvmipc", "libgstgdp", "libgsttcp"),
    "queue": ("libgstjkvmadaptivequeue", "libgstcoreelements"),
}


def own(part):
    return f"{part}, own"


def caused(part):
    return f"{part}, caused"


def read_counts(path):
    """Returns plugin -> [own, caused]."""
    counts = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *numbers = line.split()
        counts[name.removesuffix(".so")] = [int(number) for number in numbers]
    return counts


def measure(subject, _):
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = directory / "sender", directory / "receiver"
        # GLib's slice allocator would hide small allocations.
        environments = [{"LD_PRELOAD": program("liballocation-count.so"),
                         "ALLOCATIONS": str(file), "G_SLICE": "always-malloc"} for file in files]
        stack.enter_context(audio.play_path(subject.how, SETTLE, FRAMES, environments))
        sender, receiver = (read_counts(file) for file in files)
    values = {}
    for part, plugins in PARTS.items():
        counts = sender if part in ("capture", "send") else receiver
        found = [counts[plugin] for plugin in plugins if plugin in counts]
        values[own(part)], values[caused(part)] = (sum(c) / FRAMES for c in zip(*found))
    return values


ROW = Row(
    title="allocations per frame in steady state",
    subjects=(Subject("jkvm", JKVM, audio.JKVM_PATH),
              Subject("stock chain over tcp and gdp", PEER, audio.STOCK_PATH)),
    figures=tuple(Figure(name(part), "per frame", goals=(Goal(plus=0),) if name is own else ())
                  for part in PARTS for name in (own, caused)),
    measure=measure, rounds=3, quick_rounds=1,
    notes=("Own: allocated by the plugin's code. Caused: allocated by a library that the plugin "
           "called, for example by GStreamer for a buffer.",))
