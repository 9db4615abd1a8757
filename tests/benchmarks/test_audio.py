# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the tools of the audio rows: instruction counts, allocation counts and virtual time."""

import os
import pathlib
import tempfile
import time
import unittest

from harness import audio, callgrind, programs
from harness.programs import program
from rows import allocations

# A profile in which main (100 own instructions) calls code() in a library twice; code() calls helper()
# in the same library and copy() in another library, which main calls, too.
PROFILE = """\
version: 1
events: Ir

ob=/program
fl=main.c
fn=main
10 60
11 40
cob=/libcodec.so
cfi=codec.c
cfn=code
calls=2 5
12 500
cob=/libc.so
cfn=copy
calls=1 7
13 30

ob=/libcodec.so
fl=codec.c
fn=code
5 200
cfn=helper
calls=2 9
6 250
cob=/libc.so
cfn=copy
calls=2 7
7 50

fn=helper
9 250

ob=/libc.so
fl=copy.c
fn=copy
7 80
"""


class CallgrindProfile(unittest.TestCase):
    def setUp(self):
        self.profile = callgrind.Profile(PROFILE.splitlines())

    def test_total_includes_all_functions(self):
        self.assertEqual(self.profile.total, 60 + 40 + 200 + 250 + 80)

    def test_callees_count_with_the_library(self):
        self.assertEqual(self.profile.entering(lambda f: f[0] == "/libcodec.so"), 500)

    def test_inner_calls_do_not_count_twice(self):
        self.assertEqual(
            self.profile.entering(lambda f: f[0] in ("/libcodec.so", "/libc.so")), 500 + 30)

    def test_functions_of_a_library_are_distinguished_by_name(self):
        self.assertEqual(self.profile.entering(lambda f: f == ("/libcodec.so", "helper")), 250)


class Programs(unittest.TestCase):
    def run_program(self, command, **environment):
        os.environ.update(environment)
        try:
            return programs.run(command)
        finally:
            for name in environment:
                del os.environ[name]

    def test_virtual_time_advances_with_the_audio_but_runs_faster(self):
        seconds = 120
        for make_command, chain in ((audio.play_chain, audio.JKVM_CAPTURE),
                                    (audio.bare_capture, None)):
            start = time.monotonic()
            with audio.stereo_device() as device:
                command = make_command(chain, device, 5, seconds * audio.FRAMES_PER_SECOND)
                window = self.run_program(command, LD_PRELOAD=program("libvirtual-time.so"))
            self.assertAlmostEqual(window["ns"] / 1e9, seconds, delta=0.1)
            self.assertLess(time.monotonic() - start, seconds / 2)

    def count_allocations(self, chain):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "counts"
            self.run_program([program("play-chain"), 20, 100, chain], ALLOCATIONS=str(file),
                             LD_PRELOAD=program("liballocation-count.so"),
                             G_SLICE="always-malloc", GST_TRACERS="")
            return allocations.read_counts(file)

    def test_allocations_are_attributed_to_their_plugin(self):
        # fakesrc allocates the data itself; GStreamer allocates the buffer.
        own, caused = self.count_allocations(
            "fakesrc sizetype=fixed sizemax=64 ! fakesink name=sink")["libgstcoreelements"]
        self.assertEqual(own, 100)
        self.assertGreaterEqual(caused, 100)

    def test_capture_and_queue_do_not_allocate_per_frame(self):
        with audio.stereo_device() as device:
            chain = audio.JKVM_CAPTURE.format(device=device)
            counts = self.count_allocations(f"{chain} ! jkvmadaptivequeue ! fakesink name=sink")
        # A machine that interrupts the program causes an overrun, whose message is allocated, and
        # more packets under way than the pool keeps. With an allocation per frame, it would be 100.
        for plugin in ("libgstjkvmaudio", "libgstjkvmadaptivequeue"):
            self.assertLess(counts[plugin][0], 50, plugin)
            self.assertLess(counts[plugin][1], 100, plugin)


if __name__ == "__main__":
    unittest.main()
